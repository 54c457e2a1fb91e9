//! ONNX detectors: those that decode their boxes themselves are kept as they are; the others are cut to the common
//! form.

use super::convert::{Imported, convert, mean_does_not_apply};
use super::describe;
use super::error::Fault;
use super::file::OnnxFile;
use super::format::Format;
use super::labels::labels;
use super::onnx_graph;
use super::options::ImportOptions;
use super::report::Report;
use crate::onnx::proto::{DimensionValue, Graph, Metadata, Model, ValueInfo, data_type};
use crate::onnx::{MANIFEST_KEY, OPSET, read};
use crate::onnx::{Shapes, declared};
use bytes::Bytes;
use detector::manifest::{Channels, Decode, Input, Manifest};
use prost::Message;

/// Scale and offset of pytorch-ssd: `(x - 127) / 128`.
const PYTORCH_SSD: (f32, f32) = (1.0 / 128.0, -127.0 / 128.0);
/// The newest operator set and the newest file format that [`BOARD`] takes.
const MAX_OPSET: i64 = 15;
/// See [`MAX_OPSET`].
const MAX_IR: i64 = 8;
/// The newest runtime for the Jetson Nano.
const BOARD: &str = "the board's ONNX Runtime 1.11";
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
        return reimport(&file, &model, manifest, options);
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

/// A file that an earlier import wrote: its graph is kept, what the options say goes into its manifest.
fn reimport(file: &Bytes, model: &Model, before: Manifest, options: &ImportOptions) -> Result<Imported, Fault> {
    let graph = model.graph.as_ref().ok_or_else(|| Fault::Malformed("it contains no graph".into()))?;
    check_runnable(model, graph)?;
    let Input { width, height, .. } = before.input;
    refuse_other_size(options.size, [height, width])?;
    let classes = before.labels.len().saturating_sub(1);
    let mut manifest = before.clone();
    match (options.mean, &manifest.decode) {
        (None, _) => {}
        (Some(mean), Decode::Detectnet { .. }) => manifest.input.offset = [-mean; 3],
        (Some(_), _) => return Err(mean_does_not_apply()),
    }
    if options.labels.is_some() {
        manifest.labels = labels(options.labels.as_ref(), classes)?;
    }
    manifest.name = options.name.clone().unwrap_or(manifest.name);
    manifest.licence = options.licence.clone().or(manifest.licence);
    manifest.source = options.source.clone().or(manifest.source);
    let report = Report::of_kept(Format::Sightd, graph, classes);
    let onnx = if manifest == before { OnnxFile::of_bytes([file.clone()]) } else { with_manifest(file, &manifest)? };
    Ok(Imported { onnx, manifest, report })
}

/// The file with `manifest` as its last metadata: an entry of a repeated field may follow everything else.
fn with_manifest(file: &Bytes, manifest: &Manifest) -> Result<OnnxFile, Fault> {
    let metadata = Metadata { key: MANIFEST_KEY.to_owned(), value: toml::to_string(manifest)? };
    let addition = Model { metadata_props: vec![metadata], ..Model::default() };
    Ok(OnnxFile::of_bytes([file.clone(), addition.encode_to_vec().into()]))
}

fn refuse_other_size(size: Option<u32>, [height, width]: [u32; 2]) -> Result<(), Fault> {
    match size {
        Some(size) if [size; 2] != [height, width] => {
            let reason = format!("the input of the file has the fixed size {width}x{height}, not {size}x{size}");
            Err(Fault::Option { option: "--size", reason })
        }
        _ => Ok(()),
    }
}

/// Refuses a graph that is kept, but that the board's ONNX Runtime 1.11 or the daemon cannot run.
fn check_runnable(model: &Model, graph: &Graph) -> Result<(), Fault> {
    let opset = model.opset_import.iter().filter(|o| matches!(o.domain.as_str(), "" | "ai.onnx")).map(|o| o.version);
    let opset = opset.max().unwrap_or(0);
    if opset > MAX_OPSET {
        let way_out = format!("export it again with opset {OPSET}");
        return Err(Fault::CannotRun(format!("it has opset {opset}, {BOARD} runs up to {MAX_OPSET}: {way_out}")));
    }
    if model.ir_version > MAX_IR {
        let way_out = "export it again with an older version of the onnx package";
        let ir = model.ir_version;
        return Err(Fault::CannotRun(format!("it has IR version {ir}, {BOARD} reads up to {MAX_IR}: {way_out}")));
    }
    let info = picture(graph)?;
    let element = info.r#type.as_ref().and_then(|t| t.tensor_type.as_ref()).map_or(0, |t| t.elem_type);
    if element != data_type::FLOAT {
        let (name, found) = (&info.name, data_type::name(element));
        return Err(Fault::CannotRun(format!(
            "its input {name} has elements of type {found}, but the daemon gives float32: export it with a float32 input"
        )));
    }
    Ok(())
}

/// Forms whose graphs are kept.
#[derive(Clone, Copy)]
enum Kept {
    PytorchSsd,
    DetectNet,
}

fn kept(file: &Bytes, mut model: Model, name: String, options: &ImportOptions, form: Kept) -> Result<Imported, Fault> {
    check_runnable(&model, model.graph.as_ref().unwrap_or(&Graph::default()))?;
    let graph = model.graph.as_mut().ok_or_else(|| Fault::Malformed("it contains no graph".into()))?;
    let inputs_before = graph.input.clone();
    let [height, width] = fix_input(graph, options.size)?;
    let classes = classes(graph, form)?;
    let input_name = picture(graph)?.name.clone();
    if options.mean.is_some() && matches!(form, Kept::PytorchSsd) {
        return Err(mean_does_not_apply());
    }
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
    let onnx = if graph.input == inputs_before {
        with_manifest(file, &manifest)?
    } else {
        model.metadata_props.push(Metadata { key: MANIFEST_KEY.to_owned(), value: toml::to_string(&manifest)? });
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
    let mut open = false;
    for (side, dim) in sides.iter_mut().zip([rows, columns]) {
        *side = match dim.value {
            Some(DimensionValue::Size(n)) if n > 0 => describe::side(n)?,
            _ => {
                open = true;
                describe::side(size.ok_or(Fault::Size)?.into())?
            }
        };
        dim.value = Some(DimensionValue::Size((*side).into()));
    }
    if !open {
        refuse_other_size(size, sides)?;
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
