//! From pixels to detections.
//!
//! ```text
//!  Pixels ─▶ preprocess ─tensor─▶ infer ─raw outputs─▶ decode ─▶ Detections
//!            (channels,           (ONNX                (SSD, NMS,
//!             scale, offset)       Runtime)             thresholds)
//! ```
//!
//! [`Detector`] is that line as code, for one model that a [`manifest::Model`] describes. Nothing here knows where the
//! pixels come from or who is told of the detections.

pub mod decode;
pub mod detection;
mod detector;
pub mod files;
pub mod fraction;
pub mod geometry;
pub mod infer;
pub mod manifest;
pub mod photo;
pub mod pixels;
pub mod preprocess;
pub mod status;
pub mod suggest;
pub mod sync;
pub mod tensor;

pub use detector::{Detector, DetectorError, StageTimings};
