//! The ONNX file that an import makes. Its weights come into being one by one while it is written, so that neither all
//! of them nor the file are ever in memory.

use super::network::Weights;
use crate::onnx::proto;
use bytes::Bytes;
use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint};
use std::io::{self, Write};

/// `ModelProto.graph`
const GRAPH: u32 = 7;
/// `GraphProto.initializer`
const INITIALIZER: u32 = 5;
/// `TensorProto.raw_data`
const RAW_DATA: u32 = 9;

/// An ONNX file, ready to be written.
#[derive(Debug)]
pub struct OnnxFile {
    pieces: Vec<Piece>,
}

#[derive(Debug)]
enum Piece {
    Bytes(Bytes),
    /// Little-endian floats.
    Weights(Weights),
}

impl OnnxFile {
    /// The file with the bytes of `parts`, one behind the other.
    pub(super) fn of_bytes(parts: impl IntoIterator<Item = Bytes>) -> Self {
        Self { pieces: parts.into_iter().map(Piece::Bytes).collect() }
    }

    /// The file of `model`, whose graph has the `weights` as initialisers too: tensors without elements, and these.
    ///
    /// The order of a message's fields is free, so the graph stands behind the model's other fields, and the weights
    /// behind those of the graph.
    pub(super) fn of_model(mut model: proto::Model, weights: Vec<(proto::Tensor, Weights)>) -> Self {
        let graph = model.graph.take().unwrap_or_default().encode_to_vec();
        let mut length = graph.len();
        let mut pieces = Vec::with_capacity(2 + 2 * weights.len());
        for (tensor, weights) in weights {
            let raw = weights.len() * size_of::<f32>();
            let mut front = tensor.encode_to_vec();
            field(&mut front, RAW_DATA, raw);
            let mut start = Vec::new();
            field(&mut start, INITIALIZER, front.len() + raw);
            start.extend(front);
            length += start.len() + raw;
            pieces.extend([Piece::Bytes(start.into()), Piece::Weights(weights)]);
        }
        let mut start = model.encode_to_vec();
        field(&mut start, GRAPH, length);
        start.extend(graph);
        pieces.insert(0, Piece::Bytes(start.into()));
        Self { pieces }
    }

    /// Writes the file to `out`, in many small portions.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write_to(&self, out: &mut dyn Write) -> io::Result<()> {
        for piece in &self.pieces {
            match piece {
                Piece::Bytes(bytes) => out.write_all(bytes)?,
                Piece::Weights(weights) => weights.values().try_for_each(|v| out.write_all(&v.to_le_bytes()))?,
            }
        }
        Ok(())
    }
}

/// The start of a field of `length` bytes.
fn field(message: &mut Vec<u8>, number: u32, length: usize) {
    encode_key(number, WireType::LengthDelimited, message);
    encode_varint(length as u64, message);
}
