//! The cost of each layer of an ONNX graph.

use super::layer::{Feature, Field, Kind, Layer};
use crate::onnx::proto::{Graph, Node};
use crate::onnx::{Shapes, declared};
use std::collections::{HashMap, HashSet};

/// Operators that run with the layer before them, so that what they read and make does not pass through the memory.
const FUSED: &[&str] = &["BatchNormalization", "Clip", "Dropout", "Identity", "LeakyRelu", "PRelu", "Relu", "Sigmoid"];

/// The layers of `graph` in their order. Where a shape is not known, the layer's multiply-adds and activations are 0
/// and its input or output is `None`.
pub(super) fn layers(graph: &Graph) -> Vec<Layer> {
    let shapes = Shapes::infer(graph);
    let inputs = graph.input.iter().filter(|i| shapes.constant(&i.name).is_none() && declared(i).is_some());
    let mut counter =
        Counter { fields: inputs.map(|i| (i.name.as_str(), Field::PIXEL)).collect(), counted: HashSet::new(), shapes };
    graph.node.iter().map(|node| counter.layer(node)).collect()
}

struct Counter<'a> {
    shapes: Shapes<'a>,
    /// The field of each value that depends on the input.
    fields: HashMap<&'a str, Field>,
    /// Constants whose parameters were counted: shared ones count once.
    counted: HashSet<&'a str>,
}

impl<'a> Counter<'a> {
    fn layer(&mut self, node: &'a Node) -> Layer {
        let output = node.output.first().map_or("", String::as_str);
        let activations = self.shapes.of(output).map_or(0, |s| length(s));
        let kind = self.kind(node);
        let multiply_adds = self.multiply_adds(node, kind, activations);
        let read = node.input.iter().filter(|i| self.fields.contains_key(i.as_str()));
        let read = read.filter_map(|i| self.shapes.of(i)).map(|s| length(s)).fold(0, u64::saturating_add);
        let fused = FUSED.contains(&node.op_type.as_str());
        Layer {
            name: if node.name.is_empty() { output.to_owned() } else { node.name.clone() },
            operator: node.op_type.clone(),
            kind,
            input: node.input.first().and_then(|i| self.feature(i)),
            output: self.feature(output),
            parameters: self.parameters(node),
            multiply_adds,
            activations,
            moved: if fused { 0 } else { read.saturating_add(activations) },
            field: self.field(node, output),
        }
    }

    fn weights(&self, node: &Node) -> Option<&[usize]> {
        node.input.get(1).and_then(|w| self.shapes.of(w)).map(Vec::as_slice)
    }

    fn kind(&self, node: &Node) -> Kind {
        match (node.op_type.as_str(), self.weights(node)) {
            ("Conv", Some([_, inputs, window @ ..])) => {
                let groups = node.attribute("group").and_then(|a| a.i).unwrap_or(1);
                match (groups, *inputs) {
                    (1, _) if window.iter().all(|&k| k == 1) => Kind::Pointwise,
                    (1, _) => Kind::Standard,
                    (_, 1) => Kind::Depthwise,
                    _ => Kind::Grouped,
                }
            }
            ("Gemm" | "MatMul", Some(_)) => Kind::FullyConnected,
            _ => Kind::Other,
        }
    }

    /// Each value of a convolution is the sum over the window and the inputs of a group; of a product, over the rows.
    fn multiply_adds(&self, node: &Node, kind: Kind, activations: u64) -> u64 {
        let each = match (kind, self.weights(node)) {
            (Kind::Other, _) | (_, None) => 0,
            (Kind::FullyConnected, Some(weights)) => {
                let turned = node.attribute("transB").and_then(|a| a.i).unwrap_or(0) != 0;
                let rows = if turned { weights.last() } else { weights.iter().rev().nth(1) };
                rows.map_or(0, |&r| r as u64)
            }
            (_, Some(weights)) => length(weights.get(1..).unwrap_or_default()),
        };
        activations.saturating_mul(each)
    }

    /// Weights and biases of layers that have any; constants that are shapes or bounds are none.
    fn parameters(&mut self, node: &'a Node) -> u64 {
        let count = match node.op_type.as_str() {
            "Conv" | "Gemm" | "MatMul" | "ConvTranspose" | "PRelu" => usize::MAX,
            // Scale and shift; mean and variance are statistics.
            "BatchNormalization" => 2,
            _ => 0,
        };
        let mut sum: u64 = 0;
        for input in node.input.iter().skip(1).take(count) {
            if let Some(constant) = self.shapes.constant(input)
                && self.counted.insert(input)
            {
                sum = sum.saturating_add(constant.len().map_or(0, |n| n as u64));
            }
        }
        sum
    }

    /// The shape of `value`, if that is a picture.
    fn feature(&self, value: &str) -> Option<Feature> {
        match self.shapes.of(value)?.as_slice() {
            &[_, channels, height, width] => {
                Some(Feature { channels: channels as u64, height: height as u64, width: width as u64 })
            }
            _ => None,
        }
    }

    /// The part of the input that a value of `node`'s result sees: noted for `output` if it depends on the input.
    fn field(&mut self, node: &'a Node, output: &'a str) -> Field {
        let before = node.input.iter().filter_map(|i| self.fields.get(i.as_str())).copied().reduce(Field::or);
        let Some(before) = before else {
            return Field::PIXEL;
        };
        let first = |name: &str, default: i64| {
            let value = node.attribute(name).and_then(|a| a.ints.first().copied()).unwrap_or(default);
            u64::try_from(value).unwrap_or(1)
        };
        let taps = self.weights(node).and_then(|w| w.get(2).copied()).map_or(1, |k| k as u64);
        let field = match node.op_type.as_str() {
            "Conv" => {
                let span = taps.saturating_sub(1).saturating_mul(first("dilations", 1)).saturating_add(1);
                before.behind(span, first("strides", 1))
            }
            "MaxPool" | "AveragePool" => before.behind(first("kernel_shape", 1), first("strides", 1)),
            _ => before,
        };
        self.fields.insert(output, field);
        field
    }
}

fn length(shape: &[usize]) -> u64 {
    shape.iter().fold(1_u64, |n, &d| n.saturating_mul(d as u64))
}

#[cfg(test)]
mod tests {
    use super::super::report::Inspection;
    use super::*;
    use crate::onnx::proto::Tensor;
    use crate::onnx::{ints, node, value};

    #[test]
    fn dimensions_beyond_all_reason_do_not_overflow() {
        let huge = [1 << 24; 8];
        let constant = |name: &str| Tensor { name: name.into(), dims: vec![i64::MAX], ..Tensor::default() };
        let dilations = ints("dilations", &[i64::MAX]);
        let graph = Graph {
            input: vec![value("a", &huge), value("b", &huge)],
            initializer: vec![constant("w"), constant("v"), constant("u")],
            node: vec![
                node("Add", &["a", "b"], "sum", vec![]),
                node("Conv", &["sum", "a"], "conv", vec![dilations]),
                node("Gemm", &["conv", "w", "v", "u"], "gemm", vec![]),
            ],
            ..Graph::default()
        };
        let inspection = Inspection::new("hostile".into(), layers(&graph));
        assert!(inspection.totals.parameters > 0 && inspection.roofline.time_ms.is_finite());
    }
}
