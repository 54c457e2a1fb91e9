//! The `[http]` section of the configuration.

use crate::publish::http::server::tls::TlsConfig;
use ipnet::IpNet;
use serde::{Deserialize, Deserializer, Serialize, de::Error};
use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
};

/// Where and for whom the API answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Address and port to listen on.
    #[serde(deserialize_with = "listen_address")]
    pub listen: SocketAddr,
    /// Lets everyone who reaches the port read, on any address.
    pub allow_anonymous: bool,
    /// File (mode 0600) with the token that lets its bearer read; see `access`.
    pub token_file: Option<PathBuf>,
    /// File (mode 0600) with the token that lets its bearer also change things.
    pub admin_token_file: Option<PathBuf>,
    /// Speaks TLS with this certificate.
    pub tls: Option<TlsConfig>,
    /// Names, beside addresses, `localhost` and the machine's own, by which the API may be called.
    pub hosts: Vec<String>,
    /// Networks whose clients may use the interfaces of CodeProject.AI and DOODS2 without a token, for example
    /// `192.168.1.0/24`.
    #[serde(deserialize_with = "networks")]
    pub compat_allow: Vec<IpNet>,
    /// Networks of reverse proxies: where these show the daemon under a path, they may say so by `X-Forwarded-Prefix` or
    /// `X-Ingress-Path`.
    #[serde(deserialize_with = "networks")]
    pub trusted_proxies: Vec<IpNet>,
    /// Origins of other web pages that may read and call the API, for example `https://home.example:8123`.
    pub origins: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            allow_anonymous: false,
            token_file: None,
            admin_token_file: None,
            tls: None,
            hosts: Vec::new(),
            compat_allow: Vec::new(),
            trusted_proxies: Vec::new(),
            origins: Vec::new(),
        }
    }
}

fn listen_address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(|_| {
        D::Error::custom(format!(
            "{text:?} is not an address to listen on: give IP:PORT, for example \"127.0.0.1:8080\" for this machine \
             only or \"0.0.0.0:8080\" for the whole network"
        ))
    })
}

/// Networks; an address alone is the network of just this address.
fn networks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<IpNet>, D::Error> {
    let network = |text: String| {
        let address = || text.parse::<IpAddr>().map(IpNet::from);
        text.parse().or_else(|_| address()).map_err(|_| {
            D::Error::custom(format!(
                "{text:?} is not a network: give an address or ADDRESS/BITS, for example \"192.168.1.0/24\""
            ))
        })
    };
    Vec::<String>::deserialize(deserializer)?.into_iter().map(network).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_loopback() {
        assert!(toml::from_str::<Config>("").unwrap().listen.ip().is_loopback());
    }

    #[test]
    fn mistakes_name_the_way_out() {
        for (text, want) in [
            ("listen = \"8080\"", "\"8080\" is not an address to listen on: give IP:PORT"),
            ("compat_allow = [\"home\"]", "\"home\" is not a network: give an address or ADDRESS/BITS"),
            ("listne = \"127.0.0.1:1\"", "unknown field `listne`"),
        ] {
            let error = toml::from_str::<Config>(text).unwrap_err().to_string();
            assert!(error.contains(want), "{error}");
        }
    }
}
