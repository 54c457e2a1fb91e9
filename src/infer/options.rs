//! The options of the GPU providers.

use super::Config;
use ort::ep::{self, ArenaExtendStrategy, cuda::ConvAlgorithmSearch};

/// TensorRT, as a Jetson Nano wants it.
pub(super) fn tensorrt(_version: &str, config: &Config) -> ep::TensorRT {
    ep::TensorRT::default()
        .with_device_id(0)
        .with_max_workspace_size(usize::try_from(config.workspace_mib.bytes()).unwrap_or(usize::MAX))
        .with_fp16(config.fp16)
}

/// CUDA, as a Jetson Nano wants it.
pub(super) fn cuda(_version: &str, _config: &Config) -> ep::CUDA {
    ep::CUDA::default()
        .with_device_id(0)
        .with_conv_algorithm_search(ConvAlgorithmSearch::Heuristic)
        .with_arena_extend_strategy(ArenaExtendStrategy::SameAsRequested)
}
