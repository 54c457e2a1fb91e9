//! Which names the API may be called by, and which web pages may call it: against DNS rebinding and cross-site
//! requests.

use crate::publish::http::{config::Config, server::error::ApiError};
use axum::http::{HeaderMap, Method, Uri, header, uri::Authority};
use std::{fs, net::IpAddr};

/// The names and pages that are let through.
#[derive(Debug)]
pub(crate) struct Origins {
    /// In lower case.
    hosts: Vec<String>,
    origins: Vec<String>,
}

impl Origins {
    pub fn new(config: &Config) -> Self {
        let mut hosts: Vec<_> = config.hosts.iter().map(|host| host.to_ascii_lowercase()).collect();
        if let Ok(name) = fs::read_to_string("/proc/sys/kernel/hostname") {
            let name = name.trim().to_ascii_lowercase();
            hosts.push(format!("{name}.local"));
            hosts.push(name);
        }
        hosts.push("localhost".into());
        Self { hosts, origins: config.origins.clone() }
    }

    /// Refuses a request to a name that is not this machine's, which a page elsewhere can make point here, and one
    /// that a page of another origin sends.
    pub fn check(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<(), ApiError> {
        let host = headers.get(header::HOST).map(|host| host.to_str().unwrap_or_default());
        let host = host.or_else(|| uri.authority().map(Authority::as_str));
        if let Some(host) = host
            && !self.knows(host)
        {
            return Err(ApiError::UnknownHost(host.to_owned()));
        }
        // Plain GET is safe: without a header that allows it, the browser hides the answer from the other page.
        let safe = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
        if safe && !headers.contains_key(header::UPGRADE) {
            return Ok(());
        }
        let Some(origin) = headers.get(header::ORIGIN) else { return Ok(()) };
        let origin = origin.to_str().unwrap_or_default();
        let same = origin.split_once("://").is_some_and(|(_, authority)| Some(authority) == host);
        if same || self.origins.iter().any(|allowed| allowed == origin) {
            Ok(())
        } else {
            Err(ApiError::ForeignOrigin(origin.to_owned()))
        }
    }

    fn knows(&self, host: &str) -> bool {
        let Ok(authority) = host.parse::<Authority>() else { return false };
        if host.contains('@') {
            return false;
        }
        let name = authority.host();
        let literal = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok();
        literal || self.hosts.contains(&name.trim_end_matches('.').to_ascii_lowercase())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origins() -> Origins {
        let config = Config {
            hosts: vec!["cam.example".into()],
            origins: vec!["https://home.example".into()],
            ..Config::default()
        };
        Origins::new(&config)
    }

    #[test]
    fn only_own_names_pass() {
        let origins = origins();
        for (host, known) in [
            ("localhost:8080", true),
            ("LOCALHOST", true),
            ("192.168.1.7:8080", true),
            ("[fe80::1]:8080", true),
            ("Cam.example:80", true),
            ("evil.example", false),
            ("localhost.evil.example", false),
            ("cam.example@evil.example", false),
            ("", false),
        ] {
            assert_eq!(origins.knows(host), known, "{host}");
        }
    }

    #[test]
    fn pages_elsewhere_may_not_change_anything() {
        let origins = origins();
        let check = |method: Method, origin: &str, upgrade: Option<&str>| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, "localhost:8080".parse().unwrap());
            headers.insert(header::ORIGIN, origin.parse().unwrap());
            if let Some(upgrade) = upgrade {
                headers.insert(header::UPGRADE, upgrade.parse().unwrap());
            }
            origins.check(&method, &Uri::from_static("/ws"), &headers).is_ok()
        };
        assert!(check(Method::POST, "http://localhost:8080", None));
        assert!(check(Method::POST, "https://home.example", None));
        assert!(!check(Method::POST, "http://localhost:8081", None));
        assert!(!check(Method::POST, "null", None));
        assert!(check(Method::GET, "http://evil.example", None));
        assert!(!check(Method::GET, "http://evil.example", Some("websocket")));
    }
}
