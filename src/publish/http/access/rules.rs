//! The rules of access, built from the configuration.

use super::origin::Origins;
use super::throttle::Throttle;
use super::tokens::{Role, Tokens};
use super::{
    forms::Forms,
    prefix::{PREFIX_HEADERS, prefix},
    sessions::Sessions,
};
use crate::publish::http::{config::Config, server::error::ApiError, setup::SetupError};
use axum::http::{HeaderMap, header};
use base64::{Engine, engine::general_purpose::STANDARD};
use cookie::Cookie;
use ipnet::IpNet;
use std::{net::IpAddr, time::Instant};

/// Paths that answer without a token: whether the daemon lives, and what the login page needs.
pub(super) const OPEN: &[&str] = &["/healthz", "/readyz", "/login", "/assets/style.css", "/assets/icon.svg"];
/// Where the token may also come in the form, as `api_key`: their handlers ask `Client::identify`.
pub(super) const FORM_KEY: &str = "/v1/vision/";
/// The compatible interfaces, which `http.compat_allow` opens.
const COMPATIBLE: &[&str] = &["/v1/", "/detect", "/detectors"];
/// DOODS2's header for the token.
const DOODS_KEY: &str = "doods-auth-key";
/// Headers by which a proxy says that it asks for somebody else.
const FORWARDED: [&str; 4] = ["forwarded", "via", "x-forwarded-for", "x-real-ip"];
/// The login's cookie.
pub(super) const COOKIE: &str = "sightd-session";

/// The rules, built from the configuration.
pub(crate) struct Access {
    pub(super) tokens: Tokens,
    anonymous: bool,
    /// Whether browsers may send the cookie over TLS only.
    pub(super) tls: bool,
    pub(super) origins: Origins,
    throttle: Throttle,
    compat_allow: Vec<IpNet>,
    trusted_proxies: Vec<IpNet>,
    pub(super) forms: Forms,
    pub(super) sessions: Sessions,
}

impl Access {
    /// # Errors
    /// When a token cannot be loaded, or the API would be open to more than the configuration says.
    pub fn new(config: &Config) -> Result<Self, SetupError> {
        let tokens = Tokens::load(config)?;
        let loopback = config.listen.ip().is_loopback();
        if !loopback && !tokens.any() && !config.allow_anonymous {
            return Err(SetupError::Open(config.listen));
        }
        if !loopback && config.allow_anonymous {
            let listen = config.listen;
            tracing::warn!(%listen, "the API is open to everyone who reaches this port (http.allow_anonymous)");
        }
        Ok(Self {
            anonymous: config.allow_anonymous || !tokens.any(),
            tokens,
            tls: config.tls.is_some(),
            origins: Origins::new(config),
            throttle: Throttle::default(),
            compat_allow: config.compat_allow.clone(),
            trusted_proxies: config.trusted_proxies.clone(),
            forms: Forms::default(),
            sessions: Sessions::default(),
        })
    }

    /// What the sender of a request may do; none if it has shown no token and needs one. A token counts before a
    /// session: who sends both means the token.
    pub(super) fn role(&self, headers: &HeaderMap, peer: IpAddr) -> Result<Option<Role>, ApiError> {
        if let Some(token) = bearer(headers) {
            return self.present(token, peer).map(Some);
        }
        if let Some(session) = cookie(headers)
            && let Some(role) = self.sessions.role(&session, Instant::now())
        {
            return Ok(Some(role));
        }
        if !self.anonymous {
            return Ok(None);
        }
        let change = !self.tokens.has_admin() && from_here(headers, peer);
        Ok(Some(if change { Role::Admin } else { Role::Read }))
    }

    /// The path under which the proxy `peer` shows the daemon; empty without one.
    pub(super) fn prefix<'a>(&self, headers: &'a HeaderMap, peer: IpAddr) -> &'a str {
        prefix(headers, peer, &self.trusted_proxies)
    }

    /// Whether `http.compat_allow` lets `peer` use `path` without a token.
    pub(super) fn opens(&self, path: &str, peer: IpAddr) -> bool {
        let compatible =
            COMPATIBLE.iter().any(|known| path == *known || (known.ends_with('/') && path.starts_with(known)));
        compatible && self.compat_allow.iter().any(|network| network.contains(&peer))
    }

    /// What the bearer of `token` may do; wrong ones are counted, and too many make the client wait.
    pub fn present(&self, token: &str, peer: IpAddr) -> Result<Role, ApiError> {
        let now = Instant::now();
        if let Some(wait) = self.throttle.wait(peer, now) {
            return Err(ApiError::TooManyFailures(wait));
        }
        self.tokens.role(token).ok_or_else(|| {
            self.throttle.failed(peer, now);
            ApiError::WrongToken
        })
    }
}

/// The token that a program sends: in DOODS2's header, else as `Authorization: Bearer TOKEN`.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    if let Some(key) = headers.get(DOODS_KEY) {
        return key.to_str().ok();
    }
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The password of HTTP Basic (RFC 7617); the user's name may be any.
pub(super) fn basic_password(headers: &HeaderMap) -> Option<String> {
    let (scheme, encoded) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let encoded = scheme.eq_ignore_ascii_case("basic").then(|| encoded.trim())?;
    let pair = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    pair.split_once(':').map(|(_, password)| password.to_owned())
}

/// The session in the cookies, valid or not.
pub(crate) fn cookie(headers: &HeaderMap) -> Option<String> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut cookies = lines.flat_map(Cookie::split_parse).flatten();
    cookies.find(|cookie| cookie.name() == COOKIE).map(|cookie| cookie.value().to_owned())
}

/// Whether a request comes straight from this machine: its peer is a loopback address, and no proxy forwarded it.
fn from_here(headers: &HeaderMap, peer: IpAddr) -> bool {
    peer.is_loopback()
        && !FORWARDED.iter().chain(&PREFIX_HEADERS).any(|name| headers.contains_key(*name))
        && names_this_machine(headers)
}

/// Whether the Host header is `localhost` or a loopback address, with any port.
fn names_this_machine(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(header::HOST).and_then(|host| host.to_str().ok()) else { return false };
    let Ok(authority) = host.parse::<axum::http::uri::Authority>() else { return false };
    let name = authority.host();
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    name.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.to_canonical().is_loopback())
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

    #[test]
    fn the_session_is_found_among_cookies() {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, "a=1; sightd-session=abc_-1; b=3".parse().unwrap());
        assert_eq!(cookie(&headers).as_deref(), Some("abc_-1"));
        headers.insert(header::COOKIE, "not-sightd-session=abc".parse().unwrap());
        assert_eq!(cookie(&headers).as_deref(), None);
    }
}
