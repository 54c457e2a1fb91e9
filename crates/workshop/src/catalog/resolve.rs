//! Resolves the name of a network, as given with `--network`, to the model that runs.

use super::entry::Catalog;
use detector::status::SubstituteFor;
use std::path::{Path, PathBuf};

/// The models of a checkout, once set-up has run.
pub(crate) const CHECKOUT: &str = ".sightd/models";
/// The models of an installation.
pub(crate) const INSTALLED: &str = "/var/lib/sightd/models";

/// The folder of the models unless the user names one.
pub(super) fn default_folder() -> PathBuf {
    let is_set_up = Path::new(CHECKOUT).parent().is_some_and(Path::is_dir);
    PathBuf::from(if is_set_up { CHECKOUT } else { INSTALLED })
}

/// The model that runs under a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resolved {
    /// Name of its file, without `.onnx`; or what the user gave, when that is in no catalogue.
    pub model: String,
    /// The classes that are detected; all when empty.
    pub only: Vec<String>,
    /// The requested network, when this one runs in its place.
    pub stands_in_for: Option<SubstituteFor>,
}

/// Why a name has no model.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// The network is known, and its weights must be fetched by the user.
    #[error(
        "network {name} is not installed, no package registry carries its weights, and no other network stands in \
         for it. To run it:\n{steps}"
    )]
    NotCarried {
        /// The network.
        name: String,
        /// What to do, a line for each step.
        steps: String,
    },
    /// The network is known, and its file is not there.
    #[error("network {name} is not installed: `sightd model pull {model}` fetches {}", what(.name, .model))]
    NotPulled {
        /// The network asked for.
        name: String,
        /// The one to pull.
        model: String,
    },
    /// The catalogue in the program does not parse.
    #[error("the catalogue of models is broken: {0}")]
    Catalog(String),
}

fn what(name: &str, model: &str) -> String {
    if name == model { "it".into() } else { format!("{model}, which stands in for it") }
}

/// Finds the model that runs under `name`: the file of that name if `is_installed` (called with a name without `.onnx`)
/// says that it exists, the network of the catalogue that has the name or alias, or its substitute. A name that is not
/// in the catalogue is that of a model of the user.
///
/// # Errors
/// [`ResolveError`], which says what to do.
pub(crate) fn resolve(name: &str, is_installed: impl Fn(&str) -> bool) -> Result<Resolved, ResolveError> {
    let plain = |model: &str| Resolved { model: model.to_owned(), only: Vec::new(), stands_in_for: None };
    let catalog = Catalog::load().map_err(|e| ResolveError::Catalog(e.to_string()))?;
    let Some(network) = catalog.find(name).filter(|_| !is_installed(name)) else {
        return Ok(plain(name));
    };
    if is_installed(&network.name) {
        return Ok(plain(&network.name));
    }
    let not_pulled = |model: &str| ResolveError::NotPulled { name: network.name.clone(), model: model.to_owned() };
    match &network.substitute {
        Some(substitute) if is_installed(&substitute.network) => {
            let asked = SubstituteFor { name: network.name.clone(), difference: substitute.difference.clone() };
            Ok(Resolved {
                model: substitute.network.clone(),
                only: substitute.only.clone(),
                stands_in_for: Some(asked),
            })
        }
        Some(substitute) => Err(not_pulled(&substitute.network)),
        None if network.package.is_some() => Err(not_pulled(&network.name)),
        None => {
            let steps = network.steps(&default_folder());
            Err(ResolveError::NotCarried { name: network.name.clone(), steps })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stand_in_runs_and_says_so() {
        let found = resolve("PEDNET_MULTI", |name| name == "ssdlite-mobilenet-v2").unwrap();
        assert_eq!(found.model, "ssdlite-mobilenet-v2");
        assert_eq!(found.only, ["person", "backpack", "handbag", "suitcase"]);
        let asked = found.stands_in_for.unwrap();
        assert!(asked.name == "multiped" && asked.difference.starts_with("an SSD of all COCO classes"), "{asked:?}");
    }

    #[test]
    fn an_imported_original_takes_its_place() {
        let found = resolve("pednet", |_| true).unwrap();
        assert_eq!(found, Resolved { model: "pednet".into(), only: vec![], stands_in_for: None });
        let found = resolve("ped-100", |name| name == "ped-100").unwrap();
        assert_eq!(found.model, "ped-100", "a file of the very name comes first");
    }

    #[test]
    fn what_is_missing_is_said_with_the_next_command() {
        let error = resolve("facenet", |_| false).unwrap_err();
        let words = "network facenet is not installed: `sightd model pull face` fetches face, which stands in for it";
        assert_eq!(error.to_string(), words);
        let error = resolve("default", |_| false).unwrap_err();
        let words =
            "network ssdlite-mobilenet-v2 is not installed: `sightd model pull ssdlite-mobilenet-v2` fetches it";
        assert_eq!(error.to_string(), words);
        let error = resolve("SSD_MOBILENET_V1", |_| false).unwrap_err().to_string();
        assert!(error.contains("1. download http") && error.contains("Apache-2.0"), "{error}");
        let import = format!("frozen_inference_graph.pb -o {}/ssd-mobilenet-v1.onnx", default_folder().display());
        assert!(error.contains(&import), "{error}");
    }

    #[test]
    fn a_name_of_the_users_own_is_left_alone() {
        let found = resolve("my-forklifts", |_| false).unwrap();
        assert_eq!(found.model, "my-forklifts");
    }
}
