//! TensorFlow Lite models, float or quantised, with or without the post-processing operator behind the heads.
//!
//! Field numbers are those of `schema.fbs`. Quantised weights become the floats they stand for; activations are not
//! quantised again.

use super::constant::{Constant, Element, Quantisation};
use super::error::Fault;
use super::flatbuffer::Table;
use super::graph::{Attributes, Filter, Graph, Node};
use bytes::Bytes;

/// `file_identifier` of the schema, at byte 4.
const IDENTIFIER: &[u8] = b"TFL3";
/// `ActivationFunctionType`
const RELU: u8 = 1;
/// `ActivationFunctionType`
const RELU6: u8 = 3;
/// `TensorType`
const UINT8: u8 = 3;
/// How much of a tensor's name is kept, in characters: each operator that reads the tensor carries it.
const NAME: usize = 256;

/// Whether `bytes` are a TensorFlow Lite model.
pub(super) fn recognises(bytes: &[u8]) -> bool {
    bytes.get(4..8) == Some(IDENTIFIER)
}

/// Reads the first subgraph of a model.
///
/// # Errors
/// [`Fault`] when the bytes are no such model or not all of it.
pub(super) fn read(file: &Bytes) -> Result<Graph, Fault> {
    let model = Table::root(file)?;
    let subgraphs = model.tables(2)?;
    let subgraph = subgraphs.first().ok_or_else(|| Fault::Malformed("it has no subgraph".into()))?;
    let buffers = model.tables(4)?;
    let tensors = subgraph.tables(0)?;
    let tensors = tensors.iter().enumerate().map(|(i, t)| Tensor::read(i, t)).collect::<Result<Vec<_>, _>>()?;
    let codes = model.tables(1)?.iter().map(operator_code).collect::<Result<Vec<_>, _>>()?;
    let mut reader = Reader { graph: Graph::default(), tensors, codes };
    reader.constants(&buffers)?;
    reader.inputs(&subgraph.ints(1)?)?;
    for operator in subgraph.tables(3)? {
        reader.operator(&operator)?;
    }
    Ok(reader.graph)
}

/// `BuiltinOperator`; files of old writers have it in a byte.
fn operator_code(code: &Table) -> Result<i32, Fault> {
    let old = code.byte(0)?.map_or(0, i32::from);
    Ok(old.max(code.int(3)?.unwrap_or(0)))
}

struct Tensor {
    name: String,
    shape: Vec<i32>,
    kind: u8,
    buffer: usize,
    scales: Vec<f32>,
    zeros: Vec<i64>,
    axis: usize,
}

impl Tensor {
    fn read(index: usize, table: &Table) -> Result<Self, Fault> {
        let quantisation = table.table(4)?;
        let (scales, zeros, axis) = match quantisation {
            Some(q) => (q.floats(2)?, q.longs(3)?, q.int(6)?.unwrap_or(0)),
            None => (Vec::new(), Vec::new(), 0),
        };
        // Names need not be unique, and a colon would be taken for an output's number.
        let name: String = table.text(3)?.chars().take(NAME).collect::<String>().replace([':', '^'], "_");
        Ok(Self {
            name: format!("{name}@{index}"),
            shape: table.ints(0)?,
            kind: table.byte(1)?.unwrap_or(0),
            buffer: table.int(2)?.and_then(|b| usize::try_from(b).ok()).unwrap_or(0),
            scales,
            zeros,
            axis: usize::try_from(axis).unwrap_or(0),
        })
    }

    /// The tensor as a constant; `None` when no network computes with its type.
    fn constant(&self, raw: Bytes) -> Result<Option<Constant>, Fault> {
        let element = match self.kind {
            0 => Element::F32,
            2 => Element::I32,
            UINT8 => Element::U8,
            4 => Element::I64,
            9 => Element::I8,
            10 => Element::F64,
            _ => return Ok(None),
        };
        let shape = self.shape.iter().map(|&d| usize::try_from(d)).collect::<Result<Vec<_>, _>>();
        let shape = shape.map_err(|_| Fault::Malformed(format!("{} has the shape {:?}", self.name, self.shape)))?;
        let quantisation = if self.scales.is_empty() || element == Element::F32 {
            Quantisation::None
        } else {
            let (scales, zeros, axis) = (self.scales.clone(), self.zeros.clone(), self.axis);
            Quantisation::ZeroPoint { scales, zeros, axis }
        };
        Ok(Some(Constant { shape, element, raw, quantisation }))
    }

