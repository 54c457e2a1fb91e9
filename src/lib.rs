//! `sightd`: object detection as a service.
//!
//! ```text
//!  source ─Frame─▶ latest frames ─▶ detector: preprocess ─▶ infer ─▶ decode ─Detections─▶ publish
//!  (GStreamer,     (the newest      (crates/detector)                                     (scenes: watch,
//!   one per camera) wins)                                                                  broadcast, HTTP)
//!     ├──────── Picture (JPEG, encoded by GStreamer only while someone watches) ──────────▶ live view
//!     └──────── video (H.264, by an encoder that is there only while someone watches) ────▶ live view
//! ```
//!
//! The modules stand in groups, each importing from those above it only; stages never import each other
//! (`tests/it/architecture.rs` enforces it). [`pipeline`] is the drawing as code.

// Data: no I/O, no clock, no threads.
pub mod board;
pub mod camera;
pub mod frame;
pub mod scene;
pub mod still;

// Pipes between the stages: bounded, and each says what it does when full.
pub mod latest_frames;
pub mod log_buffer;
pub mod pictures;
pub mod video;

// What is known right now, for those who publish it.
pub mod state;

// Still pictures: drawn into, brought to the engine beside the cameras.
pub mod detect_queue;
pub mod draw;

// Stages round the detector: source before it, publish after it.
pub mod publish;
pub mod source;

// Beside the stages: the machine, its health and systemd.
pub mod ops;

// What ties them together.
pub mod app;
pub mod cli;
pub mod config;
pub mod detect;
pub mod pipeline;
pub mod setup_runtime;
pub mod token;
