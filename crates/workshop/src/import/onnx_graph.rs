//! SSDs exported from TensorFlow to ONNX (the model zoo's, tf2onnx's), with suppression, loops and byte input inside:
//! translated node by node into the graph that the other readers make, so that cut, fold and writer are the same.
//!
//! Values are pictures of `[batch, channels, rows, columns]` here and of the other order there; as only convolutions
//! and the like are translated, a transposition between the two orders is no operation.

use super::constant::{Constant, Element, Quantisation};
use super::error::Fault;
use super::graph::{Attributes, Filter, Graph, Node};
use crate::onnx::proto::{self, data_type};
use crate::onnx::{Shapes, declared};
use bytes::Bytes;

/// Dimensions of a picture.
const RANK: usize = 4;
/// The most values that the search for a computed size visits.
const MAX_SEARCH: usize = 64;

/// Translates the nodes of `model`.
///
/// # Errors
/// [`Fault`] when the graph is damaged.
pub(super) fn translate(model: &proto::Graph) -> Result<Graph, Fault> {
    let shapes = Shapes::infer(model);
    let mut graph = Graph::default();
    for tensor in &model.initializer {
        add_constant(&mut graph, &tensor.name, tensor)?;
    }
    for input in model.input.iter().filter(|i| shapes.constant(&i.name).is_none()) {
        let shape = declared(input).unwrap_or_default().iter().map(|&d| d as i64).collect();
        let attributes = Attributes { shape, ..Attributes::default() };
        graph.add(node(&input.name, "Placeholder", &[], Some(attributes)))?;
    }
    for source in &model.node {
        if let ("Constant", Some(tensor)) =
            (source.op_type.as_str(), source.attribute("value").and_then(|a| a.t.as_ref()))
            && let Some(output) = source.output.first()
        {
            add_constant(&mut graph, output, tensor)?;
            continue;
        }
        for translated in nodes(source, &shapes) {
            graph.add(translated)?;
        }
        if let Some(size) = resized_to(source) {
            let name = format!("{}/size", source.output.first().map_or("", String::as_str));
            let raw: Vec<u8> = size.iter().flat_map(|side| side.to_le_bytes()).collect();
            let size =
                Constant { shape: vec![2], element: Element::I64, raw: raw.into(), quantisation: Quantisation::None };
            graph.add_constant(clean(&name), size)?;
            graph.add(node(&format!("{name}/resize"), "Resize", &["", &name], None))?;
        }
    }
    Ok(graph)
}

/// The name without the suffix and the characters that the graph reads as an output number or a control dependency.
fn clean(name: &str) -> String {
    name.strip_suffix(":0").unwrap_or(name).replace([':', '^'], "@")
}

fn node(name: &str, op: &str, inputs: &[&str], attributes: Option<Attributes>) -> Node {
    let inputs = inputs.iter().map(|i| clean(i)).collect();
    Node { name: clean(name), op: op.to_owned(), inputs, attributes: attributes.map(Box::new) }
}

fn add_constant(graph: &mut Graph, name: &str, tensor: &proto::Tensor) -> Result<(), Fault> {
    let element = match tensor.data_type {
        data_type::FLOAT => Element::F32,
        data_type::DOUBLE => Element::F64,
        data_type::UINT8 | data_type::BOOL => Element::U8,
        data_type::INT8 => Element::I8,
        data_type::INT32 => Element::I32,
        data_type::INT64 => Element::I64,
        // Texts and halves are no weights of these networks.
        _ => return Ok(()),
    };
    let shape =
        tensor.shape().ok_or_else(|| Fault::Malformed(format!("constant {name} has the shape {:?}", tensor.dims)))?;
    let raw = if tensor.raw_data.is_empty() { listed(tensor) } else { tensor.raw_data.clone() };
    graph.add_constant(clean(name), Constant { shape, element, raw, quantisation: Quantisation::None })
}

/// The bytes of elements that are in one of the typed lists.
fn listed(tensor: &proto::Tensor) -> Bytes {
    let bytes: Vec<u8> = match tensor.data_type {
        data_type::FLOAT => tensor.float_data.iter().flat_map(|v| v.to_le_bytes()).collect(),
        data_type::DOUBLE => tensor.double_data.iter().flat_map(|v| v.to_le_bytes()).collect(),
        data_type::INT64 => tensor.int64_data.iter().flat_map(|v| v.to_le_bytes()).collect(),
        data_type::INT32 => tensor.int32_data.iter().flat_map(|v| v.to_le_bytes()).collect(),
        _ => tensor.int32_data.iter().map(|v| v.to_le_bytes()[0]).collect(),
    };
    bytes.into()
}

