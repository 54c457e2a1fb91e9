//! From the name a user gives to a model's file.

use super::{
    catalog::{self, ResolveError, Resolved},
    load::{self, LoadError},
};
use detector::manifest::Model;
use std::path::{Path, PathBuf};

/// Where models lie when the configuration names no folder: set-up's in a checkout, the operator's, the package's.
const FOLDERS: [&str; 3] = [catalog::CHECKOUT, catalog::INSTALLED, "/usr/share/sightd/models"];

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
    /// The catalogue knows it, and nothing that could run under its name is here.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// What would stand in for it does not know its classes.
    #[error("{} cannot stand in for {name}: it has no class {class:?}; `sightd model pull` brings one that has", path.display())]
    WithoutClass {
        /// What was asked for.
        name: String,
        /// The file that was found.
        path: PathBuf,
        /// The class.
        class: String,
    },
    /// It is there and cannot be used.
    #[error(transparent)]
    Load(#[from] LoadError),
}

fn list(folders: &[PathBuf]) -> String {
    folders.iter().map(|folder| folder.display().to_string()).collect::<Vec<_>>().join(", ")
}

/// Finds and loads the model `name`: a path (anything with a `/` or ending in `.onnx`), or a name that is looked up in
/// `folders` and then in the usual places. Where the catalogue says that another network stands in for one that is
/// not here, that one is loaded, with only those classes named that are wanted of it.
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
