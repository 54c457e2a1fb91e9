//! Small constructors for the parts of a model.

use super::proto::{
    Attribute, Dimension, DimensionValue, Graph, Metadata, Model, Node, OperatorSet, Shape, Tensor, TensorType,
};
use super::proto::{Type, ValueInfo, attribute_type, data_type};
use bytes::Bytes;

/// The operator set written: the newest that ONNX Runtime 1.11 with TensorRT 8.2 takes whole.
pub const OPSET: i64 = 13;
/// The file format version written, which every ONNX Runtime from 1.4 reads.
pub const IR_VERSION: i64 = 7;
/// The metadata key of the embedded manifest.
pub const MANIFEST_KEY: &str = "sightd";

/// A node with one result, which also names the node.
pub fn node(op: &str, inputs: &[&str], output: &str, attributes: Vec<Attribute>) -> Node {
    Node {
        input: inputs.iter().map(|&i| i.to_owned()).collect(),
        output: vec![output.to_owned()],
        name: output.to_owned(),
        op_type: op.to_owned(),
        attribute: attributes,
        domain: String::new(),
    }
}

/// An integer attribute.
pub fn int(name: &str, value: i64) -> Attribute {
    Attribute { name: name.to_owned(), i: Some(value), r#type: attribute_type::INT, ..Default::default() }
}

/// An attribute that is a list of integers.
pub fn ints(name: &str, values: &[i64]) -> Attribute {
    Attribute { name: name.to_owned(), ints: values.to_vec(), r#type: attribute_type::INTS, ..Default::default() }
}

/// A constant of 32-bit floats. `dims` is outermost first; empty for a scalar.
pub fn floats(name: &str, dims: &[usize], values: &[f32]) -> Tensor {
    let raw: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    tensor(name, dims, data_type::FLOAT, raw.into())
}

/// A one-dimensional constant of 64-bit integers.
pub fn int64s(name: &str, values: &[i64]) -> Tensor {
    let raw: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    tensor(name, &[values.len()], data_type::INT64, raw.into())
}

fn tensor(name: &str, dims: &[usize], data_type: i32, raw_data: Bytes) -> Tensor {
    let dims = dims.iter().map(|&d| d as i64).collect();
    Tensor { dims, data_type, name: name.to_owned(), raw_data, ..Default::default() }
}

/// A float input or output of fixed size.
pub fn value(name: &str, dims: &[usize]) -> ValueInfo {
    let dim = |&d: &usize| Dimension { value: Some(DimensionValue::Size(d as i64)) };
    let shape = Shape { dim: dims.iter().map(dim).collect() };
    let tensor_type = TensorType { elem_type: data_type::FLOAT, shape: Some(shape) };
    ValueInfo { name: name.to_owned(), r#type: Some(Type { tensor_type: Some(tensor_type) }) }
}

/// A model of ONNX's own operators at [`OPSET`], with `manifest` (TOML) in its metadata.
pub fn model(graph: Graph, manifest: String) -> Model {
    Model {
        ir_version: IR_VERSION,
        producer_name: env!("CARGO_PKG_NAME").to_owned(),
        producer_version: env!("CARGO_PKG_VERSION").to_owned(),
        graph: Some(graph),
        opset_import: vec![OperatorSet { domain: String::new(), version: OPSET }],
        metadata_props: vec![Metadata { key: MANIFEST_KEY.to_owned(), value: manifest }],
    }
}

impl Model {
    /// The value of the metadata entry `key`; the last one counts, as in ONNX Runtime.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.metadata_props.iter().rfind(|m| m.key == key).map(|m| m.value.as_str())
    }
}
