//! What every route shares: connections and TLS, reading requests, errors, WebSockets, metrics of requests.

pub(super) mod connections;
pub(super) mod error;
pub(super) mod etag;
pub(super) mod extract;
pub(super) mod http_metrics;
pub(super) mod limits;
pub(super) mod listener;
pub(super) mod tls;
pub(super) mod trace;
pub(super) mod websocket;
