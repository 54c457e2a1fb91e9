//! What a source gives: small pixels for the model, and JPEG pictures for the eye.

use bytes::Bytes;
use detector::{geometry::Size, pixels::Pixels};
use jiff::Timestamp;
use std::time::Instant;

/// Which frame of a camera this is, and when it was captured. Both branches of a source carry the same stamp
/// for the same frame, so that boxes and pictures are matched by frame and not by luck.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Counts the frames of one camera from 1, for as long as the process lives; it never goes back.
    pub seq: u64,
    /// Wall time of the capture; for files, the wall time at which the frame came due.
    pub captured_at: Timestamp,
    /// The same moment on the monotonic clock, for ages and durations.
    pub captured: Instant,
}

/// A frame on its way to the model.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Number and time.
    pub stamp: Stamp,
    /// Size of the full picture the pixels were scaled from.
    pub source_size: Size,
    /// The pixels, already scaled to the model's input size.
    pub pixels: Pixels,
    /// Whether anything moved since the frame before.
    pub motion: Motion,
    /// Whether something that its coding refers to was missing, such as its key frame: parts of it may be wrong.
    pub is_damaged: bool,
    /// When the frame left the source, on the monotonic clock.
    pub arrived: Instant,
}

/// Whether a picture differs from those before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Motion {
    /// Nobody asked: the camera has no motion gate.
    #[default]
    Unmeasured,
    /// Nothing moved: the detections of the last moving picture still hold.
    Still,
    /// Something moved.
    Moving,
}

/// A frame as a JPEG picture for viewers.
#[derive(Clone, Debug)]
pub struct Picture {
    /// Number and time, equal to those of the [`Frame`] of the same moment.
    pub stamp: Stamp,
    /// Size of the picture.
    pub size: Size,
    /// The JPEG file.
    pub jpeg: Bytes,
}
