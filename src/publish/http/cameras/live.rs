//! Live pictures: MJPEG, and JPEGs over WebSocket with the number of each frame.
//!
//! Pictures are encoded once for all viewers, and only while someone watches. A slow viewer gets the latest picture
//! and misses those between.

use crate::publish::http::{
    description::File,
    server::{
        error::ApiError,
        extract::Part,
        websocket::{End, Source, Upgrade},
    },
    shared::Shared,
};
use crate::{camera::CameraStatus, channels::pictures::Viewer, frame::Picture, state::CameraFeed};
use axum::{
    body::{Body, Bytes},
    extract::{State, ws::Message},
    http::header,
    response::{IntoResponse, Response},
};
use futures_util::{StreamExt, stream};
use std::{convert::Infallible, sync::Arc};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// What stands between two pictures of an MJPEG stream.
const BOUNDARY: &str = "sightd-picture";
/// Length of the header before each JPEG on the live WebSocket.
const HEADER_BYTES: usize = 16;

/// The live pictures as MJPEG.
///
/// Each part carries `x-seq` and `x-captured-at`. The stream has no end.
#[utoipa::path(get, path = "/cameras/{name}/live.mjpg", tag = "live",
    params(("name" = String, Path, description = "The camera's name")),
    responses(
        (status = 200, description = "The pictures", body = inline(File), content_type = "multipart/x-mixed-replace"),
        (status = 404, description = "No such camera"),
    ))]
pub(crate) async fn mjpeg(State(shared): State<Arc<Shared>>, Part(name): Part<String>) -> Result<Response, ApiError> {
    let viewer = LiveViewer::new(shared.camera(&name)?.as_ref(), &shared.stop);
    let parts = stream::unfold(viewer, async |mut viewer| {
        let picture = viewer.picture().await?;
        Some((stream::iter(mjpeg_part(&picture).map(Ok::<_, Infallible>)), viewer))
    });
    let headers = [
        (header::CONTENT_TYPE, format!("multipart/x-mixed-replace; boundary={BOUNDARY}")),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    Ok((headers, Body::from_stream(parts.flatten())).into_response())
}

/// One part of an MJPEG stream: header, picture (not copied), and the boundary, which tells the viewer at once that
/// the picture is complete.
fn mjpeg_part(picture: &Picture) -> [Bytes; 3] {
    let head = format!(
        "--{BOUNDARY}\r\ncontent-type: image/jpeg\r\ncontent-length: {}\r\nx-seq: {}\r\nx-captured-at: {}\r\n\r\n",
        picture.jpeg.len(),
        picture.stamp.seq,
        picture.stamp.captured_at,
    );
    [head.into(), picture.jpeg.clone(), Bytes::from_static(b"\r\n")]
}

/// The live pictures over WebSocket.
///
/// Each binary message is a header of 16 bytes and a JPEG file. The header: the frame's number as u64, and its
/// capture time in microseconds since the Unix epoch as i64, both big-endian. The number is that of the scene of
/// the same frame on `/ws`, so that a page can draw the boxes of exactly this picture.
#[utoipa::path(get, path = "/cameras/{name}/live", tag = "live",
    params(("name" = String, Path, description = "The camera's name")),
    responses(
        (status = 101, description = "The pictures, as binary WebSocket messages"),
        (status = 404, description = "No such camera"),
        (status = 426, description = "Not a WebSocket request"),
        (status = 503, description = "As many WebSockets are open as may be"),
    ))]
pub(crate) async fn live(
    State(shared): State<Arc<Shared>>,
    Part(name): Part<String>,
    upgrade: Upgrade,
) -> Result<Response, ApiError> {
    Ok(upgrade.stream(LiveViewer::new(shared.camera(&name)?.as_ref(), &shared.stop)))
}

impl Source for LiveViewer {
    async fn next(&mut self) -> Result<Vec<Message>, End> {
        let picture = self.picture().await.ok_or(End::Stop)?;
        Ok(vec![Message::Binary(binary_message(&picture))])
    }
}

fn binary_message(picture: &Picture) -> Bytes {
    let mut message = Vec::with_capacity(HEADER_BYTES + picture.jpeg.len());
    message.extend_from_slice(&picture.stamp.seq.to_be_bytes());
    message.extend_from_slice(&picture.stamp.captured_at.as_microsecond().to_be_bytes());
    message.extend_from_slice(&picture.jpeg);
    message.into()
}

/// A viewer that leaves when the camera is taken away or the daemon stops.
struct LiveViewer {
    viewer: Viewer,
    status: watch::Receiver<CameraStatus>,
    stop: CancellationToken,
}

impl LiveViewer {
    fn new(feed: &CameraFeed, stop: &CancellationToken) -> Self {
        Self { viewer: feed.pictures.watch(), status: feed.status.subscribe(), stop: stop.clone() }
    }

    /// The next picture; `None` when there will be no more.
    async fn picture(&mut self) -> Option<Arc<Picture>> {
        tokio::select! {
            picture = self.viewer.next() => Some(picture),
            () = closed(&mut self.status) => None,
            () = self.stop.cancelled() => None,
        }
    }
}

/// Returns when the camera has been taken away.
pub(crate) async fn closed(status: &mut watch::Receiver<CameraStatus>) {
    while status.changed().await.is_ok() {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Stamp;
    use detector::geometry::Size;
    use jiff::Timestamp;
    use std::time::Instant;

    #[test]
    fn the_binary_header_is_big_endian() {
        let captured_at = Timestamp::from_microsecond(1_700_000_000_000_001).unwrap();
        let stamp = Stamp { seq: 258, captured_at, captured: Instant::now() };
        let picture = Picture { stamp, size: Size::new(1, 1), jpeg: Bytes::from_static(b"JPEG") };
        let message = binary_message(&picture);
        assert_eq!(message[..8], [0, 0, 0, 0, 0, 0, 1, 2]);
        assert_eq!(i64::from_be_bytes(message[8..16].try_into().unwrap()), 1_700_000_000_000_001);
        assert_eq!(&message[16..], b"JPEG");
    }
}
