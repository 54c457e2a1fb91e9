//! What changes the daemon. Answers only requests from this machine, until there are users with roles.

use super::{Shared, error::ApiError, status::EngineDto};
use crate::status::EngineInfo;
use axum::{
    Json,
    extract::{ConnectInfo, FromRequestParts, State, rejection::JsonRejection},
    http::{HeaderMap, header, request::Parts},
};
use futures_util::future::BoxFuture;
use serde::Deserialize;
use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};
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

/// Headers by which a proxy says that it asks for somebody else.
const FORWARDED: [&str; 3] = ["forwarded", "x-forwarded-for", "x-real-ip"];

/// A request from this machine: its peer is a loopback address, it was not forwarded for another, and it names this
/// machine as its host, so that no web page can send it through a name of its own.
#[derive(Debug)]
pub(super) struct FromHere;

impl<S: Send + Sync> FromRequestParts<S> for FromHere {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let ConnectInfo(peer) =
            ConnectInfo::<SocketAddr>::from_request_parts(parts, state).await.map_err(|_| ApiError::Internal)?;
        let forwarded = FORWARDED.iter().any(|name| parts.headers.contains_key(*name));
        if peer.ip().to_canonical().is_loopback() && !forwarded && names_this_machine(&parts.headers) {
            Ok(Self)
        } else {
            Err(ApiError::OnlyFromHere)
        }
    }
}

/// Whether the Host header is `localhost` or a loopback address, with any port.
fn names_this_machine(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(header::HOST).and_then(|host| host.to_str().ok()) else { return false };
    let Ok(authority) = host.parse::<axum::http::uri::Authority>() else { return false };
    let name = authority.host();
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    name.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.to_canonical().is_loopback())
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
        (status = 403, description = "The request does not come from this machine", body = super::error::Problem),
        (status = 409, description = "Another change is under way", body = super::error::Problem),
        (status = 422, description = "The model can not serve; the old one does", body = super::error::Problem),
        (status = 503, description = "No model serves yet", body = super::error::Problem),
    ))]
pub(super) async fn change_model(
    _: FromHere,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_its_names() {
        for (host, ours) in [
            ("localhost:8080", true),
            ("LOCALHOST", true),
            ("127.0.0.1:8080", true),
            ("127.8.9.1", true),
            ("[::1]:8080", true),
            ("[::ffff:127.0.0.1]:8080", true),
            ("evil.example", false),
            ("localhost.evil.example", false),
            ("192.168.1.7:8080", false),
            ("user@localhost@evil", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, host.parse().unwrap());
            assert_eq!(names_this_machine(&headers), ours, "{host:?}");
        }
        assert!(!names_this_machine(&HeaderMap::new()));
    }
}
