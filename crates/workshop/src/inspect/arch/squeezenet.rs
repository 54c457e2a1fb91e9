//! SqueezeNet 1.0 (Iandola et al. 2016, Table 1).

use super::builder::{Builder, Conv, Tail};
use crate::inspect::layer::{Feature, Layer};

/// Squeezed and expanded channels (of each of both kernels) of the eight fire modules.
const FIRES: [(u64, u64); 8] = [(16, 64), (16, 64), (32, 128), (32, 128), (48, 192), (48, 192), (64, 256), (64, 256)];
/// Fire modules with a pooling behind them.
const POOLED: [usize; 2] = [2, 6];

/// SqueezeNet 1.0 for a square input; no padding in the first convolution, pooling rounded up.
pub(super) fn squeezenet_10(size: u64) -> Vec<Layer> {
    let mut net = Builder::new(size);
    let side = (size.saturating_sub(7)) / 2 + 1;
    let conv = Conv { tail: Tail::Bias, ..Conv::normed(96, 7, 2) };
    net.conv_to("conv1", conv, Feature { channels: 96, height: side, width: side });
    pool(&mut net, "pool1");
    for (i, (squeezed, expanded)) in FIRES.into_iter().enumerate() {
        fire(&mut net, &format!("fire{}", i + 2), squeezed, expanded);
        if POOLED.contains(&i) {
            pool(&mut net, &format!("pool{}", i + 2));
        }
    }
    net.conv("conv10", Conv { tail: Tail::Bias, ..Conv::normed(1000, 1, 1) }).global_pool();
    net.layers
}

fn pool(net: &mut Builder, name: &str) {
    let side = net.at.height.saturating_sub(3).div_ceil(2) + 1;
    net.pool(name, "MaxPool", 3, 2, side);
}

fn fire(net: &mut Builder, name: &str, squeezed: u64, expanded: u64) {
    let conv = |outputs, kernel| Conv { tail: Tail::Bias, ..Conv::normed(outputs, kernel, 1) };
    net.conv(&format!("{name}/squeeze"), conv(squeezed, 1));
    let mut wide = net.branch();
    wide.conv(&format!("{name}/expand3x3"), conv(expanded, 3));
    net.conv(&format!("{name}/expand1x1"), conv(expanded, 1));
    let output = Feature { channels: 2 * expanded, ..net.at };
    net.join(wide, output);
}
