//! From the graph of any of the TensorFlow family's formats to the common form.

use super::error::Fault;
use super::file::OnnxFile;
use super::format::Format;
use super::graph::Graph;
use super::options::ImportOptions;
use super::report::Report;
use super::{anchors, describe, emit, fold, heads, labels};
use crate::onnx::model;
use detector::manifest::Manifest;

/// An imported model, ready to be written.
#[derive(Debug)]
pub struct Imported {
    /// The ONNX file, with the manifest in its metadata.
    pub onnx: OnnxFile,
    /// The model's description, without the file's SHA-256.
    pub manifest: Manifest,
    /// What the import did.
    pub report: Report,
}

/// Cuts, folds and emits `graph`.
///
/// # Errors
/// [`Fault`] when it holds no SSD that can be cut out, or the options do not fit it.
pub(super) fn convert(graph: Graph, format: Format, name: String, options: &ImportOptions) -> Result<Imported, Fault> {
    if options.mean.is_some() {
        return Err(mean_does_not_apply());
    }
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
    let onnx = OnnxFile::of_model(model(graph, embedded), weights);
    Ok(Imported { onnx, manifest, report })
}

/// [`Fault::Option`] for `--mean` with a network whose graph or family says what is subtracted.
pub(super) fn mean_does_not_apply() -> Fault {
    Fault::Option { option: "--mean", reason: "only a DetectNet has a mean that its file does not contain".into() }
}