/// TensorFlow's nodes for one of ONNX's; the last carries the name of its first result. Operators that no backbone has
/// keep their names, and are refused only where the heads depend on them.
fn nodes(source: &proto::Node, shapes: &Shapes<'_>) -> Vec<Node> {
    let Some(output) = source.output.first() else {
        return Vec::new();
    };
    let inputs: Vec<&str> = source.input.iter().map(String::as_str).filter(|i| !i.is_empty()).collect();
    let first = &inputs[..inputs.len().min(1)];
    match source.op_type.as_str() {
        "Conv" => convolution(source, output, &inputs, shapes),
        "MaxPool" => vec![node(output, "MaxPool", first, Some(window(source)))],
        "AveragePool" => vec![node(output, "AvgPool", first, Some(window(source)))],
        "BatchNormalization" => {
            let epsilon = source.attribute("epsilon").and_then(|a| a.f).unwrap_or(1e-5);
            let attributes = Attributes { epsilon: Some(epsilon), ..Attributes::default() };
            vec![node(output, "FusedBatchNorm", &inputs, Some(attributes))]
        }
        "Clip" if bounds(source, shapes) == (Some(0.0), Some(6.0)) => vec![node(output, "Relu6", first, None)],
        "Concat" => {
            let axis = source.attribute("axis").and_then(|a| a.i);
            // The channels of a picture are the second dimension here and the last there.
            let picture = shapes.of(output).is_some_and(|s| s.len() == RANK);
            let axis = if picture && axis == Some(1) { Some(3) } else { axis };
            vec![node(output, "Concat", &inputs, Some(Attributes { axis, ..Attributes::default() }))]
        }
        "Transpose" if is_change_of_order(source) => vec![node(output, "Identity", first, None)],
        "Cast" | "Dropout" | "Identity" => vec![node(output, "Identity", first, None)],
        "Unsqueeze" => vec![node(output, "ExpandDims", &inputs, None)],
        op => vec![node(output, op, &inputs, None)],
    }
}

fn is_change_of_order(source: &proto::Node) -> bool {
    source.attribute("perm").is_some_and(|a| matches!(a.ints.as_slice(), [0, 2, 3, 1] | [0, 3, 1, 2]))
}

fn convolution(source: &proto::Node, output: &str, inputs: &[&str], shapes: &Shapes<'_>) -> Vec<Node> {
    let groups = source.attribute("group").and_then(|a| a.i).unwrap_or(1);
    let of_group = inputs.get(1).and_then(|w| shapes.of(w)).and_then(|s| s.get(1)).copied();
    let op = match (groups, of_group) {
        (1, _) => "Conv2D",
        (_, Some(1)) => "DepthwiseConv2dNative",
        // Refused by this name.
        _ => "Conv of several groups",
    };
    let mut attributes = window(source);
    attributes.filter = Filter::Onnx;
    let dilations = source.attribute("dilations").map_or(&[1, 1][..], |a| a.ints.as_slice());
    attributes.dilations = spread(dilations);
    match *inputs {
        [data, weights, bias] => {
            let sum = format!("{output}/convolution");
            let conv = node(&sum, op, &[data, weights], Some(attributes));
            vec![conv, node(output, "BiasAdd", &[&sum, bias], None)]
        }
        _ => vec![node(output, op, inputs, Some(attributes))],
    }
}

/// Window, strides and padding of a convolution or pooling.
fn window(source: &proto::Node) -> Attributes {
    let ints = |name: &str| source.attribute(name).map(|a| a.ints.clone()).unwrap_or_default();
    let auto = source.attribute("auto_pad").and_then(|a| a.s.as_deref());
    let up = source.attribute("ceil_mode").and_then(|a| a.i).unwrap_or(0) != 0;
    let padding = match auto {
        _ if up => "rounded up",
        Some(b"SAME_UPPER") => "SAME",
        Some(b"VALID") => "VALID",
        None | Some(b"NOTSET" | b"") => "EXPLICIT",
        Some(_) => "SAME_LOWER",
    };
    let strides = ints("strides");
    let strides = if strides.is_empty() { vec![1, 1] } else { strides };
    Attributes {
        strides: spread(&strides),
        window: spread(&ints("kernel_shape")),
        padding: Some(padding.to_owned()),
        pads: ints("pads"),
        ..Attributes::default()
    }
}

/// Rows and columns in the places they have in TensorFlow's lists.
fn spread(pair: &[i64]) -> Vec<i64> {
    match *pair {
        [rows, columns] => vec![1, rows, columns, 1],
        _ => pair.to_vec(),
    }
}

/// The bounds of a `Clip`: attributes before opset 11, constants from then on.
fn bounds(source: &proto::Node, shapes: &Shapes<'_>) -> (Option<f32>, Option<f32>) {
    let bound = |name: &str, operand: usize| {
        let constant = source.input.get(operand).and_then(|i| shapes.constant(i)).and_then(proto::Tensor::floats);
        let constant = constant.and_then(|values| values.first().copied());
        constant.or_else(|| source.attribute(name).and_then(|a| a.f))
    };
    (bound("min", 1), bound("max", 2))
}

/// The size to which the body of a loop resizes pictures, where it names it: the preprocessing of exported detectors.
fn resized_to(source: &proto::Node) -> Option<[i64; 2]> {
    let body = source.attribute("body").and_then(|a| a.g.as_ref())?;
    let constant = |name: &str| {
        let initializer = body.initializer.iter().find(|t| t.name == name);
        let node = body.node.iter().find(|n| n.op_type == "Constant" && n.output.iter().any(|o| o == name));
        initializer.or_else(|| node.and_then(|n| n.attribute("value")).and_then(|a| a.t.as_ref()))
    };
    let resize = body.node.iter().find(|n| n.op_type == "Resize")?;
    // From the sizes or scales back through what computes them.
    let mut names: Vec<&str> = resize.input.iter().skip(1).map(String::as_str).collect();
    for at in 0..MAX_SEARCH {
        let name = *names.get(at)?;
        match constant(name).and_then(proto::Tensor::ints).as_deref() {
            Some(&[height, width] | &[1, height, width, 3] | &[1, 3, height, width]) if height > 1 => {
                return Some([height, width]);
            }
            _ => {
                let producer = body.node.iter().find(|n| n.output.iter().any(|o| o == name));
                names.extend(producer.iter().flat_map(|n| n.input.iter()).take(MAX_SEARCH).map(String::as_str));
            }
        }
    }
    None
}
