//! W3C Trace Context: a request's `traceparent` is in the log lines that it causes, and goes back with the answer.

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderName},
    middleware::Next,
    response::Response,
};
use std::time::Instant;
use tracing::Instrument;

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// How much of a path goes into the log, in bytes: its sender decides how long it is.
const MAX_PATH_BYTES: usize = 200;

/// Answers `request` within a span that carries its trace.
pub(crate) async fn follow(request: Request, next: Next) -> Response {
    let began = Instant::now();
    let trace = traceparent(request.headers()).map(str::to_owned);
    let (method, path) = (request.method().clone(), shortened(request.uri().path()).to_owned());
    let span = tracing::info_span!("request", %method, path, trace);
    let mut response = next.run(request).instrument(span.clone()).await;
    let (status, elapsed_ms) = (response.status().as_u16(), began.elapsed().as_millis() as u64);
    tracing::debug!(parent: &span, status, elapsed_ms, "answered");
    if let Some(value) = trace.and_then(|trace| trace.parse().ok()) {
        response.headers_mut().insert(TRACEPARENT, value);
    }
    response
}

/// As much of `path` as goes into the log.
fn shortened(path: &str) -> &str {
    &path[..path.floor_char_boundary(MAX_PATH_BYTES)]
}

/// The request's trace, if it has the form that version 00 prescribes: `00-<32 hex>-<16 hex>-<2 hex>` in lower case,
/// neither number zero.
fn traceparent(headers: &HeaderMap) -> Option<&str> {
    let text = headers.get(TRACEPARENT)?.to_str().ok()?;
    let [version, trace, parent, flags] = text.split('-').collect::<Vec<_>>().try_into().ok()?;
    let hex =
        |part: &str, len: usize| part.len() == len && part.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'));
    let number = |part: &str, len: usize| hex(part, len) && part.bytes().any(|c| c != b'0');
    (version == "00" && number(trace, 32) && number(parent, 16) && hex(flags, 2)).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_paths_are_cut() {
        assert_eq!(shortened("/cameras"), "/cameras");
        assert_eq!(shortened(&format!("/{}", "\u{e4}".repeat(40_000))).len(), MAX_PATH_BYTES - 1);
    }

    #[test]
    fn only_well_formed_traces_are_followed() {
        for (text, good) in [
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", true),
            ("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", false),
            ("00-00000000000000000000000000000000-00f067aa0ba902b7-01", false),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7", false),
            ("ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", false),
        ] {
            let headers = HeaderMap::from_iter([(TRACEPARENT, text.parse().unwrap())]);
            assert_eq!(traceparent(&headers).is_some(), good, "{text}");
        }
    }
}
