//! What the fuzz targets share: an allocator that counts, and the promise they check.
//!
//! An import of any bytes ends without a panic, takes no more memory than four times the file, the file
//! itself included (a small file: no more than a fixed amount), and writes nothing but to the output it is given.

use bytes::Bytes;
use sightd_workshop::import::{Fault, ImportOptions, import_bytes};
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

/// What an import of a small file may take, in bytes: tables for as many nodes as are accepted.
const BASE: usize = 64 << 20;
/// What it may take for each byte of the file.
const TIMES_FILE: usize = 4;

/// The system's allocator, which remembers the most that was in use.
pub struct Counting;

static IN_USE: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = IN_USE.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        MOST.fetch_max(now, Ordering::Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Imports `file`, whose first shard is `shard` and whose others are empty, and checks what was taken.
pub fn check(file: &[u8], shard: &[u8]) {
    let options = ImportOptions { size: Some(64), ..ImportOptions::default() };
    let before = IN_USE.load(Ordering::Relaxed);
    MOST.store(before, Ordering::Relaxed);
    let mut left = Bytes::copy_from_slice(shard);
    let outcome = import_bytes(Bytes::copy_from_slice(file), "fuzz".into(), &options, &mut |_: &str| {
        Ok::<_, Fault>(std::mem::take(&mut left))
    });
    if let Ok(imported) = &outcome {
        imported.onnx.write_to(&mut std::io::sink()).expect("nothing can go wrong with this output");
    }
    let taken = MOST.load(Ordering::Relaxed) - before;
    let allowed = BASE.max(TIMES_FILE * (file.len() + shard.len()));
    assert!(taken <= allowed, "{taken} bytes taken for {} bytes of file", file.len() + shard.len());
    if let Err(fault) = outcome {
        assert!(!fault.to_string().is_empty());
    }
}
