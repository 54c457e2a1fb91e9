//! Turns detectors of the SSD family, in the formats their trainers write, into one clean ONNX form.
//!
//! ```text
//! model.json, .pb, ... ──reader──▶ Graph ──cut──▶ heads and what leads to them ──fold──▶ Network ──emit──▶ ONNX
//! ```
//!
//! The result reads one float picture and gives raw box offsets and logits: no control flow, no suppression, no bytes
//! inside, so that TensorRT takes it whole. What the cut leaves out (decoding the boxes, suppression) is described by
//! the [`Manifest`] and done by [`detector::decode`].

mod anchors;
mod constant;
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
mod labels;
mod network;
mod onnx;
mod onnx_graph;
mod report;
mod tfjs;
mod tflite;
mod write;

pub use error::{Fault, ImportError};
pub use file::OnnxFile;
pub use format::Format;
pub use labels::Labels;
pub use report::Report;
pub use write::{Written, write};

use bytes::Bytes;
use detector::manifest::{Decode, Input, Manifest};
use graph::Graph;
use std::path::Path;

/// What the user may say about a model that its file does not.
#[derive(Clone, Debug, Default)]
pub struct ImportOptions {
    /// The model's name in its manifest; by default the name of its file.
    pub name: Option<String>,
    /// The names of the classes.
    pub labels: Option<Labels>,
    /// Side of the square input in pixels, instead of the one in the file.
    pub size: Option<u32>,
    /// What DetectNets subtract from every pixel value; 0 by default.
    pub mean: Option<f32>,
    /// The licence of the weights.
    pub licence: Option<String>,
    /// Where the weights come from.
    pub source: Option<String>,
}

impl ImportOptions {
    /// The manifest of a model, without the file's SHA-256.
    fn manifest(&self, name: String, labels: Vec<String>, input: Input, decode: Decode) -> Manifest {
        let (licence, source) = (self.licence.clone(), self.source.clone());
        Manifest { name, sha256: None, licence, source, labels, input, decode }
    }
}

/// An imported model, ready to be written.
#[derive(Debug)]
pub struct Imported {
    /// The ONNX file, with the manifest in its metadata.
    pub onnx: OnnxFile,
    /// The model's description, without the file's SHA-256.
    pub manifest: Manifest,
    /// What was done.
    pub report: Report,
}

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
    convert(graph, format, name, options)
}

/// Cuts, folds and writes a graph of any of the TensorFlow family's formats.
fn convert(graph: Graph, format: Format, name: String, options: &ImportOptions) -> Result<Imported, Fault> {
    let cut = heads::cut(&graph)?;
    let input = describe::input(&graph, &cut, options.size)?;
    let folded = fold::fold(&graph, &cut, [input.height as usize, input.width as usize])?;
    let layout = describe::layout(&folded.network)?;
    let anchors = anchors::find(&graph, &layout)?;
    let mut report = Report::new(format, &graph, &cut, folded.folded, &layout);
    report.anchors_difference = anchors.difference;
    let activation = cut.activation;
    drop(graph);
    let labels = labels::labels(options.labels.as_ref(), layout.columns - 1)?;
    let manifest = options.manifest(name, labels, input, describe::decode(activation, anchors.anchors));
    let emit::Emitted { graph, weights } = emit::emit(folded.network, layout.anchors(), layout.columns);
    report.count_kept(&graph);
    let embedded = toml::to_string(&manifest)?;
    let onnx = OnnxFile::of_model(super::onnx::model(graph, embedded), weights);
    Ok(Imported { onnx, manifest, report })
}

fn read(path: &Path) -> Result<Bytes, Fault> {
    let fault = |source| Fault::Read { path: path.to_owned(), source };
    std::fs::read(path).map(Bytes::from).map_err(fault)
}
