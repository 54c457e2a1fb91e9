//! Recognises the format of a file by its content.

use super::error::Fault;
use super::{face_api, frozen, tfjs, tflite};
use bytes::Bytes;
use std::fmt;

/// The formats that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// TensorFlow.js graph model.
    Tfjs,
    /// TensorFlow frozen graph.
    Frozen,
    /// TensorFlow Lite model.
    Tflite,
    /// face-api's weights.
    FaceApi,
    /// An ONNX of the model zoo's or tf2onnx's form.
    Onnx,
    /// An ONNX that decodes its boxes itself, as pytorch-ssd exports it.
    PytorchSsd,
    /// An ONNX of DetectNet's form.
    DetectNet,
    /// An ONNX that an earlier import wrote.
    Sightd,
}

impl Format {
    /// Recognises a file by its content.
    ///
    /// # Errors
    /// [`Fault::UnknownFormat`].
    pub fn of(bytes: &Bytes) -> Result<Self, Fault> {
        if bytes.is_empty() {
            return Err(Fault::Malformed("it is empty".into()));
        }
        if tfjs::recognises(bytes) {
            return Ok(Self::Tfjs);
        }
        if tflite::recognises(bytes) {
            return Ok(Self::Tflite);
        }
        if face_api::recognises(bytes) {
            return Ok(Self::FaceApi);
        }
        // `ir_version`, the first field.
        if bytes.first() == Some(&0x08) {
            return Ok(Self::Onnx);
        }
        if frozen::recognises(bytes) {
            return Ok(Self::Frozen);
        }
        let start = hex::encode(bytes.slice(..bytes.len().min(8)));
        Err(Fault::UnknownFormat { found: format!("it begins with the bytes {start}") })
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tfjs => "TensorFlow.js graph model",
            Self::Frozen => "TensorFlow frozen graph",
            Self::Tflite => "TensorFlow Lite model",
            Self::FaceApi => "face-api's SSD-MobileNet-v1",
            Self::Onnx => "ONNX detector",
            Self::PytorchSsd => "pytorch-ssd's ONNX",
            Self::DetectNet => "DetectNet as ONNX",
            Self::Sightd => "ONNX of an earlier import",
        })
    }
}
