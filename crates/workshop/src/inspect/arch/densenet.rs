//! DenseNet-121 (Huang et al. 2016, Table 1): growth rate 32, bottlenecks of four times that, compression 0.5.

use super::builder::{Builder, Conv, Tail};
use crate::inspect::layer::{Feature, Layer};

/// Channels that each layer adds.
const GROWTH: u64 = 32;
/// Layers of the four dense blocks.
const BLOCKS: [u64; 4] = [6, 12, 24, 16];

/// DenseNet-121 for a square input.
pub(super) fn densenet_121(size: u64) -> Vec<Layer> {
    let mut net = Builder::new(size);
    net.conv("conv0", Conv::normed(2 * GROWTH, 7, 2));
    let half = net.at.height.div_ceil(2);
    net.pool("pool0", "MaxPool", 3, 2, half);
    for (i, layers) in BLOCKS.into_iter().enumerate() {
        for layer in 0..layers {
            dense_layer(&mut net, &format!("dense{}_{}", i + 1, layer + 1));
        }
        if i + 1 < BLOCKS.len() {
            transition(&mut net, &format!("transition{}", i + 1));
        }
    }
    net.norm("norm5").global_pool().fully_connected("classifier", 1000);
    net.layers
}

/// Normalisation and activation come before each convolution; the result joins what it was made of.
fn dense_layer(net: &mut Builder, name: &str) {
    let before = net.at;
    net.norm(&format!("{name}/norm"));
    net.conv(&format!("{name}/1x1"), Conv::normed(4 * GROWTH, 1, 1));
    net.conv(&format!("{name}/3x3"), Conv { tail: Tail::Plain, ..Conv::normed(GROWTH, 3, 1) });
    net.at = Feature { channels: before.channels + GROWTH, ..before };
}

fn transition(net: &mut Builder, name: &str) {
    let half = net.at.channels / 2;
    net.norm(&format!("{name}/norm"));
    net.conv(&format!("{name}/1x1"), Conv { tail: Tail::Plain, ..Conv::normed(half, 1, 1) });
    let side = net.at.height / 2;
    net.pool(&format!("{name}/pool"), "AveragePool", 2, 2, side);
}
