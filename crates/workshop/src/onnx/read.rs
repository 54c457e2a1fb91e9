//! Reads ONNX files: bounded, so that a small hostile file cannot fill the memory.

use super::proto::{Attribute, Graph, Model, Node, Tensor, ValueInfo, data_type};
use crate::wire::{Fields, Value, WireError};
use bytes::Bytes;
use prost::Message;

/// Memory that any file may take, in bytes, beside [`TIMES_FILE`] times its own size.
const BASE: usize = 32 << 20;
/// Memory for each byte of the file.
const TIMES_FILE: usize = 2;
/// The deepest nesting of loop and branch bodies.
const MAX_DEPTH: usize = 8;

/// Why bytes are not an ONNX model.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum OnnxError {
    /// They are not protobuf, or truncated.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// They are protobuf of another kind.
    #[error("it is not an ONNX model: {0}")]
    NotOnnx(String),
    /// Too many small parts.
    #[error("its {0} bytes describe more nodes and values than a model of that size has")]
    TooMany(usize),
}

/// Reads a model; the constants' raw bytes are shared with `file`.
///
/// # Errors
/// [`OnnxError`].
pub fn read(file: &Bytes) -> Result<Model, OnnxError> {
    let allowed = BASE.saturating_add(file.len().saturating_mul(TIMES_FILE));
    let mut budget = Budget { left: allowed, file: file.len() };
    budget.message(Kind::Model, file.clone(), 0)?;
    let model = Model::decode(file.clone()).map_err(|e| OnnxError::NotOnnx(e.to_string()))?;
    match &model.graph {
        Some(graph) if !graph.node.is_empty() => Ok(model),
        _ => Err(OnnxError::NotOnnx("it contains no graph".into())),
    }
}

/// The messages whose parts are counted.
#[derive(Clone, Copy)]
enum Kind {
    Model,
    Graph,
    Node,
    Attribute,
    Tensor,
    ValueInfo,
    /// Operator sets and metadata.
    Entry,
}

impl Kind {
    /// Upper bound of the bytes a message of this kind takes, without its parts: lists of them grow by doubling.
    fn size(self) -> usize {
        2 * match self {
            Self::Model | Self::Graph => size_of::<Model>().max(size_of::<Graph>()),
            Self::Node => size_of::<Node>(),
            Self::Attribute => size_of::<Attribute>(),
            Self::Tensor => size_of::<Tensor>(),
            Self::ValueInfo => size_of::<ValueInfo>(),
            Self::Entry => 64,
        }
    }

    /// The kind of the message in field `number`; `None` for texts, raw bytes and packed numbers.
    fn part(self, number: u32) -> Option<Self> {
        match (self, number) {
            (Self::Model, 7) | (Self::Attribute, 6 | 11) => Some(Self::Graph),
            (Self::Graph, 1) => Some(Self::Node),
            (Self::Graph, 5) | (Self::Attribute, 5 | 10) => Some(Self::Tensor),
            (Self::Node, 5) => Some(Self::Attribute),
            (Self::Graph, 11..=13) => Some(Self::ValueInfo),
            (Self::Model, 8 | 14) => Some(Self::Entry),
            _ => None,
        }
    }

    /// Upper bound of the bytes that one byte of field `number`, which is no part, takes.
    fn growth(self, number: u32) -> usize {
        match (self, number) {
            // Raw bytes are shared with the file.
            (Self::Tensor, 9) => 0,
            // Packed floats and doubles keep their size, and lists grow by doubling.
            (Self::Tensor, 4 | 10) => 2,
            // A packed integer of one byte takes eight, an empty dimension of two bytes takes 24.
            (Self::Tensor | Self::Attribute | Self::ValueInfo, _) => 24,
            _ => 1,
        }
    }
}

struct Budget {
    left: usize,
    file: usize,
}

impl Budget {
    fn message(&mut self, kind: Kind, bytes: Bytes, depth: usize) -> Result<(), OnnxError> {
        self.spend(kind.size())?;
        for field in Fields::of(bytes) {
            match field? {
                (number, Value::Bytes(part)) => match kind.part(number) {
                    Some(Kind::Graph) if depth >= MAX_DEPTH => return Err(OnnxError::TooMany(self.file)),
                    Some(inner) => self.message(inner, part, depth + usize::from(matches!(inner, Kind::Graph)))?,
                    None => self.spend(part.len().saturating_mul(kind.growth(number)).saturating_add(64))?,
                },
                _ => self.spend(16)?,
            }
        }
        Ok(())
    }

    fn spend(&mut self, bytes: usize) -> Result<(), OnnxError> {
        self.left = self.left.checked_sub(bytes).ok_or(OnnxError::TooMany(self.file))?;
        Ok(())
    }
}

