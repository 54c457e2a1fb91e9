//! What changes the daemon: for admins only.

use super::{Shared, access::Admin, error::ApiError, status::EngineDto};
use crate::status::EngineInfo;
use axum::{
    Json,
    extract::{State, rejection::JsonRejection},
};
use futures_util::future::BoxFuture;
use serde::Deserialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// Who can change the model that serves.
pub trait ModelControl: Send + Sync {
    /// Opens the model `name` beside the one that serves and lets it take over. Answers when it serves.
    fn change(&self, name: String) -> BoxFuture<'_, Result<Arc<EngineInfo>, ModelRefusal>>;
}

/// Why the old model goes on serving.
#[derive(Debug, thiserror::Error)]
pub enum ModelRefusal {
    /// No model serves yet.
    #[error("no model serves yet; /readyz says what it waits for")]
    NotReady,
    /// Another change is under way.
    #[error("another change of the model is under way")]
    Busy,
    /// The new one can not serve.
    #[error("{0}; the old model goes on serving")]
    Unfit(String),
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
        (status = 400, description = "The body is not a model's name", body = super::error::Problem),
        (status = 403, description = "Not an admin", body = super::error::Problem),
        (status = 409, description = "Another change is under way", body = super::error::Problem),
        (status = 422, description = "The model can not serve; the old one does", body = super::error::Problem),
        (status = 503, description = "No model serves yet", body = super::error::Problem),
    ))]
pub(super) async fn change_model(
    _: Admin,
    State(shared): State<Arc<Shared>>,
    choice: Result<Json<ModelChoice>, JsonRejection>,
) -> Result<Json<EngineDto>, ApiError> {
    let Json(ModelChoice { name }) = choice.map_err(|why| ApiError::BadRequest(why.body_text()))?;
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || !name.chars().all(is_name) || name.ends_with(".onnx") {
        return Err(ApiError::BadRequest(format!(
            "{name:?} is no name of the catalogue; `sightd model list` shows them"
        )));
    }
    let models = shared.models.as_ref().ok_or(ApiError::NotFound)?;
    Ok(Json(EngineDto::from(&*models.change(name).await?)))
}
