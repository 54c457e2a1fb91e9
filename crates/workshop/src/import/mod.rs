//! Turns detectors of the SSD family, in the formats their trainers write, into one clean ONNX form.
//!
//! ```text
//! model.json, .pb, ... ──reader──▶ Graph ──cut──▶ heads and what leads to them ──fold──▶ Network ──emit──▶ ONNX
//! ```
//!
//! The result reads one float picture and gives raw box offsets and logits: no control flow, no suppression, no bytes
//! inside, so that TensorRT takes it whole. What the cut leaves out (decoding the boxes, suppression) is described by
//! the [`detector::manifest::Manifest`] and done by [`detector::decode`].

mod anchors;
mod constant;
mod convert;
mod describe;
mod emit;
mod error;
mod face_api;
mod file;
mod flatbuffer;
mod fold;
mod format;
mod frozen;
mod graph;
mod heads;
mod kernel;
mod label_file;
mod labels;
mod network;
mod onnx;
mod onnx_graph;
mod options;
mod report;
mod tfjs;
mod tflite;
mod write;

pub use convert::Imported;
pub use error::{Fault, ImportError};
pub use labels::Labels;
pub use options::ImportOptions;
pub use report::Report;
pub use write::{Written, write};

use bytes::Bytes;
use format::Format;
use std::path::Path;

/// Reads the detector in `path` and turns it into the common form.
///
/// # Errors
/// [`ImportError`] with the file and what is wrong with it.
pub fn import(path: &Path, options: &ImportOptions) -> Result<Imported, ImportError> {
    import_file(path, options).map_err(|fault| ImportError { path: path.to_owned(), fault })
}

fn import_file(path: &Path, options: &ImportOptions) -> Result<Imported, Fault> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let stem = || path.file_stem().map_or_else(|| "model".to_owned(), |s| s.to_string_lossy().into_owned());
    let name = options.name.clone().unwrap_or_else(stem);
    import_bytes(read(path)?, name, options, &mut |part| read(&folder.join(part)))
}

/// Turns the detector in `bytes` into the common form. `part` gives the bytes of a file that `bytes` names: a shard
/// of weights.
///
/// # Errors
/// What is wrong with the bytes.
pub fn import_bytes(
    bytes: Bytes,
    name: String,
    options: &ImportOptions,
    part: &mut dyn FnMut(&str) -> Result<Bytes, Fault>,
) -> Result<Imported, Fault> {
    let format = Format::of(&bytes)?;
    let graph = match format {
        Format::Onnx | Format::Sightd | Format::PytorchSsd | Format::DetectNet => {
            return onnx::import(bytes, name, options);
        }
        Format::Tfjs => tfjs::read(&bytes, part)?,
        Format::FaceApi => face_api::read(&bytes, part)?,
        Format::Frozen => frozen::read(bytes)?,
        Format::Tflite => tflite::read(&bytes)?,
    };
    convert::convert(graph, format, name, options)
}

fn read(path: &Path) -> Result<Bytes, Fault> {
    Ok(fs_err::read(path)?.into())
}
