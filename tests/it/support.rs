//! What several subjects need.

use std::path::{Path, PathBuf};

/// The acceptance data `path` under `../shared`, or a word that the test was left out for want of it.
pub fn shared(path: &str) -> Option<PathBuf> {
    let full = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared").join(path);
    if full.exists() {
        return Some(full);
    }
    println!("left out: {} needs ../shared/{path}", std::thread::current().name().unwrap_or("a test"));
    None
}

/// A file of little-endian f32 values.
pub fn read_f32(path: &Path) -> Vec<f32> {
    let bytes = std::fs::read(path).unwrap();
    bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}
