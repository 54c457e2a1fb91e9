//! Inference: finds and loads ONNX Runtime, makes a session on the best execution provider, runs it.
//!
//! The only room that knows `ort`.

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

/// Why inference can not be had, or failed.
#[derive(Debug, thiserror::Error)]
pub enum InferError {
    /// The runtime refused a run.
    #[error("the network could not be run: {0}")]
    Run(String),
}
