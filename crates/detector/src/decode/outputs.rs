//! What all forms of output share: reading a tensor, an object before it gets its name, and what can be wrong.

use crate::{
    geometry::Rect,
    tensor::{RawOutputs, RawTensor},
};

/// Why outputs cannot be decoded.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum DecodeError {
    /// The manifest's anchors make no sense.
    #[error("the manifest's anchors: {0}")]
    Anchors(String),
    /// The manifest's box scales make no sense.
    #[error("the manifest's scales = {0:?}: each must be a number above 0")]
    Scales([f32; 4]),
    /// There are no classes, or more than fit.
    #[error("the manifest has {0} labels: 2 to 65535 are served, the first being the background")]
    Labels(usize),
    /// The network lacks an output that the manifest names.
    #[error("the network has no output {0:?}, which its manifest names: import the model again")]
    MissingOutput(String),
    /// An output has not the shape that the manifest leads to.
    #[error("output {name:?} has the shape {found:?}, its manifest leads to {wanted:?}: import the model again")]
    Shape {
        /// The output.
        name: String,
        /// Its shape.
        found: Vec<usize>,
        /// The shape that anchors and labels ask for.
        wanted: Vec<usize>,
    },
    /// The thresholds were resolved for another model.
    #[error("the thresholds are for {found} classes, the model has {wanted}")]
    Thresholds {
        /// Classes of the thresholds.
        found: usize,
        /// Classes of the model, background included.
        wanted: usize,
    },
}

/// One object, before it gets its name.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Candidate {
    pub class_id: u16,
    pub score: f32,
    /// Not clipped.
    pub bbox: Rect,
}

/// The output `name`, whose dimensions must be `wanted` where these are given.
pub(super) fn tensor<'a>(
    outputs: &'a dyn RawOutputs,
    name: &str,
    wanted: &[Option<usize>],
) -> Result<RawTensor<'a>, DecodeError> {
    let tensor = outputs.output(name).ok_or_else(|| DecodeError::MissingOutput(name.into()))?;
    let RawTensor { shape, data } = tensor;
    let fits =
        shape.len() == wanted.len() && shape.iter().zip(wanted).all(|(has, wants)| wants.is_none_or(|w| w == *has));
    if !fits || data.len() != shape.iter().product::<usize>() {
        let wanted = wanted.iter().zip(shape.iter().map(Some).chain(std::iter::repeat(None)));
        let wanted = wanted.map(|(w, has)| w.or(has.copied()).unwrap_or(0)).collect();
        return Err(DecodeError::Shape { name: name.into(), found: shape.into(), wanted });
    }
    Ok(tensor)
}

/// The logistic function, `1 / (1 + exp(-x))`.
pub(super) fn sigmoid(x: f32) -> f32 {
    (1.0 / (1.0 + (-f64::from(x)).exp())) as f32
}

/// The inverse of [`sigmoid`]: minus infinity for 0, infinity for 1.
pub(super) fn logit(score: f32) -> f32 {
    let score = f64::from(score);
    (score / (1.0 - score)).ln() as f32
}
