//! The `[http]` section of the configuration.

use serde::{Deserialize, Deserializer, Serialize, de::Error};
use std::net::{Ipv4Addr, SocketAddr};

/// Where and for whom the API answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Address and port to listen on.
    #[serde(deserialize_with = "listen_address")]
    pub listen: SocketAddr,
    /// Lets everyone who reaches the port in, on any address.
    pub allow_anonymous: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self { listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)), allow_anonymous: false }
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
            ("listne = \"127.0.0.1:1\"", "unknown field `listne`"),
        ] {
            let error = toml::from_str::<Config>(text).unwrap_err().to_string();
            assert!(error.contains(want), "{error}");
        }
    }
}
