//! From the name a user gives with `--network` to the model that runs.

use super::{Catalog, Network};

/// The model that runs under a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// Name of its file, without `.onnx`; or what the user gave, when that is in no catalogue.
    pub model: String,
    /// The classes that are wanted; all when empty.
    pub only: Vec<String>,
    /// When it stands in for another network: what to tell the user.
    pub stands_in: Option<String>,
}

/// Why a name leads to no model.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// The network is known, and its weights must be fetched by the user.
    #[error(
        "network {name}: no package registry carries its weights, and nothing stands in for it. To run it:\n{steps}"
    )]
    NotCarried {
        /// The network.
        name: String,
        /// What to do, a line for each step.
        steps: String,
    },
    /// The network is known, and its file is not there.
    #[error("network {name}: {model}.onnx is not there; `sightd model pull {model}` fetches it")]
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

/// Finds what runs under `name`: the network itself when `is_there` says that its file is (by the name of the file,
/// without `.onnx`), else what stands in for it. A name that is in no catalogue is taken for a model of the user's.
///
/// # Errors
/// [`ResolveError`] with what to do.
pub fn resolve(name: &str, is_there: impl Fn(&str) -> bool) -> Result<Resolved, ResolveError> {
    let catalog = Catalog::load().map_err(|e| ResolveError::Catalog(e.to_string()))?;
    let Some(network) = catalog.find(name) else {
        return Ok(Resolved { model: name.to_owned(), only: Vec::new(), stands_in: None });
    };
    if is_there(&network.name) {
        return Ok(Resolved { model: network.name.clone(), only: Vec::new(), stands_in: None });
    }
    let not_pulled = |model: &str| ResolveError::NotPulled { name: network.name.clone(), model: model.to_owned() };
    match &network.stand_in {
        Some(stand_in) if is_there(&stand_in.network) => {
            let message = format!(
                "{} stands in for {}: {}. Import the original to run it under this name",
                stand_in.network, network.name, stand_in.difference
            );
            let (model, only) = (stand_in.network.clone(), stand_in.only.clone());
            Ok(Resolved { model, only, stands_in: Some(message) })
        }
        Some(stand_in) => Err(not_pulled(&stand_in.network)),
        None if network.package.is_some() => Err(not_pulled(&network.name)),
        None => Err(not_carried(network)),
    }
}

fn not_carried(network: &Network) -> ResolveError {
    let steps = network.original.iter().flat_map(|original| original.steps(&network.name, "MODELS"));
    let steps: Vec<String> = steps.enumerate().map(|(i, step)| format!("  {}. {step}", i + 1)).collect();
    ResolveError::NotCarried { name: network.name.clone(), steps: steps.join("\n") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stand_in_runs_and_says_so() {
        let found = resolve("PEDNET_MULTI", |name| name == "ssdlite-mobilenet-v2").unwrap();
        assert_eq!(found.model, "ssdlite-mobilenet-v2");
        assert_eq!(found.only, ["person", "backpack", "handbag", "suitcase"]);
        assert!(found.stands_in.unwrap().starts_with("ssdlite-mobilenet-v2 stands in for multiped: "));
    }

    #[test]
    fn an_imported_original_takes_its_place() {
        let found = resolve("pednet", |_| true).unwrap();
        assert_eq!(found, Resolved { model: "pednet".into(), only: vec![], stands_in: None });
    }

    #[test]
    fn what_is_missing_is_said_with_the_next_command() {
        let error = resolve("facenet", |_| false).unwrap_err();
        assert_eq!(error.to_string(), "network facenet: face.onnx is not there; `sightd model pull face` fetches it");
        let error = resolve("SSD_MOBILENET_V1", |_| false).unwrap_err().to_string();
        assert!(error.contains("1. download http") && error.contains("Apache-2.0"), "{error}");
        assert!(error.contains("frozen_inference_graph.pb -o MODELS/ssd-mobilenet-v1.onnx"), "{error}");
    }

    #[test]
    fn a_name_of_the_users_own_is_left_alone() {
        let found = resolve("my-forklifts", |_| false).unwrap();
        assert_eq!(found.model, "my-forklifts");
    }
}
