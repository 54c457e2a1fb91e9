//! The live video over WebSocket: H.264 in fragmented MP4, for a page's Media Source Extensions.
//!
//! Encoded and wrapped once for all viewers, and only while someone watches. A viewer that is too slow goes on at the
//! latest key frame.

use crate::publish::http::{
    cameras::{
        fmp4::{self, BadCodec},
        live,
    },
    server::{
        error::ApiError,
        extract::Part,
        websocket::{End, Source, Upgrade},
    },
    shared::Shared,
};
use crate::{
    camera::CameraStatus,
    channels::video::{Codec, Next, Offer, VideoFrame, Viewer},
    state::CameraFeed,
};
use axum::{
    body::Bytes,
    extract::{State, ws::Message},
    response::Response,
};
use prometheus_client::metrics::counter::Counter;
use serde::Serialize;
use std::sync::Arc;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;

/// Length of the header before each fragment.
const HEADER_BYTES: usize = 24;

/// What is said between the fragments.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(crate) enum VideoMessage {
    /// A new initialization segment comes with the next fragment.
    Start {
        /// The stream's kind, for `MediaSource.isTypeSupported` and `SourceBuffer.changeType`.
        #[schema(example = "video/mp4; codecs=\"avc1.42C01E\"")]
        mime: String,
        /// Columns.
        width: u32,
        /// Rows.
        height: u32,
    },
}

/// The live video over WebSocket: H.264 in fragmented MP4.
///
/// First, and again whenever size or codec change, comes a JSON message, `"type": "start"`, with the `mime` type. Every
/// binary message is a header of 24 bytes, all big-endian, and what goes into `SourceBuffer.appendBuffer`. The header:
/// the frame's number as u64, which is that of the scene of the same frame on `/ws`; its capture time in microseconds
/// since the Unix epoch as i64; and its time on the timeline of the video in microseconds as u64. What follows is one
/// fragment (`moof`, `mdat`) with one frame; in the first message after a `start` the initialization segment stands
/// before it, and the frame is a key frame. The timeline has no gaps, but where a slow client lost frames: there it goes
/// on with a key frame. The connection is closed with code 1011 and a reason when the encoder fails.
#[utoipa::path(get, path = "/cameras/{name}/video", tag = "live",
    params(("name" = String, Path, description = "The camera's name")),
    responses(
        (status = 101, description = "The video, as WebSocket messages", body = VideoMessage),
        (status = 404, description = "No such camera"),
        (status = 409, description = "This camera has no H.264 here, as `video` in /cameras says",),
        (status = 426, description = "Not a WebSocket request"),
        (status = 503, description = "As many WebSockets are open as may be"),
    ))]
pub(crate) async fn video(
    State(shared): State<Arc<Shared>>,
    Part(name): Part<String>,
    upgrade: Upgrade,
) -> Result<Response, ApiError> {
    let feed = shared.camera(&name)?;
    if let Offer::None(why) = feed.video.offer() {
        return Err(ApiError::NoVideo { camera: name, why });
    }
    Ok(upgrade.stream(VideoViewer::new(&feed, &shared)))
}

impl From<BadCodec> for End {
    fn from(bad: BadCodec) -> Self {
        Self::Failure(bad.to_string())
    }
}

impl Source for VideoViewer {
    async fn next(&mut self) -> Result<Vec<Message>, End> {
        self.messages().await
    }
}

/// A viewer, and what it has been told.
struct VideoViewer {
    viewer: Viewer,
    /// What the viewer's decoder was set up for.
    codec: Option<Arc<Codec>>,
    lost: Counter,
    status: watch::Receiver<CameraStatus>,
    stop: CancellationToken,
}

impl VideoViewer {
    fn new(feed: &CameraFeed, shared: &Shared) -> Self {
        Self {
            viewer: feed.video.watch(),
            codec: None,
            lost: shared.state.metrics.messages_lost.clone(),
            status: feed.status.subscribe(),
            stop: shared.stop.clone(),
        }
    }

    /// The messages for the next frame.
    async fn messages(&mut self) -> Result<Vec<Message>, End> {
        let Next { frame, lost } = tokio::select! {
            next = self.viewer.next() => next.map_err(End::Failure)?,
            () = live::closed(&mut self.status) => return Err(End::Stop),
            () = self.stop.cancelled() => return Err(End::Stop),
        };
        self.lost.inc_by(lost);
        let message = frame.wrapped(binary_message);
        let codec = &frame.frame.codec;
        if self.codec.as_ref() == Some(codec) {
            return Ok(vec![Message::Binary(message)]);
        }
        let start = start_message(codec)?;
        let message = with_init_segment(&message, codec)?;
        self.codec = Some(codec.clone());
        Ok(vec![start, Message::Binary(message)])
    }
}

fn start_message(codec: &Codec) -> Result<Message, BadCodec> {
    let start = VideoMessage::Start { mime: fmp4::mime(codec)?, width: codec.size.width, height: codec.size.height };
    let json = serde_json::to_string(&start).expect("a message has only plain values");
    Ok(Message::Text(json.into()))
}

fn binary_message(frame: &VideoFrame) -> Bytes {
    let stamp = &frame.frame.stamp;
    let mut message = Vec::with_capacity(HEADER_BYTES + 256 + frame.frame.data.len());
    message.extend_from_slice(&stamp.seq.to_be_bytes());
    message.extend_from_slice(&stamp.captured_at.as_microsecond().to_be_bytes());
    message.extend_from_slice(&(frame.at.as_micros() as u64).to_be_bytes());
    fmp4::append_fragment(frame, &mut message);
    message.into()
}

/// `message` with the initialization segment between header and fragment.
fn with_init_segment(message: &[u8], codec: &Codec) -> Result<Bytes, BadCodec> {
    let (header, fragment) = message.split_at(HEADER_BYTES);
    Ok([header, &fmp4::init_segment(codec)?, fragment].concat().into())
}
