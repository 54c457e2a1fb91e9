//! MobileNet (Howard et al. 2017, Table 1) and MobileNetV2 (Sandler et al. 2018, Table 2).

use super::builder::{Builder, Conv};
use crate::inspect::layer::Layer;

/// What a MobileNet can be scaled by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scaling {
    /// Width multiplier: factor on the number of channels of every layer.
    pub alpha: f64,
    /// Side of the input in pixels; the resolution multiplier rho is this over 224.
    pub size: u64,
}

/// Classes of the classifier.
const CLASSES: u64 = 1000;

/// Whether convolutions are split into depthwise and pointwise ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Separable {
    /// As in the paper.
    Yes,
    /// Standard convolutions of the same shape instead.
    No,
}

/// Output channels and stride of the 13 blocks behind the first convolution.
const V1_BLOCKS: [(u64, u64); 13] = [
    (64, 1),
    (128, 2),
    (128, 1),
    (256, 2),
    (256, 1),
    (512, 2),
    (512, 1),
    (512, 1),
    (512, 1),
    (512, 1),
    (512, 1),
    (1024, 2),
    (1024, 1),
];

/// Expansion, output channels, repeats and stride of the bottlenecks.
const V2_BLOCKS: [(u64, u64, u64, u64); 7] =
    [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)];

/// MobileNet of the given width and input.
pub(super) fn v1(scaling: Scaling, separable: Separable) -> Vec<Layer> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "channels are small whole numbers")]
    let width = |channels: u64| ((channels as f64 * scaling.alpha) as u64).max(1);
    let mut net = Builder::new(scaling.size);
    net.conv("conv", Conv::normed(width(32), 3, 2));
    for (i, (channels, stride)) in V1_BLOCKS.into_iter().enumerate() {
        let (i, channels) = (i + 1, width(channels));
        match separable {
            Separable::Yes => {
                net.depthwise(&format!("depthwise_{i}"), 3, stride);
                net.conv(&format!("pointwise_{i}"), Conv::normed(channels, 1, 1));
            }
            Separable::No => _ = net.conv(&format!("conv_{i}"), Conv::normed(channels, 3, stride)),
        }
    }
    net.global_pool().fully_connected("classifier", CLASSES);
    net.layers
}

/// MobileNetV2 of width 1.
pub(super) fn v2(size: u64) -> Vec<Layer> {
    let mut net = Builder::new(size);
    net.conv("conv", Conv::normed(32, 3, 2));
    let mut block = 0;
    for (expansion, outputs, repeats, first_stride) in V2_BLOCKS {
        for repeat in 0..repeats {
            block += 1;
            let stride = if repeat == 0 { first_stride } else { 1 };
            bottleneck(&mut net, &format!("block_{block}"), expansion, outputs, stride);
        }
    }
    net.conv("conv_last", Conv::normed(1280, 1, 1)).global_pool().fully_connected("classifier", CLASSES);
    net.layers
}

fn bottleneck(net: &mut Builder, name: &str, expansion: u64, outputs: u64, stride: u64) {
    let before = net.at;
    if expansion > 1 {
        net.conv(&format!("{name}/expand"), Conv::normed(before.channels * expansion, 1, 1));
    }
    net.depthwise(&format!("{name}/depthwise"), 3, stride);
    net.conv(&format!("{name}/project"), Conv::normed(outputs, 1, 1));
    if net.at == before {
        net.add(&format!("{name}/add"));
    }
}
