//! How many requests came, how they were answered and how long that took, for `/metrics`.

use crate::state::seconds;
use axum::{
    extract::{MatchedPath, Request, State},
    http::Method,
    middleware::Next,
    response::Response,
};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, histogram::Histogram},
    registry::{Registry, Unit},
};
use std::time::Instant;

/// The requests since the start.
#[derive(Clone, Debug)]
pub(crate) struct HttpMetrics {
    requests: Family<Answer, Counter>,
    durations: Family<Route, Histogram, fn() -> Histogram>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answer {
    method: &'static str,
    route: String,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    route: String,
}

impl Default for HttpMetrics {
    fn default() -> Self {
        Self { requests: Family::default(), durations: Family::new_with_constructor(seconds) }
    }
}

impl HttpMetrics {
    /// Shows everything in `registry`.
    pub fn register(&self, registry: &mut Registry) {
        registry.register("http_requests", "Requests that were answered", self.requests.clone());
        let until = "Time until an answer begins; a stream's goes on";
        registry.register_with_unit("http_request_duration", until, Unit::Seconds, self.durations.clone());
    }
}

/// Answers `request` and counts it. Its path is counted as the route's pattern, so that there are few.
pub(crate) async fn count(
    State(metrics): State<HttpMetrics>,
    route: Option<MatchedPath>,
    request: Request,
    next: Next,
) -> Response {
    let (began, method) = (Instant::now(), name(request.method()));
    let response = next.run(request).await;
    let route = route.map_or_else(|| "none".to_owned(), |route| route.as_str().to_owned());
    let HttpMetrics { requests, durations } = &metrics;
    durations.get_or_create(&Route { route: route.clone() }).observe(began.elapsed().as_secs_f64());
    requests.get_or_create(&Answer { method, route, status: response.status().as_u16() }).inc();
    response
}

/// The method; clients can make up as many as they like, which are counted as one.
fn name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PATCH => "PATCH",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}
