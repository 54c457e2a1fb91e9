//! `sightd`: object detection as a service.
//!
//! ```text
//!  source ─Frame─▶ latest_frames ─▶ preprocess ─tensor─▶ infer ─RawOutputs─▶ decode ─Detections─▶ publish
//!  (GStreamer,     (latest                         (ONNX               (SSD,                (scenes: watch,
//!   one per camera) wins)                           Runtime)            NMS)                 broadcast, HTTP)
//!     ├──────── Picture (JPEG, encoded by GStreamer only while someone watches) ──────────▶ live view
//!     └──────── video (H.264, by an encoder that is there only while someone watches) ────▶ live view
//! ```
//!
//! The modules stand in groups, each importing from those above it only; stages never import each other
//! (`tests/it/architecture.rs` enforces it). [`pipeline`] is the drawing as code.

// Data: no I/O, no clock, no threads.
pub mod board;
pub mod camera;
pub mod detection;
pub mod fraction;
pub mod frame;
pub mod geometry;
pub mod manifest;
pub mod scene;
pub mod status;
pub mod still;
pub mod suggest;
pub mod tensor;

// Pipes between the stages: bounded, and each says what it does when full.
pub mod latest_frames;
pub mod log_buffer;
pub mod pictures;
pub mod video;

// Still pictures: read from files, drawn into, brought to the engine beside the cameras.
pub mod detect_queue;
pub mod draw;
pub mod photo;

// Stages: source, preprocess, infer, decode, publish, as a frame meets them.
pub mod decode;
pub mod infer;
pub mod preprocess;
pub mod publish;
pub mod source;

// Beside the stages: the machine, its health and systemd.
pub mod ops;

// The stages round one network, in their order.
pub mod detector;

// Beside the pipeline: the model workshop.
pub mod model;

// What ties them together.
pub mod app;
pub mod cli;
pub mod config;
pub mod detect;
pub mod pipeline;
pub mod setup_runtime;