impl Tensor {
    /// The elements as floats, whatever their type; `None` for strings, for types that are not read, and where their number
    /// does not fit the dimensions.
    pub fn floats(&self) -> Option<Vec<f32>> {
        #[expect(clippy::cast_possible_truncation, reason = "the network computes in 32-bit floats")]
        let values: Vec<f32> = match self.data_type {
            data_type::FLOAT if self.raw_data.is_empty() => self.float_data.clone(),
            data_type::FLOAT => self.chunks().map(f32::from_le_bytes).collect(),
            data_type::DOUBLE if self.raw_data.is_empty() => self.double_data.iter().map(|&v| v as f32).collect(),
            data_type::DOUBLE => self.chunks().map(|b| f64::from_le_bytes(b) as f32).collect(),
            _ => self.ints()?.into_iter().map(|v| v as f32).collect(),
        };
        (self.len() == Some(values.len())).then_some(values)
    }

    /// The elements as integers; `None` where they are none or do not fit the dimensions.
    pub fn ints(&self) -> Option<Vec<i64>> {
        let values: Vec<i64> = match self.data_type {
            data_type::INT64 if self.raw_data.is_empty() => self.int64_data.clone(),
            data_type::INT64 => self.chunks().map(i64::from_le_bytes).collect(),
            data_type::INT32 if !self.raw_data.is_empty() => {
                self.chunks().map(|b| i64::from(i32::from_le_bytes(b))).collect()
            }
            data_type::UINT8 | data_type::BOOL if !self.raw_data.is_empty() => {
                self.raw_data.iter().map(|&b| i64::from(b)).collect()
            }
            data_type::INT8 if !self.raw_data.is_empty() => {
                self.raw_data.iter().map(|&b| i64::from(b.cast_signed())).collect()
            }
            data_type::INT32 | data_type::UINT8 | data_type::INT8 | data_type::BOOL => {
                self.int32_data.iter().map(|&v| i64::from(v)).collect()
            }
            _ => return None,
        };
        (self.len() == Some(values.len())).then_some(values)
    }

    /// The dimensions; `None` where one is negative.
    pub fn shape(&self) -> Option<Vec<usize>> {
        self.dims.iter().map(|&d| usize::try_from(d).ok()).collect()
    }

    /// How many elements the dimensions ask for; `None` where one is negative or the product is no size of this
    /// machine.
    pub fn len(&self) -> Option<usize> {
        self.dims.iter().try_fold(1_usize, |n, &d| n.checked_mul(usize::try_from(d).ok()?))
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == Some(0)
    }

    fn chunks<const N: usize>(&self) -> impl Iterator<Item = [u8; N]> + '_ {
        self.raw_data.as_chunks::<N>().0.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::super::build::{floats, int64s, model, node};
    use super::*;

    fn tiny() -> Model {
        let graph = Graph {
            node: vec![node("Relu", &["x"], "y", vec![])],
            initializer: vec![floats("w", &[2], &[1.0, -2.0]), int64s("n", &[3, -1])],
            ..Graph::default()
        };
        model(graph, String::new())
    }

    #[test]
    fn what_was_written_is_read() {
        let file = Bytes::from(tiny().encode_to_vec());
        let read = read(&file).unwrap();
        assert_eq!(read, tiny());
        let constants = &read.graph.unwrap().initializer;
        assert_eq!(constants[0].floats().unwrap(), [1.0, -2.0]);
        assert_eq!(constants[1].ints().unwrap(), [3, -1]);
    }

    #[test]
    fn every_truncation_is_an_error() {
        let whole = tiny().encode_to_vec();
        // The metadata at the very end may be missing: the graph is then still whole.
        let graph_end = whole.len() - 24;
        for length in 0..graph_end {
            assert!(read(&Bytes::copy_from_slice(&whole[..length])).is_err(), "{length} bytes pass");
        }
    }

    /// A field that holds `content`.
    fn field(tag: u8, content: Vec<u8>) -> Vec<u8> {
        let mut bytes = vec![tag << 3 | 2];
        prost::encoding::encode_varint(content.len() as u64, &mut bytes);
        bytes.extend(content);
        bytes
    }

    #[test]
    fn small_parts_without_number_are_refused_before_they_are_built() {
        let many = |tag: u8| [tag << 3 | 2, 0].repeat(1 << 21);
        let nodes = many(1);
        let texts = field(1, field(5, many(9)));
        let dimensions = field(11, field(2, field(1, field(2, many(1)))));
        for graph in [nodes, texts, dimensions] {
            assert!(matches!(read(&field(7, graph).into()), Err(OnnxError::TooMany(_))));
        }
    }

    #[test]
    fn weights_may_stand_in_a_list_of_floats() {
        let mut large = tiny();
        let values = vec![0.5; 4 << 20];
        let dims = vec![values.len() as i64];
        let weights = Tensor { dims, data_type: data_type::FLOAT, float_data: values, ..Tensor::default() };
        large.graph.as_mut().unwrap().initializer.push(weights);
        assert_eq!(read(&large.encode_to_vec().into()).unwrap(), large);
    }
}
