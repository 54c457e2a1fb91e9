//! Who sends a request, as handlers take it from there.

use super::{forms::FormPermit, rules::Access, tokens::Role};
use crate::publish::http::{
    server::{error::ApiError, extract::UPLOAD_TIMEOUT, listener::Peer},
    shared::Shared,
};
use axum::{
    extract::{ConnectInfo, FromRequestParts},
    http::request::Parts,
};
use std::{net::IpAddr, time::Duration};

/// How long the form of a client may take to arrive that has not shown a token.
const UNKNOWN_UPLOAD_TIMEOUT: Duration = Duration::from_secs(10);

/// Who uses a compatible interface: someone with a role, or someone whose token is still to be read from the form.
#[derive(Debug)]
pub(crate) struct Client {
    peer: IpAddr,
    role: Option<Role>,
}

impl Client {
    /// Where it comes from.
    pub fn peer(&self) -> IpAddr {
        self.peer
    }

    /// A permit to have its form read, which those who have shown a token do not need.
    pub fn form_permit<'a>(&self, shared: &'a Shared) -> Result<Option<FormPermit<'a>>, ApiError> {
        if self.role.is_some() {
            return Ok(None);
        }
        Ok(Some(shared.access.forms.acquire(self.peer, &shared.limits).ok_or(ApiError::Occupied)?))
    }

    /// How long its form may take to arrive.
    pub fn form_timeout(&self) -> Duration {
        if self.role.is_some() { UPLOAD_TIMEOUT } else { UNKNOWN_UPLOAD_TIMEOUT }
    }

    /// Refuses a client that has shown no token and has none in the form either.
    pub fn identify(&self, access: &Access, api_key: Option<&str>) -> Result<(), ApiError> {
        match (self.role, api_key) {
            (Some(_), _) => Ok(()),
            (None, Some(key)) => access.present(key, self.peer).map(drop),
            (None, None) => Err(ApiError::NoToken),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Client {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let peer = ConnectInfo::<Peer>::from_request_parts(parts, state).await;
        let ConnectInfo(Peer(peer)) = peer.map_err(|_| ApiError::Internal)?;
        Ok(Self { peer, role: parts.extensions.get().copied() })
    }
}

/// The sender may change things.
#[derive(Debug)]
pub(crate) struct Admin;

impl<S: Send + Sync> FromRequestParts<S> for Admin {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        match parts.extensions.get::<Role>() {
            Some(Role::Admin) => Ok(Self),
            _ => Err(ApiError::NeedsAdmin),
        }
    }
}
