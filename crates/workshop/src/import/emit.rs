//! Writes a [`Network`] as an ONNX graph: the contract of every SSD.

use super::network::{Conv, Head, Layer, Network, Op, Pool, Weights};
use crate::onnx::{self, proto};

/// Name of the input in every imported graph: `[1, 3, height, width]`.
pub(super) const IMAGE: &str = "image";
/// Name of the output with the box offsets: `[1, anchors, 4]`.
pub(super) const RAW_BOXES: &str = "raw_boxes";
/// Name of the output with the logits: `[1, anchors, classes + 1]`.
pub(super) const LOGITS: &str = "logits";

const ZERO: &str = "zero";
const SIX: &str = "six";

/// An ONNX graph without its convolutions' weights, and these: each a tensor without elements, and where they come from.
#[derive(Debug, Default)]
pub(super) struct Emitted {
    /// All but the weights.
    pub graph: proto::Graph,
    /// The weights, which belong to the graph's initialisers.
    pub weights: Vec<(proto::Tensor, Weights)>,
}

/// Turns `network` into an ONNX graph of `anchors` anchors and `columns` logits (classes and background) each.
pub(super) fn emit(network: Network, anchors: usize, columns: usize) -> Emitted {
    let names = Names { input: network.input };
    let shape = network.input_shape;
    let graph = proto::Graph {
        name: "ssd".to_owned(),
        input: vec![onnx::value(IMAGE, &[1, shape.channels, shape.height, shape.width])],
        output: vec![onnx::value(RAW_BOXES, &[1, anchors, 4]), onnx::value(LOGITS, &[1, anchors, columns])],
        ..Default::default()
    };
    let mut emitted = Emitted { graph, weights: Vec::new() };
    for step in network.steps {
        emit_step(&mut emitted, step, &names);
    }
    let graph = &mut emitted.graph;
    if graph.node.iter().any(|n| n.op_type == "Clip") {
        graph.initializer.extend([onnx::floats(ZERO, &[], &[0.0]), onnx::floats(SIX, &[], &[6.0])]);
    }
    emit_heads(graph, &network.boxes, RAW_BOXES, 4, &names);
    emit_heads(graph, &network.logits, LOGITS, columns, &names);
    emitted
}

/// From a value's name in the source to its name in the result.
struct Names {
    input: String,
}

impl Names {
    /// The input becomes [`IMAGE`]; the prefix keeps all others apart from the names of the contract.
    fn of(&self, value: &str) -> String {
        if value == self.input { IMAGE.to_owned() } else { format!("net/{value}") }
    }
}

fn emit_step(emitted: &mut Emitted, step: Layer, names: &Names) {
    let output = names.of(&step.name);
    let (op, inputs, attributes) = match step.op {
        Op::Conv(conv) => {
            let input = names.of(&conv.input);
            emit_conv(emitted, &output, &input, *conv);
            return;
        }
        Op::Relu6(from) => ("Clip", vec![names.of(&from), ZERO.to_owned(), SIX.to_owned()], vec![]),
        Op::Relu(from) => ("Relu", vec![names.of(&from)], vec![]),
        Op::Add(left, right) => ("Add", vec![names.of(&left), names.of(&right)], vec![]),
        Op::Concat(parts) => ("Concat", parts.iter().map(|p| names.of(p)).collect(), vec![onnx::int("axis", 1)]),
        Op::MaxPool(from, pool) => ("MaxPool", vec![names.of(&from)], window(pool).into()),
        // count_include_pad is 0 when absent, as TensorFlow computes it.
        Op::AveragePool(from, pool) => ("AveragePool", vec![names.of(&from)], window(pool).into()),
    };
    let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
    emitted.graph.node.push(onnx::node(op, &inputs, &output, attributes));
}

fn emit_conv(emitted: &mut Emitted, name: &str, input: &str, conv: Conv) {
    let weights = format!("{name}/weights");
    let bias = format!("{name}/bias");
    let mut attributes = Vec::from(window(conv.window));
    attributes.push(onnx::ints("dilations", &conv.dilations.map(|d| d as i64)));
    attributes.push(onnx::int("group", conv.groups as i64));
    emitted.graph.node.push(onnx::node("Conv", &[input, &weights, &bias], name, attributes));
    #[expect(clippy::cast_possible_truncation, reason = "rounded once to the network's 32-bit floats")]
    let values: Vec<f32> = conv.bias.iter().map(|&v| v as f32).collect();
    emitted.graph.initializer.push(onnx::floats(&bias, &[values.len()], &values));
    emitted.weights.push((onnx::floats(&weights, &conv.weights.dims(), &[]), conv.weights));
}

fn window(pool: Pool) -> [proto::Attribute; 3] {
    [
        onnx::ints("kernel_shape", &pool.size.map(|v| v as i64)),
        onnx::ints("strides", &pool.strides.map(|v| v as i64)),
        onnx::ints("pads", &pool.pads.map(|v| v as i64)),
    ]
}

/// Flattens each head to `[1, rows * columns * anchors, columns]` in the order y, x, anchor, and joins them.
fn emit_heads(graph: &mut proto::Graph, heads: &[Head], output: &str, columns: usize, names: &Names) {
    let shape = format!("{output}/shape");
    graph.initializer.push(onnx::int64s(&shape, &[1, -1, columns as i64]));
    let mut flat = Vec::with_capacity(heads.len());
    for (i, head) in heads.iter().enumerate() {
        let turned = format!("{output}/{i}/transposed");
        let reshaped = format!("{output}/{i}");
        let perm = onnx::ints("perm", &[0, 2, 3, 1]);
        graph.node.push(onnx::node("Transpose", &[&names.of(&head.value)], &turned, vec![perm]));
        graph.node.push(onnx::node("Reshape", &[&turned, &shape], &reshaped, vec![]));
        flat.push(reshaped);
    }
    let flat: Vec<&str> = flat.iter().map(String::as_str).collect();
    graph.node.push(onnx::node("Concat", &flat, output, vec![onnx::int("axis", 1)]));
}
