//! GET /session: what the sender of a request may do.

use crate::publish::http::access::{rules, tokens::Role};
use axum::{Extension, Json, http::HeaderMap};
use serde::Serialize;
use utoipa::ToSchema;

/// Who asks.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Session {
    /// What they may do.
    role: Role,
    /// Whether they came in by the login page, and can log out.
    logged_in: bool,
}

/// What the sender of this request may do: pages offer only that.
#[utoipa::path(get, path = "/session", tag = "status",
    responses((status = 200, description = "Who asks", body = inline(Session))))]
pub(crate) async fn session(Extension(role): Extension<Role>, headers: HeaderMap) -> Json<Session> {
    Json(Session { role, logged_in: rules::cookie(&headers).is_some() })
}
