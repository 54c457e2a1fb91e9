//! Entity tags: what a client says it holds.

use axum::http::{HeaderMap, header};

/// Whether the request's `If-None-Match` names `tag`, which includes its quotes, or any with `*` (RFC 9110, 13.1.2).
pub(crate) fn is_held(request: &HeaderMap, tag: &str) -> bool {
    let held = request.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let names = |held: &str| held == "*" || held.trim_start_matches("W/") == tag;
    held.is_some_and(|held| held.split(',').map(str::trim).any(names))
}
