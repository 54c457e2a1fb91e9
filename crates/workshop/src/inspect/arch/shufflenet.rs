//! ShuffleNet 1x with three groups (Zhang et al. 2017, Table 1) and ShuffleNetV2 1x (Ma et al. 2018, Table 5).

use super::builder::{Builder, Conv};
use crate::inspect::layer::{Feature, Layer};

/// Units of the three stages.
const UNITS: [u64; 3] = [4, 8, 4];
/// Groups of the first version's pointwise convolutions.
const GROUPS: u64 = 3;

/// ShuffleNet 1x, three groups.
pub(super) fn v1(size: u64) -> Vec<Layer> {
    let mut net = stem(size);
    for (stage, (outputs, units)) in [240, 480, 960].into_iter().zip(UNITS).enumerate() {
        for unit in 0..units {
            let name = format!("stage{}_{}", stage + 2, unit + 1);
            // The first pointwise convolution of all has too few channels for groups.
            let groups = if (stage, unit) == (0, 0) { 1 } else { GROUPS };
            v1_unit(&mut net, &name, outputs, groups, if unit == 0 { 2 } else { 1 });
        }
    }
    net.global_pool().fully_connected("fc", 1000);
    net.layers
}

/// A bottleneck of a quarter of the channels; with a stride, the pooled input is put beside instead of added.
fn v1_unit(net: &mut Builder, name: &str, outputs: u64, groups: u64, stride: u64) {
    let before = net.at;
    let mut beside = net.branch();
    let inner = outputs / 4;
    let made = if stride == 1 { outputs } else { outputs - before.channels };
    net.conv(&format!("{name}/1x1"), Conv { groups, ..Conv::normed(inner, 1, 1) });
    net.depthwise(&format!("{name}/3x3"), 3, stride);
    net.conv(&format!("{name}/1x1_out"), Conv { groups: GROUPS, ..Conv::normed(made, 1, 1) });
    if stride == 1 {
        net.add(&format!("{name}/add"));
    } else {
        let side = net.at.height;
        beside.pool(&format!("{name}/pool"), "AveragePool", 3, 2, side);
        let output = Feature { channels: outputs, ..net.at };
        net.join(beside, output);
    }
}

/// ShuffleNetV2 1x.
pub(super) fn v2(size: u64) -> Vec<Layer> {
    let mut net = stem(size);
    for (stage, (outputs, units)) in [116, 232, 464].into_iter().zip(UNITS).enumerate() {
        for unit in 0..units {
            let name = format!("stage{}_{}", stage + 2, unit + 1);
            v2_unit(&mut net, &name, outputs, if unit == 0 { 2 } else { 1 });
        }
    }
    net.conv("conv5", Conv::normed(1024, 1, 1)).global_pool().fully_connected("fc", 1000);
    net.layers
}

/// Half of the channels pass by; with a stride, both halves are made anew from all channels.
fn v2_unit(net: &mut Builder, name: &str, outputs: u64, stride: u64) {
    let half = outputs / 2;
    let mut beside = net.branch();
    if stride == 1 {
        net.at.channels = half;
    } else {
        beside.depthwise(&format!("{name}/beside/3x3"), 3, stride);
        beside.conv(&format!("{name}/beside/1x1"), Conv::normed(half, 1, 1));
    }
    net.conv(&format!("{name}/1x1"), Conv::normed(half, 1, 1));
    net.depthwise(&format!("{name}/3x3"), 3, stride);
    net.conv(&format!("{name}/1x1_out"), Conv::normed(half, 1, 1));
    let output = Feature { channels: outputs, ..net.at };
    net.join(beside, output);
}

fn stem(size: u64) -> Builder {
    let mut net = Builder::new(size);
    net.conv("conv1", Conv::normed(24, 3, 2));
    let half = net.at.height.div_ceil(2);
    net.pool("pool1", "MaxPool", 3, 2, half);
    net
}
