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

// Between the stages.
pub mod channels;
pub mod draw;
pub mod state;

// The stages round the detector: source before it, publish after it; beside them the machine, its health and systemd.
pub mod ops;
pub mod publish;
pub mod source;

// What ties them together.
pub mod app;
pub mod cli;
pub mod commands;
pub mod config;
pub mod pipeline;
