//! The login page: a token becomes a cookie.

use super::{
    rules::{self, COOKIE},
    sessions::SESSION_LIFETIME,
};
use crate::publish::http::{
    server::{error::ApiError, extract::in_time, listener::Peer},
    shared::Shared,
};
use axum::{
    Form,
    extract::{ConnectInfo, FromRequest, Query, Request, State},
    http::{HeaderMap, header},
    response::{Html, IntoResponse, Redirect, Response},
};
use cookie::{Cookie, SameSite};
use serde::Deserialize;
use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

const PAGE: &str = include_str!("../dashboard/login.html");
/// What stands in the page for the answer to the last attempt.
const ANSWER: &str = "<!-- answer -->";

/// The page, with a word on the last attempt if there was one.
pub(crate) async fn form(Query(query): Query<HashMap<String, String>>) -> Html<String> {
    let answer = match query.get("answer").map(String::as_str) {
        Some("wrong") => "<p class=\"fault\" role=\"alert\">This is not a token of this daemon.</p>",
        Some("wait") => "<p class=\"fault\" role=\"alert\">Too many wrong tokens: wait a moment.</p>",
        _ => "",
    };
    Html(PAGE.replace(ANSWER, answer))
}

/// What the page sends.
#[derive(Deserialize)]
pub(crate) struct Login {
    token: String,
}

/// Takes the token and gives the cookie.
pub(crate) async fn log_in(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(Peer(peer)): ConnectInfo<Peer>,
    request: Request,
) -> Result<Response, ApiError> {
    let prefix = shared.access.prefix(request.headers(), peer).to_owned();
    let form = in_time(Form::<Login>::from_request(request, &())).await?;
    let Form(Login { token }) = form.map_err(|why| ApiError::BadRequest(why.body_text()))?;
    let token = token.trim();
    let role = match shared.access.present(token, peer) {
        Ok(role) => role,
        Err(ApiError::TooManyFailures(_)) => {
            return Ok(Redirect::to(&format!("{prefix}/login?answer=wait")).into_response());
        }
        Err(_) => return Ok(Redirect::to(&format!("{prefix}/login?answer=wrong")).into_response()),
    };
    let session = shared.access.sessions.open(role, Instant::now()).map_err(|error| {
        tracing::error!("no session can be opened: {error}");
        ApiError::Internal
    })?;
    Ok(set_cookie(&shared, session, SESSION_LIFETIME, &prefix, "/"))
}

/// Closes the session at once, and takes the cookie back.
pub(crate) async fn log_out(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(Peer(peer)): ConnectInfo<Peer>,
    headers: HeaderMap,
) -> Response {
    if let Some(session) = rules::cookie(&headers) {
        shared.access.sessions.close(&session);
    }
    set_cookie(&shared, String::new(), Duration::ZERO, shared.access.prefix(&headers, peer), "/login")
}

fn set_cookie(shared: &Shared, value: String, lifetime: Duration, prefix: &str, then: &str) -> Response {
    let cookie = Cookie::build((COOKIE, value))
        .path(if prefix.is_empty() { "/" } else { prefix })
        .max_age(cookie::time::Duration::seconds(lifetime.as_secs() as i64))
        .http_only(true)
        .same_site(SameSite::Strict)
        .secure(shared.access.tls);
    ([(header::SET_COOKIE, cookie.to_string())], Redirect::to(&format!("{prefix}{then}"))).into_response()
}
