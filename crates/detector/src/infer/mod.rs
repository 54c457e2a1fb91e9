//! Inference: finds and loads ONNX Runtime, makes a session on the best execution provider, runs it.
//!
//! ```text
//!  Config ─▶ Runtime::load ─▶ Runtime::open ─▶ Box<dyn Engine>
//!            (search, library,  (session: providers one by one, with reasons; placement: which nodes
//!             table)             went where; engine: tensors allocated and bound once)
//! ```
//!
//! The only module that uses `ort`, and the only one with unsafe code (`runtime/`).

mod attempts;
pub mod cache;
mod config;
mod deadline;
mod engine;
mod error;
mod host;
mod key;
mod options;
mod placement;
mod register;
pub mod replay;
mod report;
mod runtime;
mod selector;
mod session;

pub use config::{BuildDeadline, Config, Deadline, Provider, ProviderOptions, Providers, Span, Threads, WorkspaceMib};
pub use deadline::DeadlineMonitor;
pub use error::{InferError, Remedy, Stuck, Work};
pub use options::OptionError;
pub use register::Availability;
pub use report::short_reason;
pub use runtime::{Build, FOLDER, LoadAttempt, Origin, Runtime, disable_telemetry, end_process};

use crate::{status::EngineInfo, tensor::RawOutputs};

/// One network, ready to run. One thread owns it; its buffers are allocated once and bound once.
pub trait Engine: RawOutputs + Send {
    /// The input tensor `[1, 3, height, width]`, to be filled in place before [`Engine::run`].
    fn input(&mut self) -> &mut [f32];

    /// Runs the network on what lies in the input; the outputs then hold the result until the next run.
    ///
    /// # Errors
    /// When the runtime refuses; the engine may be asked again.
    fn run(&mut self) -> Result<(), InferError>;

    /// What it runs on.
    fn info(&self) -> &EngineInfo;
}
