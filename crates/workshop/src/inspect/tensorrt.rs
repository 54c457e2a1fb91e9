//! Which operators TensorRT 8.2 (JetPack 4.6.1 and newer 4.6) supports, by ONNX-TensorRT's `docs/operators.md` of release
//! 8.2-GA: operators up to opset 13, of FP32, FP16, INT8, INT32 and BOOL.

use crate::onnx::OPSET;
use crate::onnx::proto::{Graph, Model, Node, data_type};
use crate::onnx::{Shapes, declared};
use std::collections::BTreeMap;

/// Where the table is from.
pub(super) const SOURCE: &str = "onnx-tensorrt, docs/operators.md, release 8.2-GA";

/// Operators of the default domain that are supported without a condition that concerns detectors.
const TAKEN: &[&str] = &[
    "Abs",
    "Add",
    "And",
    "ArgMax",
    "ArgMin",
    "AveragePool",
    "BatchNormalization",
    "Cast",
    "Ceil",
    "Clip",
    "Concat",
    "Constant",
    "ConstantOfShape",
    "Cos",
    "DepthToSpace",
    "Div",
    "Dropout",
    "Elu",
    "Equal",
    "Erf",
    "Exp",
    "Expand",
    "Flatten",
    "Floor",
    "Gather",
    "GatherElements",
    "GatherND",
    "Gemm",
    "GlobalAveragePool",
    "GlobalMaxPool",
    "Greater",
    "HardSigmoid",
    "Identity",
    "LRN",
    "LeakyRelu",
    "Less",
    "Log",
    "LogSoftmax",
    "MatMul",
    "Max",
    "MaxPool",
    "Mean",
    "Min",
    "Mul",
    "Neg",
    "Not",
    "Or",
    "PRelu",
    "Pad",
    "Pow",
    "ReduceL2",
    "ReduceMax",
    "ReduceMean",
    "ReduceMin",
    "ReduceProd",
    "ReduceSum",
    "Relu",
    "Reshape",
    "Resize",
    "Round",
    "Shape",
    "Sigmoid",
    "Sign",
    "Sin",
    "Size",
    "Slice",
    "Softmax",
    "Softplus",
    "SpaceToDepth",
    "Split",
    "Sqrt",
    "Squeeze",
    "Sub",
    "Sum",
    "Tanh",
    "Tile",
    "Transpose",
    "Unsqueeze",
    "Upsample",
    "Where",
];

/// Operators whose named operands must be constants.
const CONSTANT_OPERANDS: &[(&str, &[usize], &str)] = &[
    ("Conv", &[1], "its weights must be an initializer"),
    ("ConvTranspose", &[1], "its weights must be an initializer"),
    ("CumSum", &[1], "its axis must be an initializer"),
    ("NonMaxSuppression", &[2, 3, 4], "its limits must be initializers; experimental, and slow on the Nano"),
    ("TopK", &[1], "its K must be an initializer"),
];

/// Operators that are not supported or are slow, and why.
const REFUSED: &[(&str, &str)] = &[
    ("If", "control flow: supported, but it splits the engine and makes the GPU wait for the CPU"),
    ("Loop", "control flow: supported, but it splits the engine and makes the GPU wait for the CPU"),
    ("Mod", "not supported before 8.5"),
    ("NonZero", "not supported before 8.5: the size of its result depends on the data"),
    ("OneHot", "not supported"),
    ("Reciprocal", "not supported"),
    ("RoiAlign", "not supported before 8.5"),
    ("Scan", "control flow: supported, but it splits the engine and makes the GPU wait for the CPU"),
    ("Unique", "not supported: the size of its result depends on the data"),
    ("Xor", "not supported before 8.4"),
];

/// Why the graph does not become one engine: each reason with the number of nodes that it concerns.
pub(super) fn obstacles(model: &Model) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    let opset = model.opset_import.iter().filter(|o| o.domain.is_empty()).map(|o| o.version).max().unwrap_or(0);
    if opset > OPSET {
        found.insert(format!("opset {opset}: only up to {OPSET} is supported"), 1);
    }
    if let Some(graph) = &model.graph {
        let shapes = Shapes::infer(graph);
        for node in &graph.node {
            if let Some(reason) = obstacle(node, &shapes) {
                *found.entry(format!("{}: {reason}", node.op_type)).or_insert(0) += 1;
            }
        }
        for reason in inputs(graph, &shapes) {
            found.insert(reason, 1);
        }
    }
    found
}

fn obstacle(node: &Node, shapes: &Shapes<'_>) -> Option<String> {
    let op = node.op_type.as_str();
    if !matches!(node.domain.as_str(), "" | "ai.onnx") {
        return Some(format!("operator of the domain {}, which needs a plugin", node.domain));
    }
    if let Some((_, reason)) = REFUSED.iter().find(|(name, _)| *name == op) {
        return Some((*reason).to_owned());
    }
    if let Some((_, operands, reason)) = CONSTANT_OPERANDS.iter().find(|(name, ..)| *name == op) {
        let given = operands.iter().filter_map(|&i| node.input.get(i)).filter(|name| !name.is_empty());
        let constant = given.into_iter().all(|name| shapes.constant(name).is_some());
        return (!constant).then(|| (*reason).to_owned());
    }
    (!TAKEN.contains(&op)).then(|| "not in the table of supported operators".to_owned())
}

fn inputs(graph: &Graph, shapes: &Shapes<'_>) -> Vec<String> {
    let mut reasons = Vec::new();
    for input in graph.input.iter().filter(|i| shapes.constant(&i.name).is_none()) {
        let tensor = input.r#type.as_ref().and_then(|t| t.tensor_type.as_ref());
        if tensor.is_some_and(|t| t.elem_type == data_type::UINT8) {
            reasons.push(format!("input {}: UINT8 is not supported before 8.5", input.name));
        }
        if declared(input).is_none() {
            reasons.push(format!("input {}: its size is not fixed, so an engine is built for each size", input.name));
        }
    }
    reasons
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::onnx::{floats, model, node, value};

    #[test]
    fn the_contract_is_taken_whole_and_control_flow_is_not() {
        let graph = Graph {
            input: vec![value("image", &[1, 3, 8, 8])],
            initializer: vec![floats("w", &[2, 3, 1, 1], &[0.0; 6])],
            node: vec![node("Conv", &["image", "w"], "c", vec![]), node("Relu", &["c"], "r", vec![])],
            ..Graph::default()
        };
        let mut model = model(graph, String::new());
        assert!(obstacles(&model).is_empty());
        let graph = model.graph.as_mut().unwrap();
        graph.node.push(node("NonZero", &["r"], "n", vec![]));
        graph.node.push(node("Conv", &["image", "r"], "d", vec![]));
        let found: Vec<String> = obstacles(&model).into_keys().collect();
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("Conv: its weights") && found[1].starts_with("NonZero: not supported"));
    }
}
