//! GET /cameras: what is known of each camera.

use crate::publish::http::{
    server::{error::ApiError, extract::Part},
    shared::Shared,
};
use crate::{
    camera::CameraState,
    channels::video::{Offer, Video},
    state::CameraFeed,
};
use axum::{Json, extract::State};
use detector::geometry::Size;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// A camera and its state.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Camera)]
pub(crate) struct CameraDto {
    /// Its name.
    #[schema(example = "front")]
    name: String,
    /// Where it is in its life.
    state: CameraState,
    /// Frames per second over the last seconds, as captured.
    fps: f32,
    /// Size of the full picture, once a frame has come.
    size: Option<Size>,
    /// Frames captured since the process started.
    frames: u64,
    /// Number of the latest scene; `null` before the first.
    seq: Option<u64>,
    /// How often the pipeline was built anew after a fault.
    restarts: u64,
    /// The last fault in words.
    last_error: Option<String>,
    /// How many watch its live pictures.
    viewers: usize,
    /// Its live video at `/cameras/{name}/video`.
    video: VideoDto,
    /// The source, with passwords removed.
    source: String,
    /// The GStreamer pipeline as text.
    pipeline: String,
}

/// Whether a camera has live video: `codec` and `encoder` when it does, `reason` when not.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Video)]
struct VideoDto {
    /// The codec.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "h264")]
    codec: Option<&'static str>,
    /// The GStreamer element that encodes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "x264enc")]
    encoder: Option<&'static str>,
    /// Why there is none, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// How many watch it.
    viewers: usize,
}

impl From<&Video> for VideoDto {
    fn from(video: &Video) -> Self {
        let viewers = video.viewers();
        match video.offer() {
            Offer::H264 { encoder } => Self { codec: Some("h264"), encoder: Some(encoder), reason: None, viewers },
            Offer::None(why) => Self { codec: None, encoder: None, reason: Some(why), viewers },
        }
    }
}

impl From<&CameraFeed> for CameraDto {
    fn from(feed: &CameraFeed) -> Self {
        let seq = feed.scene.borrow().as_ref().map(|published| published.scene.stamp.seq);
        let status = feed.status.borrow().clone();
        Self {
            name: feed.name.to_string(),
            state: status.state,
            fps: status.fps,
            size: status.size,
            frames: status.frames,
            seq,
            restarts: status.restarts,
            last_error: status.last_error,
            viewers: feed.pictures.viewers(),
            video: feed.video.as_ref().into(),
            source: status.source,
            pipeline: status.pipeline,
        }
    }
}

/// All cameras.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Cameras {
    /// By name.
    cameras: Vec<CameraDto>,
}

/// All cameras and their states.
#[utoipa::path(get, path = "/cameras", operation_id = "cameras", tag = "cameras",
    responses((status = 200, description = "All cameras, by name", body = inline(Cameras))))]
pub(crate) async fn list(State(shared): State<Arc<Shared>>) -> Json<Cameras> {
    Json(Cameras { cameras: shared.state.cameras.all().iter().map(|feed| feed.as_ref().into()).collect() })
}

/// One camera and its state.
#[utoipa::path(get, path = "/cameras/{name}", operation_id = "camera", tag = "cameras",
    params(("name" = String, Path, description = "The camera's name")),
    responses(
        (status = 200, description = "The camera", body = CameraDto),
        (status = 404, description = "No such camera"),
    ))]
pub(crate) async fn one(
    State(shared): State<Arc<Shared>>,
    Part(name): Part<String>,
) -> Result<Json<CameraDto>, ApiError> {
    Ok(Json(shared.camera(&name)?.as_ref().into()))
}
