//! face-api's SSD-MobileNet-v1: a list of quantised weights without a graph. The graph is that of its source, with
//! TensorFlow's operators.

use super::constant::Constant;
use super::error::Fault;
use super::graph::{Attributes, Graph, Node};
use super::tfjs::{self, WeightGroup};
use bytes::Bytes;

/// Side of the input in pixels.
const SIZE: i64 = 512;
/// Convolutions of MobileNet-v1 after the first, in pairs of depthwise and pointwise.
const BLOCKS: std::ops::RangeInclusive<usize> = 1..=13;
/// Blocks whose depthwise convolution halves the size.
const HALVING: [usize; 4] = [2, 4, 6, 12];
/// Blocks whose output is a feature map.
const FEATURES: [usize; 2] = [11, 13];
/// Convolutions behind MobileNet; every second one halves the size and is a feature map.
const EXTRA: std::ops::Range<usize> = 0..8;
/// Logits of each anchor in the file: background, face, and one that is not in use.
const COLUMNS_STORED: usize = 3;
/// Logits that are kept.
const COLUMNS: usize = 2;
/// What TensorFlow's batch normalisation adds to the variance.
const EPSILON: f32 = 0.001;

/// Whether `json` is the list of weights of face-api's detector.
pub(super) fn recognises(json: &[u8]) -> bool {
    let groups = tfjs::parse_json::<Vec<WeightGroup>>(json);
    groups.is_ok_and(|groups| groups.iter().any(|g| g.names().any(|n| n.starts_with("MobilenetV1/"))))
}

/// Builds the detector's graph round its weights. `shard` gives the bytes of a file named in the list.
///
/// # Errors
/// [`Fault`] when the list is damaged or does not fit its files.
pub(super) fn read(json: &[u8], shard: &mut dyn FnMut(&str) -> Result<Bytes, Fault>) -> Result<Graph, Fault> {
    let groups: Vec<WeightGroup> = tfjs::parse_json(json)?;
    let mut builder = Builder { graph: Graph::default() };
    for group in &groups {
        for (name, constant) in tfjs::constants(group, shard)? {
            let constant = if name.contains("/ClassPredictor/") { without_unused(&name, &constant)? } else { constant };
            builder.graph.add_constant(name, constant)?;
        }
    }
    let features = builder.backbone()?;
    builder.heads(&features)?;
    Ok(builder.graph)
}

/// Weights or biases of the class predictor, without the logit that is not in use.
fn without_unused(name: &str, constant: &Constant) -> Result<Constant, Fault> {
    constant.check().map_err(|error| Fault::Constant { name: name.to_owned(), error })?;
    let [stored, kept] = [COLUMNS_STORED, COLUMNS].map(|columns| columns * constant.element.size());
    let raw: Vec<u8> = constant.raw.chunks(stored).flat_map(|anchor| anchor.iter().take(kept)).copied().collect();
    let mut shape = constant.shape.clone();
    match shape.last_mut() {
        Some(last) if last.is_multiple_of(COLUMNS_STORED) => *last = *last / COLUMNS_STORED * COLUMNS,
        _ => {
            return Err(Fault::Malformed(format!(
                "{name} has the shape {shape:?}, not {COLUMNS_STORED} for an anchor"
            )));
        }
    }
    Ok(Constant { shape, raw: raw.into(), ..constant.clone() })
}

struct Builder {
    graph: Graph,
}

impl Builder {
    /// MobileNet-v1 and the convolutions behind it; the names of the six feature maps.
    fn backbone(&mut self) -> Result<Vec<String>, Fault> {
        let shape = Attributes { shape: vec![1, SIZE, SIZE, 3], ..Attributes::default() };
        let mut at = self.node("image", "Placeholder", &[], Some(shape))?;
        let mut features = Vec::new();
        at = self.pointwise(&at, "MobilenetV1/Conv2d_0_pointwise", 2)?;
        for block in BLOCKS {
            let stride = if HALVING.contains(&block) { 2 } else { 1 };
            at = self.depthwise(&at, &format!("MobilenetV1/Conv2d_{block}_depthwise"), stride)?;
            at = self.pointwise(&at, &format!("MobilenetV1/Conv2d_{block}_pointwise"), 1)?;
            if FEATURES.contains(&block) {
                features.push(at.clone());
            }
        }
        for extra in EXTRA {
            let last = extra % 2 == 1;
            at = self.pointwise(&at, &format!("Prediction/Conv2d_{extra}_pointwise"), if last { 2 } else { 1 })?;
            if last {
                features.push(at.clone());
            }
        }
        Ok(features)
    }

    fn heads(&mut self, features: &[String]) -> Result<(), Fault> {
        for predictor in ["BoxEncodingPredictor", "ClassPredictor"] {
            let mut flat = Vec::new();
            for (i, feature) in features.iter().enumerate() {
                let scope = format!("Prediction/BoxPredictor_{i}/{predictor}");
                let head = self.convolution(feature, &scope, "biases", 1)?;
                flat.push(self.node(&format!("{scope}/Reshape"), "Reshape", &[&head], None)?);
            }
            let flat: Vec<&str> = flat.iter().map(String::as_str).collect();
            self.node(predictor, "ConcatV2", &flat, None)?;
        }
        Ok(())
    }

    fn depthwise(&mut self, input: &str, scope: &str, stride: i64) -> Result<String, Fault> {
        let weights = format!("{scope}/depthwise_weights");
        let conv = format!("{scope}/depthwise");
        let conv = self.node(&conv, "DepthwiseConv2dNative", &[input, &weights], Some(same(stride)))?;
        let statistics = ["gamma", "beta", "moving_mean", "moving_variance"].map(|s| format!("{scope}/BatchNorm/{s}"));
        let [gamma, beta, mean, variance] = statistics.each_ref().map(String::as_str);
        let epsilon = Attributes { epsilon: Some(EPSILON), ..Attributes::default() };
        let operands = [conv.as_str(), gamma, beta, mean, variance];
        let norm = self.node(&format!("{scope}/BatchNorm"), "FusedBatchNorm", &operands, Some(epsilon))?;
        self.node(&format!("{scope}/Relu6"), "Relu6", &[&norm], None)
    }

    fn pointwise(&mut self, input: &str, scope: &str, stride: i64) -> Result<String, Fault> {
        let conv = self.convolution(input, scope, "convolution_bn_offset", stride)?;
        self.node(&format!("{scope}/Relu6"), "Relu6", &[&conv], None)
    }

    fn convolution(&mut self, input: &str, scope: &str, bias: &str, stride: i64) -> Result<String, Fault> {
        let (weights, bias) = (format!("{scope}/weights"), format!("{scope}/{bias}"));
        let conv = self.node(&format!("{scope}/Conv2D"), "Conv2D", &[input, &weights], Some(same(stride)))?;
        self.node(&format!("{scope}/BiasAdd"), "BiasAdd", &[&conv, &bias], None)
    }

    fn node(&mut self, name: &str, op: &str, inputs: &[&str], attributes: Option<Attributes>) -> Result<String, Fault> {
        self.graph.add(Node {
            name: name.to_owned(),
            op: op.to_owned(),
            inputs: inputs.iter().map(|&i| i.to_owned()).collect(),
            attributes: attributes.map(Box::new),
        })?;
        Ok(name.to_owned())
    }
}

fn same(stride: i64) -> Attributes {
    Attributes { strides: vec![1, stride, stride, 1], padding: Some("SAME".into()), ..Attributes::default() }
}
