//! Reads ONNX files: bounded, so that a small hostile file cannot fill the memory.

use super::proto::{Graph, Model, Tensor, data_type};
use crate::model::wire::{Fields, Value, WireError};
use bytes::Bytes;
use prost::Message;

/// Memory that any file may take, in bytes, beside [`TIMES_FILE`] times its own size.
const BASE: usize = 32 << 20;
/// Memory for each byte of the file.
const TIMES_FILE: usize = 2;
/// The deepest nesting of loop and branch bodies.
const MAX_DEPTH: usize = 8;

/// Why bytes are no ONNX model.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum OnnxError {
    /// They are no protobuf, or not all of it.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// They are protobuf of another kind.
    #[error("it is no ONNX model: {0}")]
    NotOnnx(String),
    /// Small parts without number.
    #[error("it has more nodes and numbers than its {0} bytes can mean")]
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
        _ => Err(OnnxError::NotOnnx("it holds no graph".into())),
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
    /// Anything else, by the number of its fields.
    Small,
}

impl Kind {
    /// Upper bound of the bytes a message of this kind takes, without its parts.
    fn size(self) -> usize {
        match self {
            Self::Model | Self::Graph => size_of::<Model>().max(size_of::<Graph>()),
            Self::Node | Self::Attribute => 512,
            Self::Tensor => size_of::<Tensor>(),
            Self::Small => 64,
        }
    }

    /// The kind of the message in field `number`; `None` for texts, raw bytes and packed numbers.
    fn part(self, number: u32) -> Option<Self> {
        match (self, number) {
            (Self::Model, 7) | (Self::Attribute, 6 | 11) => Some(Self::Graph),
            (Self::Graph, 1) => Some(Self::Node),
            (Self::Graph, 5) | (Self::Attribute, 5 | 10) => Some(Self::Tensor),
            (Self::Node, 5) => Some(Self::Attribute),
            (Self::Model, 8 | 14) | (Self::Graph, 11..=13) => Some(Self::Small),
            _ => None,
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
                    // Raw bytes are shared with the file; texts are copied; packed numbers take up to eight times
                    // their bytes, and lists grow by doubling.
                    None if matches!((kind, number), (Kind::Tensor, 9)) => {}
                    None if matches!(kind, Kind::Tensor | Kind::Attribute) => self.spend(part.len() * 16)?,
                    None => self.spend(64 + part.len())?,
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
    /// The elements as floats, whatever their type; `None` for texts, for types in no use here, and where their number
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

    /// The dimensions.
    pub fn shape(&self) -> Option<Vec<usize>> {
        self.dims.iter().map(|&d| usize::try_from(d).ok()).collect()
    }

    /// How many elements the dimensions ask for.
    pub fn len(&self) -> Option<usize> {
        self.shape()?.iter().try_fold(1_usize, |n, &d| n.checked_mul(d))
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
    use super::super::{floats, int64s, model, node};
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

    #[test]
    fn nodes_without_number_are_refused_before_they_are_built() {
        let empty_nodes = [0x0a, 0x00].repeat(1 << 20);
        let graph_length = (empty_nodes.len() as u64).to_le_bytes();
        let mut file = vec![0x3a];
        prost::encoding::encode_varint(u64::from_le_bytes(graph_length), &mut file);
        file.extend(empty_nodes);
        assert!(matches!(read(&Bytes::from(file)), Err(OnnxError::TooMany(_))));
    }
}
