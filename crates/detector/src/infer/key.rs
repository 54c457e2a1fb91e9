//! What an engine is kept under.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
/// All that an engine depends on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// SHA-256 of the ONNX file.
    pub model_sha256: String,
    /// TensorRT's version.
    pub tensorrt: String,
    /// ONNX Runtime's version.
    pub runtime: String,
    /// `fp16` or `fp32`, and whatever else was asked of the provider.
    pub options: String,
    /// The board or GPU.
    pub board: String,
}

impl Key {
    /// The folder's name: SHA-256 of all parts, each with its length so that none can run into the next.
    pub fn folder(&self) -> String {
        let Self { model_sha256, tensorrt, runtime, options, board } = self;
        let mut hash = Sha256::new();
        for part in [model_sha256, tensorrt, runtime, options, board] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        hex::encode(hash.finalize())
    }
}
