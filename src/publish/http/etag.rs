//! Entity tags: what a client says it holds.

use axum::http::{HeaderMap, header};

/// Whether the request's `If-None-Match` names `tag`, which includes its quotes.
pub(super) fn is_held(request: &HeaderMap, tag: &str) -> bool {
    let held = request.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    held.is_some_and(|held| held.split(',').any(|held| held.trim().trim_start_matches("W/") == tag))
}
