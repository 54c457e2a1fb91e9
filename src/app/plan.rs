//! The plan: a configuration that was checked against the model, with all that is needed to build the parts.

use super::Failure;
use crate::{
    camera::CameraName,
    config::{CameraConfig, Config},
    decode::Thresholds,
    manifest::Manifest,
    model::{self, Model},
    pipeline::CameraThresholds,
    source,
};
use arc_swap::ArcSwap;
use std::{collections::BTreeMap, path::Path, sync::Arc};

/// Where footage for a machine without a camera may lie: put there by set-up, or by the package.
const FOOTAGE: &[&str] = &[".sightd/footage/vtest.avi", "/usr/share/sightd/footage/vtest.avi"];

/// The file that asks for a restart of `nvargus-daemon`; the same as in `systemd/sightd-nvargus.path`.
const ARGUS_RESTART_REQUEST: &str = "/run/sightd/restart-nvargus";

/// What the daemon is going to do.
pub(super) struct Plan {
    pub(super) model: Model,
    pub(super) cameras: Vec<PlannedCamera>,
    pub(super) thresholds: Arc<CameraThresholds>,
}

/// One camera of the plan.
pub(super) struct PlannedCamera {
    pub(super) name: CameraName,
    pub(super) source: source::Config,
}

impl Plan {
    pub(super) fn new(config: &Config) -> Result<Self, Failure> {
        let model =
            model::find(&config.model.name, &config.model.folders).map_err(|error| Failure::Config(error.into()))?;
        let wanted = wanted_cameras(config)?;
        let thresholds = resolve(&wanted, &model.manifest)?;
        let cameras = wanted
            .into_iter()
            .map(|(name, camera)| PlannedCamera { source: chosen(&name, source_of(&camera, config)), name })
            .collect();
        Ok(Self { model, cameras, thresholds: Arc::new(ArcSwap::from_pointee(thresholds)) })
    }
}

/// The cameras of the configuration; without any, one called `default`.
pub(super) fn wanted_cameras(config: &Config) -> Result<BTreeMap<CameraName, CameraConfig>, Failure> {
    let mut wanted = config.camera.clone();
    if wanted.is_empty() {
        let name = "default".parse().map_err(|error| Failure::Other(anyhow::Error::new(error)))?;
        wanted.insert(name, CameraConfig::default());
    }
    Ok(wanted)
}

/// Every camera's thresholds by class id, or all class names that the model does not have.
pub(super) fn resolve(
    cameras: &BTreeMap<CameraName, CameraConfig>,
    manifest: &Manifest,
) -> Result<BTreeMap<CameraName, Thresholds>, Failure> {
    let mut resolved = BTreeMap::new();
    let mut unknown = Vec::new();
    for (name, camera) in cameras {
        match Thresholds::resolve(&camera.detection, &manifest.labels) {
            Ok(thresholds) => drop(resolved.insert(name.clone(), thresholds)),
            Err(classes) => unknown.extend(classes.iter().map(|class| format!("camera.{name}.detection: {class}"))),
        }
    }
    if unknown.is_empty() { Ok(resolved) } else { Err(Failure::Config(anyhow::anyhow!(unknown.join("\n")))) }
}

fn source_of(camera: &CameraConfig, config: &Config) -> source::Config {
    let request = config.board.restart_argus.then(|| ARGUS_RESTART_REQUEST.into());
    source::Config { argus_restart_request: request, ..camera.source() }
}

/// The source with `auto` replaced by what the machine has, which is logged.
fn chosen(name: &CameraName, mut config: source::Config) -> source::Config {
    if config.uri == source::SourceUri::Auto {
        let footage = FOOTAGE.iter().map(Path::new).find(|path| path.exists());
        let (uri, why) = source::choose_auto(footage);
        tracing::info!(camera = %name, source = %uri, "{why}");
        config.uri = uri;
    }
    config
}
