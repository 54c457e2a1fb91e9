//! A single picture on its way to the engine, and what was seen on it.

use crate::scene::Timings;
use detector::{detection::Detection, fraction::Fraction, geometry::Size};
use image::RgbImage;
use std::{sync::Arc, time::Duration, time::Instant};
use tokio::sync::oneshot;

/// A picture that waits for the engine.
#[derive(Debug)]
pub struct Still {
    /// The picture, decoded, of any size.
    pub picture: RgbImage,
    /// The score a detection must exceed, in place of what the configuration says.
    pub score: Option<Fraction>,
    /// How long decoding it took.
    pub decoding: Duration,
    /// When it was decoded, on the monotonic clock.
    pub arrived: Instant,
    /// Where the answer goes. Dropped without one when the engine fails or the daemon stops.
    pub answer: oneshot::Sender<DetectResult>,
}

/// What was seen on a single picture.
#[derive(Clone, Debug)]
pub struct DetectResult {
    /// Size of the picture.
    pub size: Size,
    /// How long decoding the picture took.
    pub decoding: Duration,
    /// How long each stage took; nothing was captured.
    pub timings: Timings,
    /// The execution provider the model ran on.
    pub provider: Arc<str>,
    /// The model's name.
    pub model: Arc<str>,
    /// What was found, by falling score.
    pub detections: Vec<Detection>,
}
