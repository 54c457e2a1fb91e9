//! A session with its tensors: allocated once, bound once, read and written in place.

use super::{
    DeadlineMonitor, Engine, InferError, Providers, Work,
    deadline::{Watch, within},
    placement::Profile,
};
use crate::{
    manifest::{Input, Model},
    status::EngineInfo,
    tensor::{RawOutputs, RawTensor},
};
use ort::{
    logging::LogLevel,
    memory::Allocator,
    session::{IoBinding, RunOptions, Session},
    value::{Outlet, Tensor, TensorElementType, ValueType},
};
use std::{path::Path, sync::Arc, time::Duration};

/// The engine on ONNX Runtime.
pub(super) struct BoundEngine {
    session: Session,
    binding: IoBinding,
    options: Arc<RunOptions>,
    watch: Option<Watch>,
    input: Tensor<f32>,
    outputs: Vec<Output>,
    info: EngineInfo,
}

/// An output the decoder reads.
struct Output {
    name: String,
    shape: Vec<usize>,
    tensor: Tensor<f32>,
}

impl BoundEngine {
    /// Checks the graph against the manifest, allocates the tensors in the CPU's memory and binds them.
    pub(super) fn new(mut session: Session, model: &Model, info: EngineInfo) -> Result<Self, InferError> {
        let Model { path, manifest, .. } = model;
        let mismatch = |mismatch| InferError::ModelMismatch { path: path.clone(), mismatch };
        check_input(session.inputs(), &manifest.input).map_err(mismatch)?;
        let names: Vec<&str> = manifest.decode.outputs().collect();
        let shapes = output_shapes(session.outputs(), &names).map_err(mismatch)?;
        let refused = |error: ort::Error| InferError::Session(error.to_string());
        let Input { name, height, width, .. } = &manifest.input;
        let input = tensor(&[1, 3, *height as usize, *width as usize]).map_err(refused)?;
        let shapes = match shapes {
            Shapes::Fixed(shapes) => shapes,
            Shapes::Open => probe(&mut session, name, &input, &names).map_err(refused)?,
        };
        let mut binding = session.create_binding().map_err(refused)?;
        binding.bind_input(name, &input).map_err(refused)?;
        let mut outputs = Vec::with_capacity(names.len());
        for (name, shape) in names.into_iter().zip(shapes) {
            let mut output = Output { name: name.to_owned(), tensor: tensor(&shape).map_err(refused)?, shape };
            binding.bind_output(name, &mut output.tensor).map_err(refused)?;
            outputs.push(output);
        }
        let mut options = RunOptions::new().map_err(refused)?;
        options.set_log_level(LogLevel::Warning).map_err(refused)?;
        Ok(Self { session, binding, options: Arc::new(options), watch: None, input, outputs, info })
    }

    /// From now on no run may take longer than `deadline`.
    pub(super) fn watch(&mut self, monitor: &DeadlineMonitor, deadline: Duration) {
        self.watch = Some(monitor.watch(Work::Run, deadline, Some(self.options.clone())));
    }

    /// Ends the profile of the runs so far and takes from it how many nodes each provider ran, where the log did not
    /// say. Without a readable profile the numbers stay unknown.
    pub(super) fn count_nodes(&mut self, profile: Profile, providers: &Providers) {
        let Ok(file) = self.session.end_profiling() else { return };
        let counts = profile.count(Path::new(&file));
        for (provider, status) in providers.iter().zip(&mut self.info.providers) {
            status.nodes = status.nodes.or_else(|| counts.get(provider.runtime_name()).copied());
        }
    }
}

impl Engine for BoundEngine {
    fn input(&mut self) -> &mut [f32] {
        self.input.extract_tensor_mut().1
    }

    fn run(&mut self) -> Result<(), InferError> {
        let Self { session, binding, options, .. } = self;
        within(self.watch.as_ref(), || {
            let ran = session.run_binding_with_options(binding, options);
            ran.map(drop).map_err(|error| InferError::Run(error.to_string()))
        })
    }

    fn info(&self) -> &EngineInfo {
        &self.info
    }
}

impl RawOutputs for BoundEngine {
    fn output(&self, name: &str) -> Option<RawTensor<'_>> {
        let output = self.outputs.iter().find(|output| output.name == name)?;
        Some(RawTensor { shape: &output.shape, data: output.tensor.extract_tensor().1 })
    }
}

/// A tensor of zeros in the CPU's memory, owned by the runtime's allocator.
fn tensor(shape: &[usize]) -> Result<Tensor<f32>, ort::Error> {
    Tensor::new(&Allocator::default(), shape)
}

/// What the graph says of the shapes of its outputs.
#[derive(Debug, PartialEq, Eq)]
enum Shapes {
    /// Each is known.
    Fixed(Vec<Vec<usize>>),
    /// At least one depends on a run.
    Open,
}

/// The graph's one input must be the manifest's: its name, f32, `[1, 3, height, width]`.
fn check_input(inputs: &[Outlet], wanted: &Input) -> Result<(), String> {
    let [input] = inputs else {
        return Err(format!("it has the inputs {}; one, {:?}, is expected", names(inputs), wanted.name));
    };
    if input.name() != wanted.name {
        return Err(format!("its input is called {:?}, the description says {:?}", input.name(), wanted.name));
    }
    let dimensions = [1, 3, i64::from(wanted.height), i64::from(wanted.width)];
    match input.dtype() {
        ValueType::Tensor { ty: TensorElementType::Float32, shape, .. }
            if shape.len() == dimensions.len()
                && shape.iter().zip(dimensions).all(|(has, wants)| *has == wants || *has < 0) =>
        {
            Ok(())
        }
        other => Err(format!(
            "its input {:?} is {other}, the description says a tensor of f32 [1, 3, {}, {}]",
            wanted.name, wanted.height, wanted.width
        )),
    }
}

/// The outputs the decoder reads must be there and hold f32.
fn output_shapes(outputs: &[Outlet], wanted: &[&str]) -> Result<Shapes, String> {
    let mut shapes = Vec::with_capacity(wanted.len());
    for name in wanted {
        let Some(output) = outputs.iter().find(|output| output.name() == *name) else {
            return Err(format!("it has the outputs {}; {name:?} is missing", names(outputs)));
        };
        let ValueType::Tensor { ty: TensorElementType::Float32, shape, .. } = output.dtype() else {
            return Err(format!("its output {name:?} is {}, not a tensor of f32", output.dtype()));
        };
        shapes.push(shape.iter().map(|size| usize::try_from(*size)).collect::<Result<Vec<_>, _>>());
    }
    Ok(shapes.into_iter().collect::<Result<_, _>>().map_or(Shapes::Open, Shapes::Fixed))
}

/// One run without a binding, to learn the shapes of outputs that the graph leaves open.
fn probe(
    session: &mut Session,
    input_name: &str,
    input: &Tensor<f32>,
    outputs: &[&str],
) -> Result<Vec<Vec<usize>>, ort::Error> {
    let found = session.run(ort::inputs![input_name => input])?;
    outputs
        .iter()
        .map(|name| {
            let (shape, _) = found
                .get(name)
                .ok_or_else(|| ort::Error::new(format!("the run gave no output {name:?}")))?
                .try_extract_tensor::<f32>()?;
            Ok(shape.iter().filter_map(|size| usize::try_from(*size).ok()).collect())
        })
        .collect()
}

/// Names for a message.
fn names(outlets: &[Outlet]) -> String {
    outlets.iter().map(|outputs| format!("{:?}", outputs.name())).collect::<Vec<_>>().join(", ")
}
