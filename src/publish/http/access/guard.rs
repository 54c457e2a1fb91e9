//! The middleware that lets requests through.

use super::rules::{FORM_KEY, OPEN, basic_password};
use super::tokens::Role;
use crate::publish::http::{
    server::{error::ApiError, listener::Peer},
    shared::Shared,
};
use axum::{
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, Method, Version, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use std::sync::Arc;

/// Lets a request through if its sender may send it. Handlers find the sender's role in the request.
pub(crate) async fn guard(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(Peer(peer)): ConnectInfo<Peer>,
    mut request: Request,
    next: Next,
) -> Response {
    let access = &shared.access;
    let path = request.uri().path();
    let allowed = one_host(&request)
        .and_then(|()| access.origins.check(request.method(), request.uri(), request.headers()))
        .and_then(|()| {
            if OPEN.contains(&path) || request.method() == Method::OPTIONS {
                return Ok(None);
            }
            match access.role(request.headers(), peer)? {
                Some(role) => Ok(Some(role)),
                None if access.opens(path, peer) => Ok(Some(Role::Read)),
                None if is_embeddable(request.method(), path) => match basic_password(request.headers()) {
                    Some(token) => access.present(&token, peer).map(|_| Some(Role::Read)),
                    None => Err(ApiError::NoToken),
                },
                None if path.starts_with(FORM_KEY) => Ok(None),
                None => Err(ApiError::NoToken),
            }
        });
    match allowed {
        Ok(role) => {
            if let Some(role) = role {
                request.extensions_mut().insert(role);
            }
            next.run(request).await
        }
        Err(ApiError::NoToken) if wants_page(request.headers()) => {
            let prefix = access.prefix(request.headers(), peer);
            axum::response::Redirect::to(&format!("{prefix}/login")).into_response()
        }
        Err(error) => error.into_response(),
    }
}

/// Whether a request reads what pages and programs embed by its address alone: for these the token may also come as the
/// password of HTTP Basic.
fn is_embeddable(method: &Method, path: &str) -> bool {
    let of_camera = path.strip_prefix("/cameras/").and_then(|rest| rest.split_once('/'));
    let is_picture = of_camera.is_some_and(|(_, what)| matches!(what, "snapshot.jpg" | "live.mjpg"));
    *method == Method::GET && (is_picture || path == "/detections")
}

/// Refuses requests whose Host header is missing or stands twice (RFC 9112, 3.2): two readers may not take them for
/// requests to different hosts.
fn one_host(request: &Request) -> Result<(), ApiError> {
    match request.headers().get_all(header::HOST).iter().count() {
        1 => Ok(()),
        0 if request.version() < Version::HTTP_11 => Ok(()),
        0 => Err(ApiError::BadRequest("the request has no Host header".into())),
        _ => Err(ApiError::BadRequest("the request has more than one Host header".into())),
    }
}

/// Whether a person's browser asks for a page.
fn wants_page(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/html"))
}
