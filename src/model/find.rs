//! From the name a user gives to a model's file.

use super::load::{self, LoadError, Model};
use std::path::{Path, PathBuf};

/// Where models lie when the configuration names no folder: set-up's in a checkout, the operator's, the package's.
const FOLDERS: &[&str] = &[".sightd/models", "/var/lib/sightd/models", "/usr/share/sightd/models"];

/// Why a model was not found or not loaded.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// No folder has it.
    #[error(
        "no model {name:?}: looked for {name}.onnx in {}. `sightd model list` shows what there is, \
         `sightd model import` and `sightd model pull` bring more; a path must have a `/` or end in .onnx",
        list(.folders)
    )]
    Unknown {
        /// What was asked for.
        name: String,
        /// Where it was looked for.
        folders: Vec<PathBuf>,
    },
    /// It is there and can't be used.
    #[error(transparent)]
    Load(#[from] LoadError),
}

fn list(folders: &[PathBuf]) -> String {
    folders.iter().map(|folder| folder.display().to_string()).collect::<Vec<_>>().join(", ")
}

/// Finds and loads the model `name`: a path (anything with a `/` or ending in `.onnx`), or a name that is looked up in
/// `folders` and then in the usual places.
///
/// # Errors
/// When no file is found, or the one found can't be used.
pub fn find(name: &str, folders: &[PathBuf]) -> Result<Model, FindError> {
    let path = Path::new(name);
    if name.contains('/') || path.extension().is_some_and(|ending| ending == "onnx") {
        return Ok(load::load(path)?);
    }
    let folders: Vec<_> = folders.iter().cloned().chain(FOLDERS.iter().map(PathBuf::from)).collect();
    let found = folders.iter().map(|folder| folder.join(format!("{name}.onnx"))).find(|path| path.exists());
    match found {
        Some(path) => Ok(load::load(&path)?),
        None => Err(FindError::Unknown { name: name.into(), folders }),
    }
}
