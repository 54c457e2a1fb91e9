//! ONNX detectors: those that decode their boxes themselves are kept as they are; the others are cut to the common
//! form.

use super::convert::{Imported, convert};
use super::describe;
use super::error::Fault;
use super::file::OnnxFile;
use super::format::Format;
use super::labels::labels;
use super::onnx_graph;
use super::options::ImportOptions;
use super::report::Report;
use crate::onnx::proto::{DimensionValue, Graph, Metadata, Model, ValueInfo};
use crate::onnx::{MANIFEST_KEY, read};
use crate::onnx::{Shapes, declared};
use bytes::Bytes;
use detector::manifest::{Channels, Decode, Input, Manifest};
use prost::Message;

/// Scale and offset of pytorch-ssd: `(x - 127) / 128`.
const PYTORCH_SSD: (f32, f32) = (1.0 / 128.0, -127.0 / 128.0);
/// Names of pytorch-ssd's outputs: boxes and scores.
const CORNERS: [&str; 2] = ["boxes", "scores"];
/// Names of DetectNet's outputs: boxes and coverage.
const GRID: [&str; 2] = ["bboxes", "coverage"];

/// Imports an ONNX file.
///
/// # Errors
/// [`Fault`].
pub(super) fn import(file: Bytes, name: String, options: &ImportOptions) -> Result<Imported, Fault> {
    let model = read(&file).map_err(|e| {
        Fault::Malformed(format!("{e} (a TensorFlow SavedModel begins like one, and must be frozen first)"))
    })?;
    if let Some(text) = model.metadata(MANIFEST_KEY) {
        let manifest = toml::from_str(text).map_err(|e| Fault::Malformed(format!("its embedded manifest: {e}")))?;
        return unchanged(&file, &model, manifest);
    }
    let Some(graph) = model.graph.as_ref() else {
        return Err(Fault::Malformed("it contains no graph".into()));
    };
    if let Some(tensor) = graph.initializer.iter().find(|t| t.data_location != 0) {
        return Err(Fault::DataType { name: tensor.name.clone(), found: "in another file".into() });
    }
    let has = |names: [&str; 2]| names.iter().all(|n| graph.output.iter().any(|o| o.name == *n));
    if has(GRID) {
        return kept(&file, model, name, options, Kept::DetectNet);
    }
    if has(CORNERS) && picture(graph).is_ok() {
        return kept(&file, model, name, options, Kept::PytorchSsd);
    }
    convert(onnx_graph::translate(graph)?, Format::Onnx, name, options)
}

/// A file that an earlier import wrote.
fn unchanged(file: &Bytes, model: &Model, manifest: Manifest) -> Result<Imported, Fault> {
    let graph = model.graph.as_ref().ok_or_else(|| Fault::Malformed("it contains no graph".into()))?;
    let report = Report::of_kept(Format::Sightd, graph, manifest.labels.len().saturating_sub(1));
    Ok(Imported { onnx: OnnxFile::of_bytes([file.clone()]), manifest, report })
}

/// Forms whose graphs are kept.
#[derive(Clone, Copy)]
enum Kept {
    PytorchSsd,
    DetectNet,
}

