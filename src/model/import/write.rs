//! Writes an imported model: the ONNX file and its manifest beside it, each whole or not at all.

use super::Imported;
use super::error::{Fault, ImportError};
use crate::manifest::Manifest;
use crate::model::load::{manifest_path, sha256_hex};
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

/// The files that were written.
#[derive(Debug)]
pub struct Written {
    /// The ONNX file.
    pub onnx: PathBuf,
    /// Its manifest.
    pub toml: PathBuf,
    /// The manifest, with the file's SHA-256.
    pub manifest: Manifest,
}

/// Writes `imported` to `out` and its manifest beside it, with the extension `toml`.
///
/// # Errors
/// [`Fault::Write`] when a file cannot be written; what was there before is then still there.
pub fn write(imported: &Imported, out: &Path) -> Result<Written, ImportError> {
    let failed = |fault| ImportError { path: out.to_owned(), fault };
    let toml = manifest_path(out);
    let mut manifest = imported.manifest.clone();
    manifest.sha256 = Some(sha256_hex(&imported.onnx));
    let text = toml::to_string_pretty(&manifest).map_err(|e| failed(e.into()))?;
    // The manifest last: until it is there, its SHA-256 tells that the pair is not complete.
    write_whole(out, &imported.onnx).map_err(failed)?;
    write_whole(&toml, text.as_bytes()).map_err(failed)?;
    Ok(Written { onnx: out.to_owned(), toml, manifest })
}

fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), Fault> {
    let part = part_path(path);
    let fault = |source| Fault::Write { path: path.to_owned(), source };
    let written = write_and_sync(&part, bytes).and_then(|()| fs::rename(&part, path));
    if written.is_err() {
        // Nothing more can be done where even this fails.
        let _ = fs::remove_file(&part);
    }
    written.map_err(fault)
}

fn write_and_sync(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    if let Some(folder) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
        fs::create_dir_all(folder)?;
    }
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// A name beside `path` that no other process uses.
fn part_path(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{}.part", std::process::id()))
}