    /// Whether a quantised tensor cannot hold values below 0, as behind a ReLU.
    fn starts_at_zero(&self) -> bool {
        self.kind == UINT8 && self.zeros.first() == Some(&0)
    }
}

struct Reader {
    graph: Graph,
    tensors: Vec<Tensor>,
    codes: Vec<i32>,
}

/// What an operator is called, and its options of the kind it has.
struct Call<'a> {
    inputs: Vec<&'a str>,
    output: &'a Tensor,
    options: Option<Table>,
}

impl Call<'_> {
    fn byte(&self, field: usize) -> Result<u8, Fault> {
        Ok(self.options.as_ref().map(|o| o.byte(field)).transpose()?.flatten().unwrap_or(0))
    }

    fn int(&self, field: usize, default: i32) -> Result<i64, Fault> {
        let value = self.options.as_ref().map(|o| o.int(field)).transpose()?.flatten();
        Ok(value.unwrap_or(default).into())
    }

    /// `Padding` in field 0, strides in fields 1 (columns) and 2 (rows).
    fn window(&self) -> Result<Attributes, Fault> {
        let padding = match self.byte(0)? {
            0 => "SAME",
            1 => "VALID",
            _ => "unknown",
        };
        let strides = vec![1, self.int(2, 0)?, self.int(1, 0)?, 1];
        Ok(Attributes { strides, padding: Some(padding.into()), ..Attributes::default() })
    }
}

impl Reader {
    fn constants(&mut self, buffers: &[Table]) -> Result<(), Fault> {
        for tensor in &self.tensors {
            let raw = buffers.get(tensor.buffer).map_or_else(|| Ok(Bytes::new()), |b| b.bytes(0))?;
            if !raw.is_empty()
                && let Some(constant) = tensor.constant(raw)?
            {
                self.graph.add_constant(tensor.name.clone(), constant)?;
            }
        }
        Ok(())
    }

    fn inputs(&mut self, inputs: &[i32]) -> Result<(), Fault> {
        for &input in inputs {
            let tensor = tensor(&self.tensors, input)?;
            let shape = tensor.shape.iter().map(|&d| d.into()).collect();
            let attributes = Attributes { shape, ..Attributes::default() };
            self.graph.add(node(tensor.name.clone(), "Placeholder", &[], Some(attributes)))?;
        }
        Ok(())
    }

    fn operator(&mut self, operator: &Table) -> Result<(), Fault> {
        let code = operator.int(0)?.and_then(|i| usize::try_from(i).ok()).unwrap_or(0);
        let code = *self.codes.get(code).ok_or_else(|| Fault::Malformed("an operator has no code".into()))?;
        let (inputs, outputs) = (operator.ints(1)?, operator.ints(2)?);
        // An input of -1 is an operand left out.
        let inputs = inputs.into_iter().filter(|&i| i >= 0).map(|i| Ok(tensor(&self.tensors, i)?.name.as_str()));
        let inputs = inputs.collect::<Result<Vec<_>, Fault>>()?;
        let Some(&output) = outputs.first() else {
            return Ok(());
        };
        let call = Call { inputs, output: tensor(&self.tensors, output)?, options: operator.table(4)? };
        for node in nodes(code, &call)? {
            self.graph.add(node)?;
        }
        Ok(())
    }
}

fn tensor(tensors: &[Tensor], index: i32) -> Result<&Tensor, Fault> {
    let tensor = usize::try_from(index).ok().and_then(|i| tensors.get(i));
    tensor.ok_or_else(|| Fault::Malformed(format!("tensor {index} is missing")))
}

