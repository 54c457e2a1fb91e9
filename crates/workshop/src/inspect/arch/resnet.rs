//! ResNet-50 (He et al. 2015, Table 1).

use super::builder::{Builder, Conv};
use crate::inspect::layer::Layer;

/// Which convolution of a bottleneck takes the stride.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stride {
    /// The first, of 1x1: the paper (v1).
    First,
    /// The second, of 3x3: v1.5.
    Second,
}

/// Inner channels, blocks and stride of the four stages.
const STAGES: [(u64, u64, u64); 4] = [(64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)];

/// ResNet-50 for a square input.
pub(super) fn resnet_50(size: u64, at: Stride) -> Vec<Layer> {
    let mut net = Builder::new(size);
    net.conv("conv1", Conv::normed(64, 7, 2));
    let half = net.at.height.div_ceil(2);
    net.pool("pool1", "MaxPool", 3, 2, half);
    for (stage, (inner, blocks, first_stride)) in STAGES.into_iter().enumerate() {
        for block in 0..blocks {
            let stride = if block == 0 { first_stride } else { 1 };
            let name = format!("conv{}_{}", stage + 2, block + 1);
            bottleneck(&mut net, &name, inner, stride, at);
        }
    }
    net.global_pool().fully_connected("fc", 1000);
    net.layers
}

fn bottleneck(net: &mut Builder, name: &str, inner: u64, stride: u64, at: Stride) {
    let outputs = 4 * inner;
    let mut shortcut = net.branch();
    let (first, second) = match at {
        Stride::First => (stride, 1),
        Stride::Second => (1, stride),
    };
    let changes = net.at.channels != outputs || stride != 1;
    net.conv(&format!("{name}/1x1"), Conv::normed(inner, 1, first));
    net.conv(&format!("{name}/3x3"), Conv::normed(inner, 3, second));
    net.conv(&format!("{name}/1x1_out"), Conv::normed(outputs, 1, 1));
    if changes {
        shortcut.conv(&format!("{name}/shortcut"), Conv::normed(outputs, 1, stride));
        let at = net.at;
        net.join(shortcut, at);
    }
    net.add(&format!("{name}/add"));
}
