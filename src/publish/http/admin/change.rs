//! What changes the daemon: for admins only.

use crate::publish::http::{
    access::client::Admin,
    admin::control::{CameraChange, CameraSettings, Reloaded},
    server::{
        error::ApiError,
        extract::{Body, Part},
    },
    shared::Shared,
    status::model::EngineDto,
};
use axum::{Json, extract::State};
use serde::Deserialize;
use serde_json::{Number, Value};
use std::sync::Arc;
use utoipa::ToSchema;

/// Which model is to serve.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ModelChoice {
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
        (status = 422, description = "The model cannot serve; the old one does"),
        (status = 503, description = "No model serves yet"),
    ))]
pub(crate) async fn change_model(
    _: Admin,
    State(shared): State<Arc<Shared>>,
    Body(ModelChoice { name }): Body<ModelChoice>,
) -> Result<Json<EngineDto>, ApiError> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || !name.chars().all(is_name) || name.ends_with(".onnx") {
        return Err(ApiError::BadRequest(format!(
            "{name:?} is not a name in the catalogue; `sightd model list` shows them"
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
        (status = 422, description = "The settings cannot work"),
        (status = 503, description = "No model serves yet"),
    ))]
pub(crate) async fn change_camera(
    _: Admin,
    State(shared): State<Arc<Shared>>,
    Part(name): Part<String>,
    Body(change): Body<CameraChange>,
) -> Result<Json<CameraSettings>, ApiError> {
    shared.camera(&name)?;
    let mut settings = shared.control()?.change_camera(name, change).await?;
    shorten(&mut settings.detection);
    Ok(Json(settings))
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
pub(crate) async fn reload(_: Admin, State(shared): State<Arc<Shared>>) -> Result<Json<Reloaded>, ApiError> {
    Ok(Json(shared.control()?.reload().await?))
}

/// The configuration as it was applied last, with passwords and tokens hidden.
#[utoipa::path(get, path = "/config", tag = "status",
    responses((status = 200, description = "The configuration's tables", body = Object)))]
pub(crate) async fn config(State(shared): State<Arc<Shared>>) -> Result<Json<Value>, ApiError> {
    let mut config = shared.control()?.config();
    shorten(&mut config);
    Ok(Json(config))
}

/// Writes numbers that were read with single precision as they were written: 0.6, not 0.6000000238418579.
fn shorten(value: &mut Value) {
    match value {
        Value::Number(number) => {
            let single = number.as_f64().filter(|_| number.is_f64()).map(|double| (double, double as f32));
            let same = single.filter(|(double, single)| f64::from(*single) == *double);
            let short = same.and_then(|(_, single)| single.to_string().parse().ok());
            if let Some(short) = short.and_then(Number::from_f64) {
                *number = short;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(shorten),
        Value::Object(members) => members.values_mut().for_each(shorten),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_are_written_as_they_were_meant() {
        let mut value = json!({"score": 0.6_f32, "list": [0.1_f32, 2, 1.5], "double": 0.1234567890123});
        assert_eq!(value["score"].to_string(), "0.6000000238418579");
        shorten(&mut value);
        let texts = ["score", "list", "double"].map(|name| value[name].to_string());
        assert_eq!(texts, ["0.6", "[0.1,2,1.5]", "0.1234567890123"]);
    }
}
