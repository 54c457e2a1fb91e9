//! What connects the threads: bounded channels, each with a rule for when it is full.

pub mod detect_queue;
pub mod latest_frames;
pub mod log_buffer;
pub mod pictures;
pub mod still;
pub mod video;
