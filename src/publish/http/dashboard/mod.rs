//! The dashboard: static files embedded in the binary.

use crate::publish::http::server::{error::ApiError, etag};
use axum::{
    Router,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use sha2::{Digest, Sha256};
use std::sync::LazyLock;

/// The page loads nothing from elsewhere and runs nothing but its own modules.
pub(crate) const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
     img-src 'self' blob: data:; media-src 'self' blob:; connect-src 'self'; manifest-src 'self'; \
     form-action 'self'; frame-ancestors 'self'; base-uri 'none'";

/// One file of the page.
struct Asset {
    path: &'static str,
    content_type: &'static str,
    content: &'static [u8],
}

macro_rules! asset {
    ($path:expr, $file:literal, $content_type:literal) => {
        Asset { path: $path, content_type: $content_type, content: include_bytes!($file) }
    };
}

macro_rules! module {
    ($file:literal) => {
        asset!(concat!("/assets/", $file), $file, "text/javascript; charset=utf-8")
    };
}

const ASSETS: &[Asset] = &[
    asset!("/", "index.html", "text/html; charset=utf-8"),
    asset!("/assets/style.css", "style.css", "text/css; charset=utf-8"),
    asset!("/assets/page.css", "page.css", "text/css; charset=utf-8"),
    asset!("/assets/icon.svg", "icon.svg", "image/svg+xml"),
    module!("main.js"),
    module!("api.js"),
    module!("cameras.js"),
    module!("chart.js"),
    module!("charts.js"),
    module!("classes.js"),
    module!("colours.js"),
    module!("dom.js"),
    module!("draw.js"),
    module!("h264.js"),
    module!("history.js"),
    module!("jpeg.js"),
    module!("layout.js"),
    module!("log.js"),
    module!("machine.js"),
    module!("match.js"),
    module!("meter.js"),
    module!("model.js"),
    module!("player.js"),
    module!("settings.js"),
    module!("tile.js"),
    module!("try.js"),
];

/// The names under which clients hold the files, made of their content.
static ETAGS: LazyLock<Vec<String>> = LazyLock::new(|| {
    ASSETS
        .iter()
        .map(|asset| {
            let digest = Sha256::digest(asset.content);
            format!("\"{}\"", hex::encode(&digest[..8]))
        })
        .collect()
});

/// Routes of all files.
pub(crate) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    ASSETS.iter().enumerate().fold(Router::new(), |router, (index, asset)| {
        router.route(asset.path, get(async move |headers: HeaderMap| serve(index, &headers)))
    })
}

fn serve(index: usize, request: &HeaderMap) -> Result<Response, ApiError> {
    let (Some(asset), Some(tag)) = (ASSETS.get(index), ETAGS.get(index)) else {
        return Err(ApiError::NotFound);
    };
    let caching = [(header::ETAG, tag.as_str()), (header::CACHE_CONTROL, "no-cache")];
    if etag::is_held(request, tag) {
        return Ok((StatusCode::NOT_MODIFIED, caching).into_response());
    }
    Ok((caching, [(header::CONTENT_TYPE, asset.content_type)], asset.content).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_small() {
        let bytes: usize = ASSETS.iter().map(|asset| asset.content.len()).sum();
        assert!(bytes < 150 * 1024, "{bytes} bytes");
    }
}
