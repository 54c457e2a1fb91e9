//! The lower bound of the time on the Jetson Nano: each layer is bound by arithmetic or by memory bandwidth.
//!
//! Figures of the Nano's data sheet: 472 GFLOPS in fp16 (128 CUDA cores, 2 fused multiply-adds of 2 halves a clock,
//! 921.6 MHz) and 25.6 GB/s (64 bits of LPDDR4 at 1600 MHz). A multiply-add is two operations. Real networks are
//! slower: kernel launches, layout changes and small feature maps cost time.

use super::layer::Layer;
use serde::Serialize;

/// Operations a second in fp16.
pub(super) const FLOPS: f64 = 472e9;
/// Bytes a second of the memory.
pub(super) const BANDWIDTH: f64 = 25.6e9;
/// Bytes of a value in fp16.
const BYTES: f64 = 2.0;

/// What a time is bound by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Bound {
    /// The arithmetic units.
    Compute,
    /// The memory.
    Memory,
}

/// Lower bound of a time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Roofline {
    /// If only arithmetic counted, in milliseconds.
    pub compute_ms: f64,
    /// If only memory counted, in milliseconds.
    pub memory_ms: f64,
    /// The sum over the layers of the larger of both, in milliseconds.
    pub time_ms: f64,
    /// Which of both is larger in all.
    pub bound: Bound,
}

/// The bound of one layer.
pub(super) fn of_layer(layer: &Layer) -> Roofline {
    let compute_ms = 2.0 * layer.multiply_adds as f64 / FLOPS * 1e3;
    let memory_ms = BYTES * layer.moved.saturating_add(layer.parameters) as f64 / BANDWIDTH * 1e3;
    let bound = if compute_ms >= memory_ms { Bound::Compute } else { Bound::Memory };
    Roofline { compute_ms, memory_ms, time_ms: compute_ms.max(memory_ms), bound }
}

/// The bound of layers that run one after the other.
pub(super) fn of_network(layers: &[Layer]) -> Roofline {
    let zero = Roofline { compute_ms: 0.0, memory_ms: 0.0, time_ms: 0.0, bound: Bound::Memory };
    let sum = layers.iter().map(of_layer).fold(zero, |sum, layer| Roofline {
        compute_ms: sum.compute_ms + layer.compute_ms,
        memory_ms: sum.memory_ms + layer.memory_ms,
        time_ms: sum.time_ms + layer.time_ms,
        bound: sum.bound,
    });
    let bound = if sum.compute_ms >= sum.memory_ms { Bound::Compute } else { Bound::Memory };
    Roofline { bound, ..sum }
}
