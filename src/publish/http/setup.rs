//! Why the API cannot be set up.

use crate::publish::http::{access::tokens::TokenError, server::tls::TlsError};
use std::net::SocketAddr;

/// Why the API cannot be built from its configuration.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The whole network would be let in, and nobody said that it may be.
    #[error(
        "http.listen = \"{0}\" would be open to the whole network: listen on 127.0.0.1, or name a token in \
         http.token_file, or set http.allow_anonymous = true to let everyone in"
    )]
    Open(SocketAddr),
    /// A token cannot be loaded.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The certificate cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// An entry of `http.origins` is not an origin.
    #[error(
        "http.origins: {0:?} is not an origin: give scheme, host and port, for example \"https://home.example:8123\""
    )]
    Origin(String),
}
