//! What several subjects need.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

/// The checkout.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The acceptance data `path` under `../shared`, or a word that the test was left out for want of it, which
/// `scripts/test.sh` counts.
pub fn shared(path: &str) -> Option<PathBuf> {
    let full = root().join("../shared").join(path);
    if full.exists() {
        return Some(full);
    }
    let test = std::thread::current();
    // Straight to stderr: the harness swallows what passing tests print with `println!`.
    let _ = writeln!(std::io::stderr(), "left out: {} needs ../shared/{path}", test.name().unwrap_or("a test"));
    None
}

/// A file of little-endian f32 values.
pub fn read_f32(path: &Path) -> Vec<f32> {
    let bytes = std::fs::read(path).unwrap();
    bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}
