//! TensorFlow frozen graphs: a `GraphDef` message with the weights as `Const` nodes.
//!
//! Field numbers are those of `graph.proto`, `node_def.proto`, `attr_value.proto` and `tensor.proto`. Only what some
//! step looks at is built, and constants are views of the file's bytes.

use super::constant::{Constant, Element, Quantisation};
use super::error::Fault;
use super::graph::{Attributes, Graph, Node};
use crate::wire::{Fields, Value, WireError};
use bytes::{Bytes, BytesMut};

/// The longest list of whole numbers that is read one number at a time: shapes, sizes and the like. Each takes one
/// byte in the file and eight in memory.
const MAX_INTS: usize = 64;

/// `GraphDef.node`
const GRAPH_NODE: u32 = 1;

/// Whether `bytes` begin like a frozen graph: with a node that has a name and an operator.
pub(super) fn recognises(bytes: &Bytes) -> bool {
    let first = Fields::of(bytes.clone()).next();
    let Some(Ok((GRAPH_NODE, Value::Bytes(node)))) = first else {
        return false;
    };
    let mut texts = Fields::of(node).take(2).map_while(Result::ok);
    matches!((texts.next(), texts.next()), (Some((1, Value::Bytes(_))), Some((2, Value::Bytes(_)))))
}

/// Reads a frozen graph.
///
/// # Errors
/// [`Fault`] when the bytes are no such graph or not all of it.
pub(super) fn read(bytes: Bytes) -> Result<Graph, Fault> {
    let mut graph = Graph::default();
    for field in Fields::of(bytes) {
        if let (GRAPH_NODE, Value::Bytes(message)) = field? {
            node(&mut graph, message)?;
        }
    }
    Ok(graph)
}

fn node(graph: &mut Graph, message: Bytes) -> Result<(), Fault> {
    let mut node = Node::default();
    let mut attributes = Attributes::default();
    let mut constant = None;
    for field in Fields::of(message) {
        match field? {
            (1, value) => node.name = value.text().unwrap_or_default(),
            (2, value) => node.op = value.text().unwrap_or_default(),
            (3, value) => node.inputs.extend(value.text()),
            (5, Value::Bytes(entry)) => attribute(&mut attributes, &mut constant, entry)?,
            _ => {}
        }
    }
    if node.op == "Const"
        && let Some(constant) = constant
    {
        graph.add_constant(node.name.clone(), constant)?;
    }
    node.attributes = (attributes != Attributes::default()).then(|| Box::new(attributes));
    graph.add(node)
}

/// One entry of the map of attributes: `{1: key, 2: value}`.
fn attribute(attributes: &mut Attributes, constant: &mut Option<Constant>, entry: Bytes) -> Result<(), Fault> {
    let (mut key, mut value) = (String::new(), Bytes::new());
    for field in Fields::of(entry) {
        match field? {
            (1, text) => key = text.text().unwrap_or_default(),
            (2, Value::Bytes(message)) => value = message,
            _ => {}
        }
    }
    match key.as_str() {
        "strides" => attributes.strides = int_list(value)?,
        "dilations" => attributes.dilations = int_list(value)?,
        "ksize" => attributes.window = int_list(value)?,
        "padding" => attributes.padding = text(value)?,
        "data_format" => attributes.data_format = text(value)?,
        "epsilon" => attributes.epsilon = find(value, 4)?.and_then(|v| v.float()),
        "value" => {
            if let Some(Value::Bytes(message)) = find(value, 8)? {
                *constant = tensor(message)?;
            }
        }
        _ => {}
    }
    Ok(())
}

/// The last field of `message` with that number, as protobuf has it.
fn find(message: Bytes, number: u32) -> Result<Option<Value>, WireError> {
    let mut found = None;
    for field in Fields::of(message) {
        let (n, value) = field?;
        if n == number {
            found = Some(value);
        }
    }
    Ok(found)
}

/// `AttrValue.s`
fn text(value: Bytes) -> Result<Option<String>, WireError> {
    Ok(find(value, 2)?.and_then(Value::text))
}

/// `AttrValue.list.i`, of at most the few entries that a list of dimensions has.
fn int_list(value: Bytes) -> Result<Vec<i64>, WireError> {
    let mut ints = Vec::new();
    if let Some(Value::Bytes(list)) = find(value, 1)? {
        for field in Fields::of(list) {
            if let (3, values) = field? {
                values.ints(|v| push_dimension(&mut ints, v))?;
            }
        }
    }
    Ok(ints)
}

/// Dimensions beyond the eighth are of no tensor in use; one more tells that they were there.
fn push_dimension(dimensions: &mut Vec<i64>, value: i64) {
    if dimensions.len() <= 8 {
        dimensions.push(value);
    }
}

/// A `TensorProto`; `None` for texts, long lists of whole numbers and other things that no network computes with.
fn tensor(message: Bytes) -> Result<Option<Constant>, Fault> {
    let mut dtype = 1;
    let mut dims = Vec::new();
    let mut content = None;
    let mut listed = BytesMut::new();
    let mut ints = Vec::new();
    for field in Fields::of(message) {
        match field? {
            (1, value) => dtype = value.int().unwrap_or(0),
            (2, Value::Bytes(shape)) => dims = dimensions(shape)?,
            (4, Value::Bytes(bytes)) => content = Some(bytes),
            // float_val and double_val: packed lists are the bytes of the elements.
            (5 | 6, Value::Bytes(packed)) => listed.extend_from_slice(&packed),
            (5, Value::Fixed32(one)) => listed.extend_from_slice(&one),
            (6, Value::Fixed64(one)) => listed.extend_from_slice(&one),
            (7 | 10 | 11, values) => values.ints(|v| ints.extend((ints.len() <= MAX_INTS).then_some(v)))?,
            _ => {}
        }
    }
    let element = match dtype {
        1 => Element::F32,
        2 => Element::F64,
        3 => Element::I32,
        4 | 10 => Element::U8,
        6 => Element::I8,
        9 => Element::I64,
        _ => return Ok(None),
    };
    let shape = dims.iter().map(|&d| usize::try_from(d)).collect::<Result<Vec<_>, _>>();
    let shape = shape.map_err(|_| Fault::Malformed(format!("a constant of shape {dims:?}")))?;
    if ints.len() > MAX_INTS {
        return Ok(None);
    }
    ints.into_iter().for_each(|v| push_int(&mut listed, dtype, v));
    let raw = content.unwrap_or_else(|| listed.freeze());
    Ok(Some(Constant { shape, element, raw, quantisation: Quantisation::None }))
}

/// Appends an element of an integer list in the bytes of the tensor's type (3 = int32, 9 = int64, else one byte).
fn push_int(listed: &mut BytesMut, dtype: i64, value: i64) {
    let bytes = value.to_le_bytes();
    let size = match dtype {
        3 => 4,
        9 => 8,
        _ => 1,
    };
    listed.extend_from_slice(&bytes[..size]);
}

/// `TensorShapeProto.dim[].size`
fn dimensions(shape: Bytes) -> Result<Vec<i64>, WireError> {
    let mut sizes = Vec::new();
    for field in Fields::of(shape) {
        if let (2, Value::Bytes(dim)) = field? {
            push_dimension(&mut sizes, find(dim, 1)?.and_then(|v| v.int()).unwrap_or(0));
        }
    }
    Ok(sizes)
}
