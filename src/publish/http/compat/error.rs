//! Errors as the clients of other detection servers understand them.

use crate::publish::http::server::error::{ApiError, Problem};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

/// A problem document that also has the members by which these clients know that something went wrong.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CompatProblem {
    #[serde(flatten)]
    problem: Problem,
    /// Always `false`.
    success: bool,
    /// What is wrong, in words.
    error: String,
}

/// An [`ApiError`] as these clients understand it.
#[derive(Debug)]
pub(crate) struct CompatError(ApiError);

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
