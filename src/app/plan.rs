//! The plan: a configuration that was checked against the model, with all that is needed to build the parts.

use super::failure::Failure;
use crate::{
    camera::CameraName,
    config::{CameraConfig, Config},
    pipeline::AllThresholds,
    source,
};
use detector::{
    decode::{self, Thresholds, UnknownClass},
    geometry::Size,
    manifest::{Manifest, Model},
};
use std::{
    collections::BTreeMap,
    env,
    path::{Path, PathBuf},
};
use workshop::FindError;

/// Where footage for a machine without a camera may lie: put there by set-up, or by the package.
const FOOTAGE: &[&str] = &[".sightd/footage/vtest.avi", "/usr/share/sightd/footage/vtest.avi"];

/// The file that asks for a restart of `nvargus-daemon`; the same as in `systemd/sightd-nvargus.path`.
const ARGUS_RESTART_REQUEST: &str = "/run/sightd/restart-nvargus";

/// The folder that systemd gives the daemon for its data; without systemd the one it was started in.
pub(super) fn data_folder() -> PathBuf {
    env::var_os("STATE_DIRECTORY").map_or_else(|| ".".into(), PathBuf::from)
}

/// What the daemon is going to do.
pub(super) struct Plan {
    pub(super) model: Model,
    pub(super) cameras: Vec<PlannedCamera>,
    pub(super) thresholds: AllThresholds,
}

/// One camera of the plan.
#[derive(Clone, PartialEq)]
pub(super) struct PlannedCamera {
    pub(super) name: CameraName,
    pub(super) enabled: bool,
    pub(super) source: source::Config,
    /// The model's input size.
    pub(super) input: Size,
}

impl Plan {
    pub(super) fn new(config: &Config) -> Result<Self, Failure> {
        let model = find_model(&config.model.name, config).map_err(|error| Failure::Config(error.into()))?;
        let thresholds = resolve(config, &model.manifest)?;
        let cameras = planned_cameras(config, model.manifest.input.size());
        Ok(Self { model, cameras, thresholds })
    }
}

/// The model `name`. When it stands in for another that is logged.
pub(super) fn find_model(name: &str, config: &Config) -> Result<Model, FindError> {
    let model = workshop::find(name, &config.model.folders)?;
    if let Some(note) = model.note() {
        tracing::warn!("{note}");
    }
    Ok(model)
}

/// The cameras of the configuration; without any, one called `default`.
pub(super) fn wanted_cameras(config: &Config) -> BTreeMap<CameraName, CameraConfig> {
    let mut wanted = config.camera.clone();
    if wanted.is_empty() {
        let camera = CameraConfig { detection: config.detection.clone(), ..CameraConfig::default() };
        wanted.insert(CameraName::default(), camera);
    }
    wanted
}

/// The cameras of the configuration, with sources that can be started.
pub(super) fn planned_cameras(config: &Config, input: Size) -> Vec<PlannedCamera> {
    let planned = |(name, camera): (CameraName, CameraConfig)| PlannedCamera {
        source: chosen(&name, source_of(&camera, config)),
        enabled: camera.enabled,
        name,
        input,
    };
    wanted_cameras(config).into_iter().map(planned).collect()
}

/// What counts as a detection, by class id, or all class names that the model does not have.
pub(super) fn resolve(config: &Config, manifest: &Manifest) -> Result<AllThresholds, Failure> {
    let mut unknown = Vec::new();
    let mut resolve = |key: &str, detection: &decode::Config| {
        let complain =
            |classes: Vec<UnknownClass>| unknown.extend(classes.iter().map(|class| format!("{key}: {class}")));
        Thresholds::resolve(detection, &manifest.labels).map_err(complain).ok()
    };
    let stills = resolve("detection", &config.detection);
    let cameras = wanted_cameras(config).into_iter().filter_map(|(name, camera)| {
        let thresholds = resolve(&format!("camera.{name}.detection"), &camera.detection)?;
        Some((name, thresholds))
    });
    let cameras = cameras.collect();
    match stills {
        Some(stills) if unknown.is_empty() => Ok(AllThresholds { cameras, stills }),
        _ => Err(Failure::Config(anyhow::anyhow!(unknown.join("\n")))),
    }
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
