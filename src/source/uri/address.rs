//! Addresses of network cameras, whose secrets are not shown.

use super::coding::decoded;
use std::fmt;
use url::Url;

/// A network camera's address, with its password kept out of sight.
#[derive(Clone, PartialEq, Eq)]
pub struct NetworkAddress(Url);

impl NetworkAddress {
    /// The host, and the port that is named or usual for the scheme.
    pub(in crate::source) fn host_and_port(&self) -> (&str, u16) {
        let usual = match self.0.scheme() {
            "http" => 80,
            "https" => 443,
            "rtsps" => 322,
            _ => 554,
        };
        (self.0.host_str().unwrap_or_default(), self.0.port().unwrap_or(usual))
    }

    /// The address without user and password: what is asked for, and what may be logged apart from its query.
    pub fn location(&self) -> String {
        let mut url = self.0.clone();
        // Neither can fail: only addresses with a host are let in.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        url.to_string()
    }

    /// The user in the address.
    pub fn user(&self) -> Option<String> {
        let user = self.0.username();
        (!user.is_empty()).then(|| decoded(user))
    }

    /// The password in the address.
    pub fn password(&self) -> Option<String> {
        self.0.password().map(decoded)
    }

    /// The address `url`, if it names a host.
    pub(super) fn new(url: Url) -> Option<Self> {
        url.host_str().is_some_and(|host| !host.is_empty()).then_some(Self(url))
    }
}

impl fmt::Display for NetworkAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut url = self.0.clone();
        if url.password().is_some() {
            let _ = url.set_password(Some("***"));
        }
        // Many HTTP cameras take the password as a parameter; which one differs, so every value is hidden.
        if url.query().is_some() {
            let keys: Vec<String> = url.query_pairs().map(|(key, _)| key.into_owned()).collect();
            url.set_query(Some(&keys.iter().map(|key| format!("{key}=***")).collect::<Vec<_>>().join("&")));
        }
        f.write_str(url.as_str())
    }
}

impl fmt::Debug for NetworkAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
