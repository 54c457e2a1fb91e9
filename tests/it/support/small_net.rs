//! A small detector with random weights, computed in the plainest way, and emitted as ONNX.

use workshop::onnx::proto::Graph;
use workshop::onnx::{floats, int, ints, node};

/// Side of its input.
pub const SIZE: usize = 32;

/// A value, channel by channel, rows by columns.
#[derive(Clone)]
pub struct Map {
    pub side: usize,
    pub channels: usize,
    /// Anchors in each cell, where it is a head.
    pub anchors: usize,
    pub values: Vec<f32>,
}

impl Map {
    /// The values cell by cell, channels last.
    pub fn cells(&self) -> Vec<f32> {
        let cells = self.side * self.side;
        (0..cells).flat_map(|i| (0..self.channels).map(move |c| self.values[c * cells + i])).collect()
    }
}

struct Conv {
    name: String,
    input: String,
    channels: [usize; 2],
    kernel: usize,
    stride: usize,
    /// Padding above and left, below and right.
    pads: [usize; 2],
    groups: usize,
    relu6: bool,
    weights: Vec<f32>,
    bias: Vec<f32>,
}

/// What the heads compute.
pub struct Computed {
    pub boxes: Vec<Map>,
    pub logits: Vec<Map>,
}

pub struct Net {
    convs: Vec<Conv>,
    maps: Vec<Map>,
}

/// A linear congruential generator: the same weights on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f32 / (1_u64 << 24) as f32 - 0.5
    }

    fn many(&mut self, count: usize, scale: f32) -> Vec<f32> {
        (0..count).map(|_| self.next() * scale).collect()
    }
}

impl Net {
    /// Two feature maps of 8x8 with 3 anchors and 4x4 with 6 anchors, each with `columns` logits.
    pub fn random(seed: u64, columns: usize) -> Self {
        let mut random = Random(seed);
        let mut convs = Vec::new();
        let mut add = |name: &str, input: &str, channels: [usize; 2], kernel, stride, groups, relu6| {
            let fan_in = channels[0] / groups * kernel * kernel;
            let weights = random.many(channels[1] * fan_in, 4.0 / (fan_in as f32).sqrt());
            let bias = random.many(channels[1], 1.0);
            // With a stride of 2, TensorFlow's odd pixel is below and right.
            let pads = if kernel == 1 { [0, 0] } else { [2 - stride, 1] };
            let (name, input) = (name.to_owned(), input.to_owned());
            convs.push(Conv { name, input, channels, kernel, stride, pads, groups, relu6, weights, bias });
        };
        add("c1", "image", [3, 8], 3, 2, 1, true);
        add("dw", "c1", [8, 8], 3, 2, 8, true);
        add("pw", "dw", [8, 12], 1, 1, 1, true);
        add("c2", "pw", [12, 16], 3, 2, 1, true);
        add("box_0", "pw", [12, 3 * 4], 1, 1, 1, false);
        add("class_0", "pw", [12, 3 * columns], 1, 1, 1, false);
        add("box_1", "c2", [16, 6 * 4], 1, 1, 1, false);
        add("class_1", "c2", [16, 6 * columns], 1, 1, 1, false);
        let map = |side, anchors| Map { side, channels: 0, anchors, values: Vec::new() };
        Self { convs, maps: vec![map(8, 3), map(4, 6)] }
    }

    /// Its feature maps, without values.
    pub fn maps(&self) -> &[Map] {
        &self.maps
    }

    /// Appends it to `graph`, reading `input`; the heads are called `box_0`, `class_0` and so on.
    pub fn emit(&self, graph: &mut Graph, input: &str) {
        graph.initializer.extend([floats("zero", &[], &[0.0]), floats("six", &[], &[6.0])]);
        for conv in &self.convs {
            let (weights, bias) = (format!("{}/w", conv.name), format!("{}/b", conv.name));
            let dims = [conv.channels[1], conv.channels[0] / conv.groups, conv.kernel, conv.kernel];
            graph.initializer.push(floats(&weights, &dims, &conv.weights));
            graph.initializer.push(floats(&bias, &[conv.channels[1]], &conv.bias));
            let from = if conv.input == "image" { input } else { &conv.input };
            let sum = if conv.relu6 { format!("{}/sum", conv.name) } else { conv.name.clone() };
            let [before, after] = conv.pads.map(|p| p as i64);
            let attributes = vec![
                ints("strides", &[conv.stride as i64; 2]),
                ints("pads", &[before, before, after, after]),
                int("group", conv.groups as i64),
            ];
            graph.node.push(node("Conv", &[from, &weights, &bias], &sum, attributes));
            if conv.relu6 {
                graph.node.push(node("Clip", &[&sum, "zero", "six"], &conv.name, vec![]));
            }
        }
    }

    /// Computes it, one value after the other.
    pub fn run(&self, picture: &[f32]) -> Computed {
        let image = Map { side: SIZE, channels: 3, anchors: 0, values: picture.to_vec() };
        let mut made: Vec<(String, Map)> = vec![("image".into(), image)];
        for conv in &self.convs {
            let from = &made.iter().find(|m| m.0 == conv.input).expect("made before").1;
            let map = conv.run(from);
            made.push((conv.name.clone(), map));
        }
        let heads = |kind: &str| made.iter().filter(|m| m.0.starts_with(kind)).map(|m| m.1.clone()).collect();
        Computed { boxes: heads("box_"), logits: heads("class_") }
    }
}

impl Conv {
    fn run(&self, from: &Map) -> Map {
        let side = (from.side + self.pads[0] + self.pads[1] - self.kernel) / self.stride + 1;
        let (inputs, outputs) = (self.channels[0] / self.groups, self.channels[1] / self.groups);
        let mut values = Vec::with_capacity(side * side * self.channels[1]);
        for o in 0..self.channels[1] {
            for (y, x) in (0..side).flat_map(|y| (0..side).map(move |x| (y, x))) {
                let mut sum = f64::from(self.bias[o]);
                for i in 0..inputs {
                    for (ky, kx) in (0..self.kernel).flat_map(|ky| (0..self.kernel).map(move |kx| (ky, kx))) {
                        let at = |k: usize, p: usize| (p * self.stride + k).checked_sub(self.pads[0]);
                        let (Some(sy), Some(sx)) = (at(ky, y), at(kx, x)) else { continue };
                        if sy < from.side && sx < from.side {
                            let channel = o / outputs * inputs + i;
                            let weight = self.weights[((o * inputs + i) * self.kernel + ky) * self.kernel + kx];
                            sum += f64::from(from.values[(channel * from.side + sy) * from.side + sx] * weight);
                        }
                    }
                }
                let sum = sum as f32;
                values.push(if self.relu6 { sum.clamp(0.0, 6.0) } else { sum });
            }
        }
        Map { side, channels: self.channels[1], anchors: 0, values }
    }
}