/// TensorFlow's nodes for one operator, a `BuiltinOperator`: the last carries the name of its result.
fn nodes(code: i32, call: &Call<'_>) -> Result<Vec<Node>, Fault> {
    let plain = |op: &str| Ok(vec![node(call.output.name.clone(), op, &call.inputs, None)]);
    match code {
        0 => Ok(activated(call, "AddV2", None, call.byte(0)?)),
        1 => pool(call, "AvgPool"),
        2 => concatenation(call),
        3 => convolution(call),
        4 => depthwise(call),
        6 | 114 => plain("Identity"),
        14 => plain("Sigmoid"),
        17 => pool(call, "MaxPool"),
        19 => plain("Relu"),
        21 => plain("Relu6"),
        22 => plain("Reshape"),
        25 => plain("Softmax"),
        32 => plain("TFLite custom operator"),
        43 => plain("Squeeze"),
        other => plain(&format!("TFLite builtin operator {other}")),
    }
}

fn convolution(call: &Call<'_>) -> Result<Vec<Node>, Fault> {
    let mut attributes = call.window()?;
    attributes.dilations = vec![1, call.int(5, 1)?, call.int(4, 1)?, 1];
    attributes.filter = Filter::Tflite;
    Ok(biased(call, "Conv2D", attributes, call.byte(3)?))
}

fn depthwise(call: &Call<'_>) -> Result<Vec<Node>, Fault> {
    let mut attributes = call.window()?;
    attributes.dilations = vec![1, call.int(6, 1)?, call.int(5, 1)?, 1];
    attributes.filter = Filter::Tflite;
    Ok(biased(call, "DepthwiseConv2dNative", attributes, call.byte(4)?))
}

fn biased(call: &Call<'_>, op: &str, attributes: Attributes, activation: u8) -> Vec<Node> {
    let [input, weights, bias] = call.inputs[..] else {
        return activated(call, op, Some(attributes), activation);
    };
    let conv = format!("{}/convolution", call.output.name);
    let mut nodes = vec![node(conv.clone(), op, &[input, weights], Some(attributes))];
    let biased = Call { inputs: vec![&conv, bias], output: call.output, options: None };
    nodes.extend(activated(&biased, "BiasAdd", None, activation));
    nodes
}

/// The operator, and the activation that is fused into it. The converter of quantised models drops a ReLU6 where the
/// range of the bytes is 0 to 6 anyway; the name of the result still tells.
fn activated(call: &Call<'_>, op: &str, attributes: Option<Attributes>, activation: u8) -> Vec<Node> {
    let name = &call.output.name;
    let dropped = activation == 0 && name.contains("Relu6") && call.output.starts_at_zero();
    let unknown;
    let function = match activation {
        RELU6 => "Relu6",
        _ if dropped => "Relu6",
        RELU => "Relu",
        0 => return vec![node(name.clone(), op, &call.inputs, attributes)],
        other => {
            unknown = format!("TFLite activation {other}");
            &unknown
        }
    };
    let before = format!("{name}/linear");
    let operation = node(before.clone(), op, &call.inputs, attributes);
    vec![operation, node(name.clone(), function, &[&before], None)]
}

fn pool(call: &Call<'_>, op: &str) -> Result<Vec<Node>, Fault> {
    let mut attributes = call.window()?;
    attributes.window = vec![1, call.int(4, 0)?, call.int(3, 0)?, 1];
    Ok(activated(call, op, Some(attributes), call.byte(5)?))
}

fn concatenation(call: &Call<'_>) -> Result<Vec<Node>, Fault> {
    let axis = Attributes { axis: Some(call.int(0, 0)?), ..Attributes::default() };
    Ok(activated(call, "ConcatV2", Some(axis), call.byte(1)?))
}

fn node(name: String, op: &str, inputs: &[&str], attributes: Option<Attributes>) -> Node {
    let inputs = inputs.iter().map(|&i| i.to_owned()).collect();
    Node { name, op: op.to_owned(), inputs, attributes: attributes.map(Box::new) }
}
