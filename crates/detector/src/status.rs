//! What is known of the engine: which runtime, which providers and why, and how far it is with getting ready.

use crate::geometry::Size;
use serde::Serialize;
use std::{path::PathBuf, sync::Arc, time::Duration, time::Instant};

/// How far the engine is.
#[derive(Clone, Debug)]
pub enum EnginePhase {
    /// Looking for the ONNX Runtime library and loading it.
    LoadingRuntime,
    /// Reading the model and creating the session; with TensorRT and no cached engine this builds one.
    Building {
        /// When it began.
        since: Instant,
        /// How long this usually takes here, where that is known.
        usual: Option<Duration>,
    },
    /// First runs, whose times do not count.
    WarmingUp,
    /// Serving.
    Ready,
    /// It is not available; the process is about to leave or serves without detections.
    Failed {
        /// Why, in words.
        reason: String,
    },
}

/// The engine that serves, and what it runs on.
#[derive(Clone, Debug)]
pub struct EngineInfo {
    /// The model's name.
    pub model: Arc<str>,
    /// SHA-256 of the ONNX file, lower-case hex.
    pub model_sha256: String,
    /// The model's own words on licence and origin, where it has them.
    pub licence: Option<String>,
    /// Where the weights come from.
    pub source: Option<String>,
    /// The network it runs in place of, if it does.
    pub stands_in_for: Option<SubstituteFor>,
    /// Class names by class id; the first is the background, unused ids hold an empty text.
    pub labels: Arc<[String]>,
    /// The size of the pictures it sees.
    pub input: Size,
    /// ONNX Runtime's version, for example `1.11.0`.
    pub runtime_version: String,
    /// The C API version that was negotiated.
    pub runtime_api: u32,
    /// The library file that was loaded.
    pub library: PathBuf,
    /// Every provider that was asked for, in order.
    pub providers: Vec<ProviderStatus>,
}

impl EngineInfo {
    /// The first active provider: the one most of the graph is meant to run on.
    pub fn active_provider(&self) -> &str {
        self.providers.iter().find(|p| p.state == ProviderState::Active).map_or("none", |p| &p.name)
    }
}

/// A network that was asked for and is not here, so that another runs in its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SubstituteFor {
    /// Its name in the catalogue.
    pub name: String,
    /// How the one that runs differs from it, in words.
    pub difference: String,
}

/// What became of one execution provider.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProviderStatus {
    /// `tensorrt`, `cuda` or `cpu`.
    pub name: String,
    /// Whether it serves.
    pub state: ProviderState,
    /// Why not, in the runtime's own words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How many nodes of the graph run on it, as the runtime placed them; absent where it is active and the runtime
    /// does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nodes: Option<u32>,
}

/// Whether a provider serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum ProviderState {
    /// At least one node of the graph runs on it.
    Active,
    /// It was asked for and is not available.
    Unavailable,
    /// It is there, but no node was placed on it, or a provider before it took the whole graph.
    Disabled,
}
