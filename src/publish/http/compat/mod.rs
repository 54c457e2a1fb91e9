//! The interfaces of other detection servers, so that their clients can use this one: CodeProject.AI (Blue Iris,
//! Frigate's `deepstack` detector) and DOODS2 (Home Assistant's `doods`).
//!
//! Their clients send no `Authorization` header; see `access::Client` for what they may send instead.

mod codeproject;
pub(super) mod doods;

use super::{
    Shared,
    error::{ApiError, Problem},
};
use axum::{
    response::{IntoResponse, Response},
    routing::get,
};
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

/// All routes but `POST /detect`, which DOODS2 shares with our own.
pub(super) fn routes() -> OpenApiRouter<Arc<Shared>> {
    OpenApiRouter::default()
        .routes(routes!(codeproject::detect))
        .routes(routes!(codeproject::detect_custom))
        .routes(routes!(codeproject::list_custom))
        .routes(routes!(codeproject::ping))
        .routes(routes!(codeproject::update_available))
        .route("/v1/status/ping", get(codeproject::ping)) // up to version 2.3 of CodeProject.AI
        .routes(routes!(doods::detectors))
        .routes(routes!(doods::websocket))
}

/// A problem document that also has the members by which these clients know that something went wrong.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CompatProblem {
    #[serde(flatten)]
    problem: Problem,
    /// Always `false`.
    success: bool,
    /// What is wrong, in words.
    error: String,
}

/// An [`ApiError`] as these clients understand it.
#[derive(Debug)]
pub(super) struct CompatError(ApiError);

impl<E: Into<ApiError>> From<E> for CompatError {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for CompatError {
    fn into_response(self) -> Response {
        let problem = CompatProblem { problem: Problem::from(&self.0), success: false, error: self.0.to_string() };
        self.0.answer(problem)
    }
}
