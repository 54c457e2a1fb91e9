//! Runs an imported model once: on a generated picture to check that it works, or against outputs of the original.

mod npz;

use super::import::Written;
use detector::decode::{self, Decoder};
use detector::infer::{self, Engine, InferError, Runtime};
use detector::manifest::{Decode, Manifest};
use detector::tensor::RawOutputs;
use npz::{Npz, NpzError};
use std::path::Path;

/// What rounding may add to a score or a corner, in units of the picture.
const ROUNDING: f32 = 1e-3;

/// The result of the run on the generated picture.
#[derive(Debug)]
pub struct Checked {
    /// ONNX Runtime's version.
    pub runtime: String,
    /// Names, sizes and ranges of the outputs.
    pub outputs: Vec<Range>,
}

/// Size and range of one output.
#[derive(Debug)]
pub struct Range {
    /// The output.
    pub name: String,
    /// Its dimensions.
    pub shape: Vec<usize>,
    /// Its smallest value.
    pub min: f32,
    /// Its largest value.
    pub max: f32,
}

/// The largest difference of one output to the given one.
#[derive(Debug)]
pub struct Difference {
    /// The output.
    pub name: String,
    /// The largest absolute difference of a value; NaN where either of them is.
    pub largest: f32,
}

/// Why a model did not pass.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// There is no ONNX Runtime to run it.
    #[error(transparent)]
    NoRuntime(InferError),
    /// It does not run.
    #[error("the model does not run: {0}")]
    Infer(#[from] InferError),
    /// The outputs are not finished scores and boxes, which their names and shapes let one expect.
    #[error(
        "output {name} has values from {min:.3} to {max:.3}, {expected}: the network gives raw offsets or logits, which \
         are decoded only for the forms that docs/models.md lists; export it with its box decoding (pytorch-ssd: \
         convert with is_test=True)"
    )]
    NotDecoded {
        /// The output.
        name: String,
        /// Its smallest value.
        min: f32,
        /// Its largest value.
        max: f32,
        /// What is wrong with these.
        expected: &'static str,
    },
    /// An output is not finite.
    #[error("output {0} has values that are infinite or NaN: the weights are damaged, or the import is wrong")]
    NotFinite(String),
    /// An output is missing or has another shape than the manifest says.
    #[error(transparent)]
    Decode(#[from] decode::DecodeError),
    /// The reference cannot be read.
    #[error(transparent)]
    Npz(#[from] NpzError),
    /// The reference lacks an array.
    #[error("{path} has no array {name} (it has {found}); the input and each output are needed")]
    NoArray {
        /// The file.
        path: String,
        /// The array.
        name: String,
        /// Names and shapes of those it has.
        found: String,
    },
    /// An array of the reference has another shape than the model's tensor.
    #[error("{path}: array {name} has the shape {found:?}, the model's {name} has {expected:?}")]
    Shape {
        /// The file.
        path: String,
        /// The array.
        name: String,
        /// Its shape.
        found: Vec<usize>,
        /// The shape of the model's input or output.
        expected: Vec<usize>,
    },
}

/// Opens and runs the model on a generated picture, and decodes the outputs.
///
/// # Errors
/// [`CheckError`].
pub fn self_check(written: &Written) -> Result<Checked, CheckError> {
    let (runtime, mut engine) = open(written)?;
    paint(engine.input(), written.model.manifest.input.width as usize);
    engine.run()?;
    let mut outputs = Vec::new();
    for name in written.model.manifest.decode.outputs() {
        let tensor = engine.output(name).ok_or_else(|| decode::DecodeError::MissingOutput(name.to_owned()))?;
        if !tensor.data.iter().all(|v| v.is_finite()) {
            return Err(CheckError::NotFinite(name.to_owned()));
        }
        let min = tensor.data.iter().copied().fold(f32::INFINITY, f32::min);
        let max = tensor.data.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        outputs.push(Range { name: name.to_owned(), shape: tensor.shape.to_vec(), min, max });
    }
    check_corners(&written.model.manifest.decode, &*engine)?;
    decode_once(&written.model.manifest, &*engine)?;
    Ok(Checked { runtime: runtime.version().to_owned(), outputs })
}

/// Runs the model on the input in `reference` (a NumPy `.npz` with the input and the outputs by their names) and
/// compares the outputs.
///
/// # Errors
/// [`CheckError`].
pub fn verify(written: &Written, reference: &Path) -> Result<Vec<Difference>, CheckError> {
    let reference = Reference { path: reference.display().to_string(), npz: Npz::open(reference)? };
    let (_, mut engine) = open(written)?;
    let input = &written.model.manifest.input;
    let shape = [1, 3, input.height as usize, input.width as usize];
    engine.input().copy_from_slice(reference.array(&input.name, &shape)?);
    engine.run()?;
    let mut differences = Vec::new();
    for name in written.model.manifest.decode.outputs() {
        let ours = engine.output(name).ok_or_else(|| decode::DecodeError::MissingOutput(name.to_owned()))?;
        let theirs = reference.array(name, ours.shape)?;
        // In the total order, in which a NaN is the largest: `f32::max` would pass over it.
        let largest = ours.data.iter().zip(theirs).map(|(a, b)| (a - b).abs()).max_by(f32::total_cmp).unwrap_or(0.0);
        differences.push(Difference { name: name.to_owned(), largest });
    }
    Ok(differences)
}

/// The original's tensors, and the file they are from.
struct Reference {
    path: String,
    npz: Npz,
}

impl Reference {
    /// The values of the array `name`, whose shape must be `expected`; leading dimensions of 1 make no difference.
    fn array(&self, name: &str, expected: &[usize]) -> Result<&[f32], CheckError> {
        let (path, name) = (self.path.clone(), name.to_owned());
        let Some(array) = self.npz.get(&name) else {
            return Err(CheckError::NoArray { path, name, found: self.npz.contents() });
        };
        if without_leading_ones(&array.shape) != without_leading_ones(expected) {
            let (found, expected) = (array.shape.clone(), expected.to_vec());
            return Err(CheckError::Shape { path, name, found, expected });
        }
        Ok(&array.values)
    }
}

fn without_leading_ones(shape: &[usize]) -> &[usize] {
    &shape[shape.iter().take_while(|&&d| d == 1).count()..]
}

fn open(written: &Written) -> Result<(Runtime, Box<dyn Engine>), CheckError> {
    // On the CPU: a GPU's engine would take minutes to build.
    let config = infer::Config { providers: infer::Provider::Cpu.into(), ..infer::Config::default() };
    let runtime = Runtime::load(&config).map_err(CheckError::NoRuntime)?;
    let engine = runtime.open(&config, &written.model, &|_| {})?;
    Ok((runtime, engine))
}

/// Checks that a network which decodes its own boxes does so: scores within 0..1, and boxes whose second corner is
/// right of and below the first. Outputs of raw offsets have the same names and shapes.
fn check_corners(decode: &Decode, engine: &dyn RawOutputs) -> Result<(), CheckError> {
    let Decode::Corners { boxes, scores } = decode else { return Ok(()) };
    let tensor = |name: &str| engine.output(name).ok_or_else(|| decode::DecodeError::MissingOutput(name.to_owned()));
    let not_decoded = |name: &str, data: &[f32], expected| {
        let min = data.iter().copied().fold(f32::INFINITY, f32::min);
        let max = data.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        CheckError::NotDecoded { name: name.to_owned(), min, max, expected }
    };
    let data = tensor(scores)?.data;
    if data.iter().any(|score| !(-ROUNDING..=1.0 + ROUNDING).contains(score)) {
        return Err(not_decoded(scores, data, "but scores are within 0..1"));
    }
    let data = tensor(boxes)?.data;
    let is_box = |b: &[f32; 4]| b[2] - b[0] >= -ROUNDING && b[3] - b[1] >= -ROUNDING;
    if !data.as_chunks().0.iter().all(is_box) {
        return Err(not_decoded(boxes, data, "and not every box has its second corner right of and below the first"));
    }
    Ok(())
}

fn decode_once(manifest: &Manifest, engine: &dyn RawOutputs) -> Result<(), CheckError> {
    let mut decoder = Decoder::new(manifest)?;
    let rules = decode::Config::default();
    let most = usize::from(rules.max_detections.get());
    let thresholds = decode::Thresholds::uniform(rules.score, manifest.labels.len(), rules.iou, most);
    decoder.decode(engine, &thresholds, &mut Vec::new())?;
    Ok(())
}

/// Waves of many lengths and directions, so that every filter responds.
fn paint(tensor: &mut [f32], width: usize) {
    let plane = (tensor.len() / 3).max(1);
    for (i, value) in tensor.iter_mut().enumerate() {
        let (channel, y, x) = (i / plane, i % plane / width, i % width);
        let (x, y) = (x as f32 / width as f32, y as f32 / width as f32);
        let wave = (40.0 * x * x + 9.0 * y).sin() + (7.0 * x - 30.0 * y * y + channel as f32).sin();
        *value = wave / 2.0;
    }
}
