//! HTTP: the API, the live view and the dashboard.
//!
//! [`serve()`] takes the listener and the stop token from its caller. All that is served comes from the
//! [`DaemonState`](crate::state::DaemonState); nothing here waits for the pipeline, and the pipeline never waits for a
//! client. `routes.rs` declares every route; a folder holds the handlers of the paths that its first line names.

mod access;
mod admin;
mod api;
mod cameras;
mod compat;
mod config;
mod dashboard;
mod description;
mod detect;
mod detections;
mod routes;
mod serve;
mod server;
mod setup;
mod shared;
mod status;

pub use access::tokens::TokenError;
pub use admin::control::{CameraChange, CameraSettings, Control, Refused, Reloaded};
pub use api::Api;
pub use config::Config;
pub use routes::openapi;
pub use serve::serve;
pub use server::tls::{TlsConfig, TlsError};
pub use setup::SetupError;
