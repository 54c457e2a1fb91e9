//! Opens a model for the daemon: finds its manifest and checks that the file is the one described.

use super::onnx::{self, MANIFEST_KEY};
use bytes::Bytes;
use detector::{
    files::sha256_of,
    manifest::{Manifest, Model},
};
use fs_err as fs;

use std::io;
use std::path::{Path, PathBuf};

/// Why a model cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file does not exist.
    #[error(
        "model {} does not exist: `sightd model list` lists what `sightd model pull NAME` can fetch; \
         `sightd model import FILE -o {}` creates it from a model of your own",
        .0.display(), .0.display()
    )]
    Missing(PathBuf),
    /// The model or its manifest cannot be read; the error names the file.
    #[error(transparent)]
    Read(#[from] io::Error),
    /// The manifest does not parse.
    #[error("manifest {}: {source}; create it again with `sightd model import`", path.display())]
    Manifest {
        /// The file that holds the manifest.
        path: PathBuf,
        /// Where and why.
        source: Box<toml::de::Error>,
    },
    /// The model is not the one that the manifest describes.
    #[error(
        "model {} has the SHA-256 {found}, but its manifest says {expected}: the file is truncated or was changed; \
         fetch or import it again", path.display()
    )]
    Sha256 {
        /// The model.
        path: PathBuf,
        /// SHA-256 of the file.
        found: String,
        /// SHA-256 in the manifest.
        expected: String,
    },
    /// The file is not ONNX, or it is truncated.
    #[error("model {} is not an ONNX file or is truncated: {why}; fetch or import it again", path.display())]
    Malformed {
        /// The model.
        path: PathBuf,
        /// What the parser says.
        why: String,
    },
    /// An ONNX file of unknown form.
    #[error(
        "model {} has no manifest beside it or inside it, so it is unknown how to decode its outputs: \
         `sightd model import {} -o NEW.onnx` creates one if it is an SSD",
        .0.display(), .0.display()
    )]
    NoManifest(PathBuf),
}

/// Opens the model at `path`: reads the manifest beside it (same name, extension `toml`), else the one in its
/// metadata, and checks the file's SHA-256 where the manifest names one.
///
/// # Errors
/// [`LoadError`], which names the file and the way out.
pub fn load(path: &Path) -> Result<Model, LoadError> {
    let sha256 = match sha256_of(path) {
        Ok(sha256) => sha256,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Err(LoadError::Missing(path.to_owned())),
        Err(error) => return Err(error.into()),
    };
    let beside = manifest_path(path);
    let manifest = match fs::read_to_string(&beside) {
        Ok(text) => parse(&text, &beside)?,
        Err(e) if e.kind() == io::ErrorKind::NotFound => embedded(path)?,
        Err(error) => return Err(error.into()),
    };
    match &manifest.sha256 {
        Some(expected) if *expected != sha256 => {
            let (path, expected) = (path.to_owned(), expected.clone());
            Err(LoadError::Sha256 { path, found: sha256, expected })
        }
        _ => Ok(Model { path: path.to_owned(), sha256, manifest, stands_in_for: None }),
    }
}

/// Where the manifest of the model at `onnx` stands.
pub(crate) fn manifest_path(onnx: &Path) -> PathBuf {
    onnx.with_extension("toml")
}

fn parse(text: &str, path: &Path) -> Result<Manifest, LoadError> {
    toml::from_str(text).map_err(|e| LoadError::Manifest { path: path.to_owned(), source: Box::new(e) })
}

fn embedded(path: &Path) -> Result<Manifest, LoadError> {
    let model = onnx::read(&Bytes::from(fs::read(path)?))
        .map_err(|e| LoadError::Malformed { path: path.to_owned(), why: e.to_string() })?;
    let text = model.metadata(MANIFEST_KEY).ok_or_else(|| LoadError::NoManifest(path.to_owned()))?;
    parse(text, path)
}
