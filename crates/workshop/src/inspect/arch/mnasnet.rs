//! MnasNet-A1 (Tan et al. 2018, Figure 7a).

use super::builder::{Builder, Conv, Tail};
use crate::inspect::layer::{Feature, Layer};

/// One row of the figure: inverted bottlenecks that are alike.
struct Row {
    expansion: u64,
    kernel: u64,
    outputs: u64,
    repeats: u64,
    stride: u64,
    /// Squeeze and excitation: channels of the block's input over those squeezed to; none when `None`.
    squeeze: Option<u64>,
}

const fn row(expansion: u64, kernel: u64, outputs: u64, repeats: u64, stride: u64, squeeze: Option<u64>) -> Row {
    Row { expansion, kernel, outputs, repeats, stride, squeeze }
}

/// The rows behind the separable convolution to 16 channels.
const ROWS: [Row; 6] = [
    row(6, 3, 24, 2, 2, None),
    row(3, 5, 40, 3, 2, Some(4)),
    row(6, 3, 80, 4, 2, None),
    row(6, 3, 112, 2, 1, Some(4)),
    row(6, 5, 160, 3, 2, Some(4)),
    row(6, 3, 320, 1, 1, None),
];

/// MnasNet-A1 for a square input.
pub(super) fn a1(size: u64) -> Vec<Layer> {
    let mut net = Builder::new(size);
    net.conv("conv", Conv::normed(32, 3, 2));
    net.depthwise("separable/depthwise", 3, 1).conv("separable/pointwise", Conv::normed(16, 1, 1));
    for (i, row) in ROWS.iter().enumerate() {
        for repeat in 0..row.repeats {
            let stride = if repeat == 0 { row.stride } else { 1 };
            block(&mut net, &format!("block_{}_{}", i + 1, repeat + 1), row, stride);
        }
    }
    net.conv("conv_last", Conv::normed(1280, 1, 1)).global_pool().fully_connected("classifier", 1000);
    net.layers
}

fn block(net: &mut Builder, name: &str, row: &Row, stride: u64) {
    let before = net.at;
    net.conv(&format!("{name}/expand"), Conv::normed(before.channels * row.expansion, 1, 1));
    net.depthwise(&format!("{name}/depthwise"), row.kernel, stride);
    if let Some(ratio) = row.squeeze {
        squeeze_and_excite(net, name, before.channels / ratio);
    }
    net.conv(&format!("{name}/project"), Conv::normed(row.outputs, 1, 1));
    if net.at == before {
        net.add(&format!("{name}/add"));
    }
}

/// Two convolutions of one pixel over the mean of each channel, which then scales the channels.
fn squeeze_and_excite(net: &mut Builder, name: &str, squeezed: u64) {
    let whole = net.at;
    let mut gate = net.branch();
    gate.at = Feature { height: 1, width: 1, ..whole };
    let conv = |outputs| Conv { tail: Tail::Bias, ..Conv::normed(outputs, 1, 1) };
    gate.conv(&format!("{name}/squeeze"), conv(squeezed)).conv(&format!("{name}/excite"), conv(whole.channels));
    net.join(gate, whole);
}
