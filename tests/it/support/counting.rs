//! A network that sees the pictures of `test://counter`: it reads the number of the frame from the blocks along the
//! lower edge, and gives the boxes that follow from it. ONNX Runtime computes it, so that what is found can only come
//! from the picture itself.

use detector::manifest::{Channels, Decode, Input, Manifest};
use prost::Message;
use std::path::{Path, PathBuf};
use workshop::onnx::{self, floats, int64s, node, proto::Graph};

/// Side of its input.
const SIDE: usize = 64;
/// How many blocks there are, and how many of them the figure's place depends on: it is the same after 2^7 frames.
const BITS: usize = 16;
const LAP_BITS: usize = 7;
/// What it finds beside the figure, always in the same places: left, top, right, bottom, and the score.
const DOG: ([f32; 4], f32) = ([0.8, 0.62, 0.95, 0.86], 0.71);
const BICYCLE: ([f32; 4], f32) = ([0.84, 0.1, 0.97, 0.4], 0.54);

/// Writes the network into `folder`; a person is the figure.
pub fn write(folder: &Path) -> PathBuf {
    let path = folder.join("counting.onnx");
    let manifest = toml::to_string(&manifest()).unwrap();
    std::fs::write(&path, onnx::model(graph(), manifest).encode_to_vec()).unwrap();
    path
}

fn manifest() -> Manifest {
    Manifest {
        name: "counting".into(),
        sha256: None,
        licence: None,
        source: None,
        labels: ["", "person", "dog", "bicycle"].map(String::from).into(),
        input: Input {
            name: "image".into(),
            width: SIDE as u32,
            height: SIDE as u32,
            channels: Channels::Rgb,
            scale: 1.0 / 255.0,
            offset: [0.0; 3],
        },
        decode: Decode::Corners { boxes: "boxes".into(), scores: "scores".into() },
    }
}

/// Block -> bit -> box: the middle of each block is brought to 0 or 1; the boxes are linear in the bits.
fn graph() -> Graph {
    let middle = |bit: usize| ((SIDE * 15 / 16) * SIDE + bit * SIDE / BITS + SIDE / BITS / 2) as i64;
    let middles: Vec<i64> = (0..BITS).map(middle).collect();
    let mut steps = vec![0.0; BITS * 12];
    for bit in 0..LAP_BITS {
        let step = 0.6 * (1 << bit) as f32 / (1 << LAP_BITS) as f32;
        steps[bit * 12] = step; // left
        steps[bit * 12 + 2] = step; // right
    }
    let figure = [0.05, 0.3, 0.05 + 0.12, 0.85];
    let at_zero = [figure, DOG.0, BICYCLE.0].concat();
    let mut scores = vec![0.0; 3 * 4];
    for (found, score) in [0.92, DOG.1, BICYCLE.1].into_iter().enumerate() {
        scores[found * 4 + found + 1] = score;
    }
    Graph {
        name: "counting".into(),
        input: vec![onnx::value("image", &[1, 3, SIDE, SIDE])],
        output: vec![onnx::value("boxes", &[1, 3, 4]), onnx::value("scores", &[1, 3, 4])],
        initializer: vec![
            int64s("flat", &[1, -1]),
            int64s("middles", &middles),
            floats("steep", &[], &[1000.0]),
            floats("half", &[], &[500.0]),
            floats("zero", &[], &[0.0]),
            floats("one", &[], &[1.0]),
            floats("steps", &[BITS, 12], &steps),
            floats("at zero", &[1, 12], &at_zero),
            floats("none", &[BITS, 12], &[0.0; BITS * 12]),
            floats("certainty", &[1, 12], &scores),
            int64s("three", &[1, 3, 4]),
        ],
        node: vec![
            node("Reshape", &["image", "flat"], "pixels", vec![]),
            node("Gather", &["pixels", "middles"], "blocks", vec![onnx::int("axis", 1)]),
            node("Mul", &["blocks", "steep"], "contrast", vec![]),
            node("Sub", &["contrast", "half"], "signed", vec![]),
            node("Clip", &["signed", "zero", "one"], "bits", vec![]),
            node("MatMul", &["bits", "steps"], "moved", vec![]),
            node("Add", &["moved", "at zero"], "corners", vec![]),
            node("Reshape", &["corners", "three"], "boxes", vec![]),
            node("MatMul", &["bits", "none"], "nothing", vec![]),
            node("Add", &["nothing", "certainty"], "certain", vec![]),
            node("Reshape", &["certain", "three"], "scores", vec![]),
        ],
        ..Default::default()
    }
}
