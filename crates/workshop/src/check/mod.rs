//! Runs an imported model once: on a built-in picture to see that it works, or against outputs of the original.

mod npz;

pub use npz::NpzError;

use super::import::Written;
use detector::decode::{self, Decoder};
use detector::infer::{self, Engine, InferError, Runtime};
use detector::manifest::Manifest;
use detector::tensor::RawOutputs;
use npz::Npz;
use std::path::Path;

/// What came of the run on the built-in picture.
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
    /// The largest absolute difference of a value; not a number where one of both is none.
    pub largest: f32,
}

/// Why a model did not pass.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// It does not run.
    #[error(transparent)]
    Infer(#[from] InferError),
    /// An output is not finite.
    #[error("output {0} has values that are no numbers: the weights are damaged, or the import is wrong")]
    NotFinite(String),
    /// An output lacks or has another form than the manifest says.
    #[error(transparent)]
    Decode(#[from] decode::DecodeError),
    /// The reference cannot be read.
    #[error("{path}: {error}")]
    Npz {
        /// The file.
        path: String,
        /// Why.
        error: NpzError,
    },
    /// The reference has not what is needed.
    #[error("{path} has no array {name} of {wanted} values (it has {found}); needed are the input and each output")]
    Reference {
        /// The file.
        path: String,
        /// The array.
        name: String,
        /// How many values it must have.
        wanted: usize,
        /// What there is.
        found: String,
    },
}

/// Opens and runs the model on a built-in picture, and decodes what it gives.
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
    decode_once(&written.model.manifest, &*engine)?;
    Ok(Checked { runtime: runtime.version().to_owned(), outputs })
}

/// Runs the model on the input in `reference` (a NumPy `.npz` with the input and the outputs by their names) and
/// compares the outputs.
///
/// # Errors
/// [`CheckError`].
pub fn verify(written: &Written, reference: &Path) -> Result<Vec<Difference>, CheckError> {
    let path = reference.display().to_string();
    let npz = Npz::open(reference).map_err(|error| CheckError::Npz { path: path.clone(), error })?;
    let array = |name: &str, wanted: usize| match npz.get(name) {
        Some(values) if values.len() == wanted => Ok(values),
        _ => Err(CheckError::Reference { path: path.clone(), name: name.to_owned(), wanted, found: npz.contents() }),
    };
    let (_, mut engine) = open(written)?;
    let input = array(&written.model.manifest.input.name, engine.input().len())?;
    engine.input().copy_from_slice(input);
    engine.run()?;
    let mut differences = Vec::new();
    for name in written.model.manifest.decode.outputs() {
        let ours = engine.output(name).ok_or_else(|| decode::DecodeError::MissingOutput(name.to_owned()))?;
        let theirs = array(name, ours.data.len())?;
        // In the total order, in which a NaN is the largest: `f32::max` would pass over it.
        let largest = ours.data.iter().zip(theirs).map(|(a, b)| (a - b).abs()).max_by(f32::total_cmp).unwrap_or(0.0);
        differences.push(Difference { name: name.to_owned(), largest });
    }
    Ok(differences)
}

fn open(written: &Written) -> Result<(Runtime, Box<dyn Engine>), CheckError> {
    // On the CPU: a GPU's engine would take minutes to build.
    let config = infer::Config { providers: infer::Provider::Cpu.into(), ..infer::Config::default() };
    let runtime = Runtime::load(&config)?;
    let engine = runtime.open(&config, &written.model, &|_| {})?;
    Ok((runtime, engine))
}

fn decode_once(manifest: &Manifest, engine: &dyn RawOutputs) -> Result<(), CheckError> {
    let mut decoder = Decoder::new(manifest)?;
    let rules = decode::Config::default();
    let most = usize::from(rules.max_detections.get());
    let thresholds = decode::Thresholds::uniform(rules.score, manifest.labels.len(), rules.iou, most);
    decoder.decode(engine, &thresholds, &mut Vec::new())?;
    Ok(())
}

/// A picture of waves of many lengths and directions, so that every filter has something to see.
fn paint(tensor: &mut [f32], width: usize) {
    let plane = (tensor.len() / 3).max(1);
    for (i, value) in tensor.iter_mut().enumerate() {
        let (channel, y, x) = (i / plane, i % plane / width, i % width);
        let (x, y) = (x as f32 / width as f32, y as f32 / width as f32);
        let wave = (40.0 * x * x + 9.0 * y).sin() + (7.0 * x - 30.0 * y * y + channel as f32).sin();
        *value = wave / 2.0;
    }
}
