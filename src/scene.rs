//! What one frame of one camera showed: the unit that is published.

use crate::{
    board::BoardNote,
    camera::CameraName,
    frame::{Motion, Stamp},
};
use detector::{StageTimings, detection::Detection, geometry::Size};
use std::{sync::Arc, time::Duration, time::Instant};

/// All detections of one frame, with where and when they come from.
#[derive(Clone, Debug)]
pub struct Scene {
    /// The camera.
    pub camera: CameraName,
    /// The frame's number and time.
    pub stamp: Stamp,
    /// Size of the full picture.
    pub frame_size: Size,
    /// When the scene was published, on the monotonic clock.
    pub published: Instant,
    /// How long each stage took for this frame.
    pub timings: Timings,
    /// The execution provider the model ran on.
    pub provider: Arc<str>,
    /// The model's name.
    pub model: Arc<str>,
    /// What was found, by falling score.
    pub detections: Vec<Detection>,
    /// Whether anything moved; in a still scene the detections are those of the last frame in which something did.
    pub motion: Motion,
    /// Whether the frame was decoded without all that its coding refers to: parts of the picture may be wrong.
    pub is_damaged: bool,
    /// What held the machine back when it was made; mostly nothing.
    pub notes: Vec<BoardNote>,
}

/// Time spent on one frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timings {
    /// From capture (or, for files, from the moment the frame came due) until the frame has left the source.
    pub capture: Duration,
    /// Waiting for the engine to be free.
    pub wait: Duration,
    /// In the detector; all zero for a frame that went past the network.
    pub stages: StageTimings,
}
