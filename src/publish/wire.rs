//! The wire form of scenes: the JSON that programs call against. A change here is a change of contract.

use crate::{
    board::BoardNote,
    camera::CameraName,
    frame::Motion,
    scene::{Scene, Timings},
};
use detector::{
    detection::Detection,
    geometry::{Rect, Size},
};
use jiff::Timestamp;
use serde::Serialize;
use std::time::{Duration, Instant};
use utoipa::ToSchema;

/// What a stream (WebSocket, server-sent events) carries.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum StreamMessage<'a> {
    /// One scene.
    Scene(#[schema(inline)] SceneDto<'a>),
    /// The client was too slow: this many scenes, of all cameras together, were left out here.
    Lost {
        /// How many.
        count: u64,
    },
}

impl StreamMessage<'_> {
    /// The message as JSON text.
    pub fn json(&self) -> String {
        serde_json::to_string(self).expect("a message has only plain values")
    }
}

/// A scene as clients see it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Scene)]
pub struct SceneDto<'a> {
    /// The camera's name.
    #[schema(value_type = String, example = "front")]
    pub camera: &'a CameraName,
    /// Number of the frame: grows by at least one from scene to scene.
    pub seq: u64,
    /// Wall time of the capture, RFC 3339.
    #[schema(value_type = String, format = DateTime)]
    pub captured_at: Timestamp,
    /// Size of the full picture in pixels.
    pub frame: Size,
    /// Milliseconds since the capture, at the moment of answering.
    pub age_ms: f64,
    /// Milliseconds spent in each stage.
    pub timings_ms: TimingsDto,
    /// The execution provider.
    pub provider: &'a str,
    /// The model's name.
    pub model: &'a str,
    /// What was found, by falling score.
    pub detections: Vec<DetectionDto<'a>>,
    /// Where the camera has a motion gate: `moving`, or `still`, and then the detections are those of the last frame
    /// in which something moved.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "still")]
    pub motion: Option<Motion>,
    /// True for a frame whose key frame was missing, or that follows a loss: parts of the picture may be wrong. Left out
    /// otherwise.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    pub damaged: bool,
    /// What held the machine back when the scene was made; left out when nothing did.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    #[schema(required = false)]
    pub notes: &'a [BoardNote],
}

/// How long each stage took, in milliseconds.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Timings)]
#[allow(missing_docs, reason = "the names are those of `Timings`")]
pub struct TimingsDto {
    pub capture: f64,
    pub wait: f64,
    pub preprocess: f64,
    pub infer: f64,
    pub decode: f64,
}

/// One detection as clients see it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Detection)]
pub struct DetectionDto<'a> {
    /// The model's class number.
    pub class_id: u32,
    /// The class's name.
    pub label: &'a str,
    /// Confidence, 0..1.
    pub score: f32,
    /// Where it is, in units of the frame.
    #[serde(rename = "box")]
    pub bbox: BoxDto,
}

/// A box by its top left corner and size, each 0..1 of the frame.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Box)]
pub struct BoxDto {
    /// Left edge.
    pub x: f32,
    /// Top edge.
    pub y: f32,
    /// Width.
    pub w: f32,
    /// Height.
    pub h: f32,
}

impl<'a> SceneDto<'a> {
    /// The wire form of `scene`, answered at `now`.
    pub fn new(scene: &'a Scene, now: Instant) -> Self {
        Self::with(scene, now, |_| true)
    }

    /// The wire form of `scene`, answered at `now`, with those detections that `wanted` lets through.
    pub fn with(scene: &'a Scene, now: Instant, wanted: impl Fn(&Detection) -> bool) -> Self {
        Self {
            camera: &scene.camera,
            seq: scene.stamp.seq,
            captured_at: scene.stamp.captured_at,
            frame: scene.frame_size,
            age_ms: millis(now.saturating_duration_since(scene.stamp.captured)),
            timings_ms: scene.timings.into(),
            provider: &scene.provider,
            model: &scene.model,
            detections: scene.detections.iter().filter(|detection| wanted(detection)).map(DetectionDto::from).collect(),
            motion: Some(scene.motion).filter(|motion| *motion != Motion::Unmeasured),
            damaged: scene.is_damaged,
            notes: &scene.notes,
        }
    }
}

impl<'a> From<&'a Detection> for DetectionDto<'a> {
    fn from(detection: &'a Detection) -> Self {
        Self {
            class_id: detection.class_id,
            label: &detection.label,
            score: detection.score,
            bbox: detection.bbox.into(),
        }
    }
}

impl From<Rect> for BoxDto {
    fn from(rect: Rect) -> Self {
        Self { x: rect.x_min, y: rect.y_min, w: rect.width(), h: rect.height() }
    }
}

impl From<Timings> for TimingsDto {
    fn from(timings: Timings) -> Self {
        Self {
            capture: millis(timings.capture),
            wait: millis(timings.wait),
            preprocess: millis(timings.stages.preprocess),
            infer: millis(timings.stages.infer),
            decode: millis(timings.stages.decode),
        }
    }
}

/// Milliseconds, to the microsecond.
pub(super) fn millis(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1e3
}
