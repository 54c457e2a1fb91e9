//! The login page: a token becomes a cookie.

use super::{rules::COOKIE, tokens::SESSION_SECONDS};
use crate::publish::http::{
    server::{error::ApiError, extract::in_time, listener::Peer},
    shared::Shared,
};
use axum::{
    Form,
    extract::{ConnectInfo, FromRequest, Query, Request, State},
    http::header,
    response::{Html, IntoResponse, Redirect, Response},
};
use jiff::Timestamp;
use serde::Deserialize;
use std::{collections::HashMap, sync::Arc};

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
    let form = in_time(Form::<Login>::from_request(request, &())).await?;
    let Form(Login { token }) = form.map_err(|why| ApiError::BadRequest(why.body_text()))?;
    let token = token.trim();
    match shared.access.present(token, peer) {
        Ok(_) => {}
        Err(ApiError::TooManyFailures(_)) => return Ok(Redirect::to("/login?answer=wait").into_response()),
        Err(_) => return Ok(Redirect::to("/login?answer=wrong").into_response()),
    }
    let session = shared.access.tokens.session(token, Timestamp::now().as_second()).ok_or(ApiError::WrongToken)?;
    Ok(set_cookie(&shared, &session, SESSION_SECONDS, "/"))
}

/// Takes the cookie back.
pub(crate) async fn log_out(State(shared): State<Arc<Shared>>) -> Response {
    set_cookie(&shared, "", 0, "/login")
}

fn set_cookie(shared: &Shared, value: &str, seconds: i64, then: &str) -> Response {
    let secure = if shared.access.tls { "; Secure" } else { "" };
    let cookie = format!("{COOKIE}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}");
    ([(header::SET_COOKIE, cookie)], Redirect::to(then)).into_response()
}
