//! All tables of the configuration.

use super::camera::CameraConfig;
use crate::{
    camera::CameraName,
    ops::{logging, telemetry},
    publish::http,
};
use detector::{decode, infer};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, path::PathBuf};

/// Everything the daemon can be told.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// `[camera.NAME]`: where frames come from, and what counts there. None means one camera `default` with source
    /// `auto`.
    pub camera: BTreeMap<CameraName, CameraConfig>,
    /// `[model]`: which network.
    pub model: ModelConfig,
    /// `[detection]`: what counts as a detection, where a camera does not say otherwise.
    pub detection: decode::Config,
    /// `[runtime]`: ONNX Runtime and its execution providers.
    pub runtime: infer::Config,
    /// `[http]`: the listener.
    pub http: http::Config,
    /// `[board]`: how the machine is watched, and what may be done to it.
    pub board: telemetry::Config,
    /// `[log]`: what is logged.
    pub log: logging::Config,
}

/// `[model]`.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct ModelConfig {
    /// A name of the catalogue, or the path of an ONNX file.
    pub name: String,
    /// Folders in which a name is looked up before the usual places.
    pub folders: Vec<PathBuf>,
}

impl Default for ModelConfig {
    fn default() -> Self {
        Self { name: "ssdlite-mobilenet-v2".into(), folders: Vec::new() }
    }
}
