//! Writes an imported model: the ONNX file and its manifest beside it, each whole or not at all.

use super::convert::Imported;
use super::error::{Fault, ImportError};
use crate::load::manifest_path;
use detector::manifest::{Manifest, Model};
use fs_err::{self as fs, File};
use sha2::{Digest, Sha256};
use std::io::{self, BufWriter, IntoInnerError, Write};
use std::path::{Path, PathBuf};

/// The files that were written.
#[derive(Debug)]
pub struct Written {
    /// The ONNX file and its manifest.
    pub model: Model,
    /// The manifest's file.
    pub toml: PathBuf,
}

/// Writes `imported` to `out` and its manifest beside it, with the extension `toml`.
///
/// # Errors
/// [`Fault::File`] when a file cannot be written; what was there before is then still there.
pub fn write(imported: &Imported, out: &Path) -> Result<Written, ImportError> {
    let failed = |fault| ImportError { path: out.to_owned(), fault };
    let toml = manifest_path(out);
    // The manifest last: until it is there, its SHA-256 tells that the pair is not complete.
    let sha256 = write_whole(out, |file| imported.onnx.write_to(file)).map_err(failed)?;
    let manifest = Manifest { sha256: Some(sha256.clone()), ..imported.manifest.clone() };
    let text = toml::to_string_pretty(&manifest).map_err(|e| failed(e.into()))?;
    write_whole(&toml, |file| file.write_all(text.as_bytes())).map_err(failed)?;
    Ok(Written { model: Model { path: out.to_owned(), sha256, manifest, stands_in_for: None }, toml })
}

/// Lets `content` write a file beside `path`, which then takes that place; its SHA-256.
fn write_whole(path: &Path, content: impl Fn(&mut dyn Write) -> io::Result<()>) -> Result<String, Fault> {
    let part = part_path(path);
    let written = write_and_sync(&part, content).and_then(|sha256| fs::rename(&part, path).map(|()| sha256));
    if written.is_err() {
        // Nothing more can be done where even this fails.
        let _ = fs::remove_file(&part);
    }
    Ok(written?)
}

fn write_and_sync(path: &Path, content: impl Fn(&mut dyn Write) -> io::Result<()>) -> io::Result<String> {
    if let Some(folder) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
        fs::create_dir_all(folder)?;
    }
    let mut file = BufWriter::new(Hashed { file: File::create(path)?, hasher: Sha256::new() });
    content(&mut file)?;
    let Hashed { file, hasher } = file.into_inner().map_err(IntoInnerError::into_error)?;
    file.sync_all()?;
    Ok(hex::encode(hasher.finalize()))
}

/// A file, and the SHA-256 of what was written to it.
struct Hashed {
    file: File,
    hasher: Sha256,
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// A name beside `path` that no other process uses.
fn part_path(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{}.part", std::process::id()))
}
