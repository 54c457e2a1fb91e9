//! Finds the model for a name or path that the user gives.

use super::{
    catalog::{self, ResolveError, Resolved},
    load::{self, LoadError},
};
use detector::manifest::Model;
use std::path::{Path, PathBuf};

/// Folders that are searched after those of the configuration: a checkout's, the operator's, the package's.
const FOLDERS: [&str; 3] = [catalog::CHECKOUT, catalog::INSTALLED, "/usr/share/sightd/models"];

/// Why a model was not found or not loaded.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// No folder contains it.
    #[error(
        "no model {name:?}: searched for {name}.onnx in {}. `sightd model list` lists the known networks, \
         `sightd model pull` and `sightd model import` install one; a path must contain a `/` or end in .onnx",
        list(.folders)
    )]
    Unknown {
        /// The requested name.
        name: String,
        /// The folders that were searched.
        folders: Vec<PathBuf>,
    },
    /// The catalogue has it, but neither its file nor that of a substitute is installed.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// The substitute does not have the classes that are wanted.
    #[error("{} cannot stand in for {name}: it has no class {class:?}; use `sightd model pull` to get a network that has", path.display())]
    WithoutClass {
        /// The requested name.
        name: String,
        /// The file that was found.
        path: PathBuf,
        /// The class.
        class: String,
    },
    /// The file exists but cannot be used.
    #[error(transparent)]
    Load(#[from] LoadError),
}

fn list(folders: &[PathBuf]) -> String {
    folders.iter().map(|folder| folder.display().to_string()).collect::<Vec<_>>().join(", ")
}

/// Finds and loads the model `name`: a path (anything with a `/` or ending in `.onnx`), or a name that is looked up in
/// `folders` and then in the usual places. Where the catalogue has a substitute for
/// a network that is not installed, the substitute is loaded, restricted to the classes that the entry lists.
///
/// # Errors
/// When no file is found, or the one found cannot be used.
pub fn find(name: &str, folders: &[PathBuf]) -> Result<Model, FindError> {
    let path = Path::new(name);
    if name.contains('/') || path.extension().is_some_and(|ending| ending == "onnx") {
        return Ok(load::load(path)?);
    }
    let folders: Vec<_> = folders.iter().cloned().chain(FOLDERS.iter().map(PathBuf::from)).collect();
    let file = |stem: &str| folders.iter().map(|folder| folder.join(format!("{stem}.onnx"))).find(|path| path.exists());
    let Resolved { model, only, stands_in_for } = catalog::resolve(name, |stem| file(stem).is_some())?;
    let path = file(&model).ok_or_else(|| FindError::Unknown { name: model, folders: folders.clone() })?;
    let mut model = Model { stands_in_for, ..load::load(&path)? };
    if let Some(class) = only.iter().find(|class| !model.manifest.labels.contains(class)) {
        return Err(FindError::WithoutClass { name: name.into(), path, class: class.clone() });
    }
    if !only.is_empty() {
        model.manifest.keep_only(&only);
    }
    Ok(model)
}
