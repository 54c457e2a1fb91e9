//! What changes the daemon: for admins only.

use super::{
    Shared,
    access::Admin,
    error::ApiError,
    extract::{Body, Part},
    status::EngineDto,
};
use crate::status::EngineInfo;
use axum::{Json, extract::State};
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
    /// What is asked for can not work.
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

/// Which model is to serve.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ModelChoice {
    /// A name of the catalogue; the model must have been fetched or imported.
    name: String,
}

/// Changes the model: the new one is opened and warmed up beside the old, then takes over between two frames. Answers
/// when it serves, which with a GPU can take minutes. The old one goes on serving when anything fails.
#[utoipa::path(post, path = "/model", tag = "admin", request_body = ModelChoice,
    responses(
        (status = 200, description = "The new model serves", body = EngineDto),
        (status = 400, description = "The body is not a model's name"),
        (status = 403, description = "Not an admin"),
        (status = 409, description = "Another change is under way"),
        (status = 413, description = "The body is too large"),
        (status = 415, description = "The body is not JSON"),
        (status = 422, description = "The model can not serve; the old one does"),
        (status = 503, description = "No model serves yet"),
    ))]
pub(super) async fn change_model(
    _: Admin,
    State(shared): State<Arc<Shared>>,
    Body(ModelChoice { name }): Body<ModelChoice>,
) -> Result<Json<EngineDto>, ApiError> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || !name.chars().all(is_name) || name.ends_with(".onnx") {
        return Err(ApiError::BadRequest(format!(
            "{name:?} is no name of the catalogue; `sightd model list` shows them"
        )));
    }
    Ok(Json(EngineDto::from(&*shared.control()?.change_model(name).await?)))
}

/// Changes a camera's thresholds, or switches it on or off, at once.
///
/// The change holds until the configuration is read again (`POST /reload`, SIGHUP) or the daemon restarts.
#[utoipa::path(patch, path = "/cameras/{name}", tag = "admin", request_body = CameraChange,
    params(("name" = String, Path, description = "The camera's name")),
    responses(
        (status = 200, description = "The camera's settings now", body = CameraSettings),
        (status = 400, description = "The body does not fit"),
        (status = 403, description = "Not an admin"),
        (status = 404, description = "No such camera"),
        (status = 409, description = "Another change is under way"),
        (status = 413, description = "The body is too large"),
        (status = 415, description = "The body is not JSON"),
        (status = 422, description = "The settings can not work"),
        (status = 503, description = "No model serves yet"),
    ))]
pub(super) async fn change_camera(
    _: Admin,
    State(shared): State<Arc<Shared>>,
    Part(name): Part<String>,
    Body(change): Body<CameraChange>,
) -> Result<Json<CameraSettings>, ApiError> {
    shared.camera(&name)?;
    Ok(Json(shared.control()?.change_camera(name, change).await?))
}

/// Reads the configuration again, as SIGHUP does, and says what is applied and what waits for a restart.
///
/// With any mistake in it, nothing is applied and all mistakes are in the answer.
#[utoipa::path(post, path = "/reload", tag = "admin",
    responses(
        (status = 200, description = "What was applied", body = Reloaded),
        (status = 403, description = "Not an admin"),
        (status = 409, description = "Another change is under way"),
        (status = 422, description = "The configuration has mistakes"),
        (status = 503, description = "No model serves yet"),
    ))]
pub(super) async fn reload(_: Admin, State(shared): State<Arc<Shared>>) -> Result<Json<Reloaded>, ApiError> {
    Ok(Json(shared.control()?.reload().await?))
}

/// The configuration as it was applied last, with passwords and tokens hidden.
#[utoipa::path(get, path = "/config", tag = "status",
    responses((status = 200, description = "The configuration's tables", body = Object)))]
pub(super) async fn config(State(shared): State<Arc<Shared>>) -> Result<Json<Value>, ApiError> {
    Ok(Json(shared.control()?.config()))
}
