//! Sources: cameras, files and test pictures through GStreamer; the only module that knows it.
//!
//! ```text
//!              one thread for each camera                one for each run
//!  Handle ──▶ supervisor ─ CameraStateMachine: what now? ─ Action ──▶ pipeline: build, run, take down
//!                 ▲                                         │ streaming threads of GStreamer
//!                 └──── first frame, end, fault, closed ────┤
//!                                                           ▼
//!             source ─▶ [pace] ─▶ tap (number, time) ─┬─▶ scale ─▶ infer ─────────────▶ latest frames
//!                                                     ├─▶ gate (someone watches?) ─▶ JPEG ─▶ pictures
//!                                                     └─▶ gate ─▶ encoder, a pipeline of its own ─▶ video
//! ```
//!
//! Behind the one place where a file is held to its pace, everything is as with a live camera: queues hold one
//! frame, the latest wins.

mod auto;
mod config;
mod counter;
mod describe;
mod devices;
mod encoder;
mod error;
mod gates;
mod gst;
mod handle;
mod hints;
mod images;
mod keyframes;
mod listing;
mod multipart;
mod nal;
mod needs;
mod network;
mod orientation;
mod outages;
mod outputs;
mod pace;
mod pipeline;
mod progress;
pub mod scale;
mod sinks;
mod square;
mod stamps;
mod state_machine;
mod stillness;
mod supervisor;
mod uri;

pub use auto::choose_auto;
pub use config::{
    BadBitrate, BadConnectTimeout, BadFps, Bitrate, Codec, Config, ConnectTimeout, Crop, CsiOptions, Flip, Fps,
    MotionGate, NetworkOptions, Secret, Timeouts, Transport, UsbFormat, UsbOptions, VideoCodec, VideoOptions,
    WhiteBalance,
};
pub use devices::Encoding;
pub use error::SourceError;
pub use handle::{Handle, check, spawn};
pub use listing::{CameraListing, ListedMode, list_cameras};
pub use needs::{MissingElement, gstreamer_version, missing_device, missing_elements, video_encoder};
pub use outputs::SourceOutputs;
pub use uri::{AtEnd, BadUri, NetworkAddress, Pace, SourceUri, TEST_PATTERNS, UsbDevice};
