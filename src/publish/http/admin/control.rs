//! What the API asks of the daemon around it, and what may come of that.

use detector::status::EngineInfo;
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::sync::Arc;
use utoipa::ToSchema;

/// Who can change the running daemon. What is asked for has happened once the answer is there.
pub trait Control: Send + Sync {
    /// Opens the model `name` beside the one that serves and lets it take over.
    fn change_model(&self, name: String) -> BoxFuture<'_, Result<Arc<EngineInfo>, Refused>>;

    /// Changes the camera `name` until the configuration is read again.
    fn change_camera(&self, name: String, change: CameraChange) -> BoxFuture<'_, Result<CameraSettings, Refused>>;

    /// Reads the configuration again and applies what can be applied.
    fn reload(&self) -> BoxFuture<'_, Result<Reloaded, Refused>>;

    /// The configuration that was applied last, with secrets hidden.
    fn config(&self) -> Value;
}

/// Why everything stays as it is.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// No model serves yet.
    #[error("no model serves yet; /readyz says what it waits for")]
    NotReady,
    /// Another change is under way.
    #[error("another change is under way")]
    Busy,
    /// What is asked for cannot work.
    #[error("{0}; nothing was changed")]
    Unfit(String),
}

/// What is to change of a camera; what is absent stays as it is.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"detection": {"score": 0.6, "classes": {"person": 0.4, "bird": false}}}))]
pub struct CameraChange {
    /// Whether the camera is used at all.
    pub enabled: Option<bool>,
    /// Keys of the table `[camera.NAME.detection]` with their new values, merged as RFC 7396 has it: `null` takes a
    /// class out of `classes`.
    #[schema(value_type = Option<Object>)]
    pub detection: Option<Map<String, Value>>,
}

/// A camera's settings that apply live.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CameraSettings {
    /// Whether the camera is used at all.
    pub enabled: bool,
    /// The table `[camera.NAME.detection]`.
    #[schema(value_type = Object)]
    pub detection: Value,
}

/// What became of a configuration that was read again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Reloaded {
    /// Tables that have changed and are applied.
    #[schema(example = json!(["camera.front", "detection"]))]
    pub applied: Vec<String>,
    /// Tables that have changed and wait for a restart.
    #[schema(example = json!(["http"]))]
    pub needs_restart: Vec<String>,
}