fn kept(file: &Bytes, mut model: Model, name: String, options: &ImportOptions, form: Kept) -> Result<Imported, Fault> {
    let graph = model.graph.as_mut().ok_or_else(|| Fault::Malformed("it contains no graph".into()))?;
    let inputs_before = graph.input.clone();
    let [height, width] = fix_input(graph, options.size)?;
    let classes = classes(graph, form)?;
    let input_name = picture(graph)?.name.clone();
    let mean = options.mean.unwrap_or(0.0);
    let (format, decode, channels, scale, offset) = match form {
        Kept::PytorchSsd => {
            let decode = Decode::Corners { boxes: CORNERS[0].into(), scores: CORNERS[1].into() };
            (Format::PytorchSsd, decode, Channels::Rgb, PYTORCH_SSD.0, PYTORCH_SSD.1)
        }
        Kept::DetectNet => {
            let decode = Decode::Detectnet { coverage: GRID[1].into(), boxes: GRID[0].into() };
            (Format::DetectNet, decode, Channels::Bgr, 1.0, -mean)
        }
    };
    let labels = labels(options.labels.as_ref(), classes)?;
    let input = Input { name: input_name, width, height, channels, scale, offset: [offset; 3] };
    let manifest = options.manifest(name, labels, input, decode);
    let report = Report::of_kept(format, graph, classes);
    let metadata = Metadata { key: MANIFEST_KEY.to_owned(), value: toml::to_string(&manifest)? };
    let onnx = if graph.input == inputs_before {
        // Nothing but the metadata is new: an entry of a repeated field may follow everything else.
        let addition = Model { metadata_props: vec![metadata], ..Model::default() };
        OnnxFile::of_bytes([file.clone(), addition.encode_to_vec().into()])
    } else {
        model.metadata_props.push(metadata);
        OnnxFile::of_model(model, Vec::new())
    };
    Ok(Imported { onnx, manifest, report })
}

/// The one input that is no constant.
fn picture(graph: &Graph) -> Result<&ValueInfo, Fault> {
    let constant = |name: &str| graph.initializer.iter().any(|t| t.name == name);
    let mut inputs = graph.input.iter().filter(|i| !constant(&i.name));
    match (inputs.next(), inputs.next()) {
        (Some(one), None) if dimensions(one) == Some(4) => Ok(one),
        _ => Err(Fault::NoSsd("it has not one input of four dimensions".into())),
    }
}

fn dimensions(info: &ValueInfo) -> Option<usize> {
    Some(info.r#type.as_ref()?.tensor_type.as_ref()?.shape.as_ref()?.dim.len())
}

/// Makes the input `[1, 3, rows, columns]` where it leaves dimensions open; gives rows and columns.
fn fix_input(graph: &mut Graph, size: Option<u32>) -> Result<[u32; 2], Fault> {
    let name = picture(graph)?.name.clone();
    let input = graph.input.iter_mut().find(|i| i.name == name).and_then(|i| i.r#type.as_mut());
    let shape = input.and_then(|t| t.tensor_type.as_mut()).and_then(|t| t.shape.as_mut());
    let Some([batch, channels, rows, columns]) = shape.map(|s| s.dim.as_mut_slice()) else {
        return Err(Fault::NoSsd("it has not one input of four dimensions".into()));
    };
    batch.value = Some(DimensionValue::Size(1));
    channels.value.get_or_insert(DimensionValue::Size(3));
    let mut sides = [0; 2];
    for (side, dim) in sides.iter_mut().zip([rows, columns]) {
        *side = match dim.value {
            Some(DimensionValue::Size(n)) if n > 0 => describe::side(n)?,
            _ => describe::side(size.ok_or(Fault::Size)?.into())?,
        };
        dim.value = Some(DimensionValue::Size((*side).into()));
    }
    match channels.value {
        Some(DimensionValue::Size(3)) => Ok(sides),
        _ => Err(Fault::NoSsd(format!("its input {name} has not three channels in the second place"))),
    }
}

/// The number of classes without the background, from the shape of the scores or the coverage.
fn classes(graph: &Graph, form: Kept) -> Result<usize, Fault> {
    let (name, at, background) = match form {
        Kept::PytorchSsd => (CORNERS[1], 2, 1),
        Kept::DetectNet => (GRID[1], 1, 0),
    };
    let output = graph.output.iter().find(|o| o.name == name);
    let shape = output.and_then(declared).or_else(|| Shapes::infer(graph).of(name).cloned());
    let columns = shape.as_ref().and_then(|s| s.get(at)).copied();
    columns.and_then(|c| c.checked_sub(background)).filter(|&c| c > 0).ok_or_else(|| {
        Fault::NoSsd(format!(
            "its output {name} has not a fixed number of classes in place {at} of its shape {shape:?}"
        ))
    })
}
