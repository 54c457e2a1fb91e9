//! What can go wrong in an import.

use super::constant::ConstantError;
use crate::wire::WireError;
use std::ops::RangeInclusive;
use std::path::PathBuf;

/// An import that failed, with the file it was about.
#[derive(Debug, thiserror::Error)]
#[error("cannot import {}: {fault}", path.display())]
pub struct ImportError {
    /// The file given to the importer.
    pub path: PathBuf,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What is wrong with a model file.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// A file cannot be read or written: the model, a part of it, its labels or a result. The error names it.
    #[error(transparent)]
    File(#[from] std::io::Error),
    /// No reader knows the format.
    #[error(
        "its format is not known ({found}); known are TensorFlow.js graph models (model.json), TensorFlow frozen \
         graphs (.pb), TensorFlow Lite (.tflite), face-api weights (...-weights_manifest.json) and ONNX (.onnx)"
    )]
    UnknownFormat {
        /// What its first bytes look like.
        found: String,
    },
    /// It does not parse: truncated, or not what its name says.
    #[error("it is damaged or incomplete: {0}; fetch it again")]
    Malformed(String),
    /// A constant cannot be read.
    #[error("constant {name}: {error}")]
    Constant {
        /// Name of the constant.
        name: String,
        /// Why.
        error: ConstantError,
    },
    /// A constant's type of elements is not read.
    #[error("constant {name} has elements of type {found}, which the importer does not read")]
    DataType {
        /// Name of the constant.
        name: String,
        /// Its type.
        found: String,
    },
    /// No detector of the SSD family is in the graph.
    #[error(
        "it holds no SSD: {0}. An SSD joins the box heads and the class heads of its feature maps in two \
         concatenations; other networks cannot be imported"
    )]
    NoSsd(String),
    /// An operator between the picture and the heads is not handled.
    #[error("operator {op} at {node} is not handled: {why}")]
    Operator {
        /// The operator.
        op: String,
        /// The node's name.
        node: String,
        /// What about it is not handled.
        why: String,
    },
    /// The input's size is not in the file.
    #[error("its input size is not in the file: give it with --size, for example --size 300")]
    Size,
    /// A size is not usable.
    #[error("an input of {side} pixels a side is not usable: {} to {} are handled", handled.start(), handled.end())]
    BadSize {
        /// The side in pixels, given or in the file.
        side: i64,
        /// The sides that are handled, in pixels.
        handled: RangeInclusive<u32>,
    },
    /// No anchors of the family fit.
    #[error("no anchors fit it: {0}")]
    Anchors(String),
    /// The list of labels does not fit.
    #[error(
        "{from}: {found} labels, but the network has {classes} classes: give one a line, with or without a first \
         line for the background"
    )]
    Labels {
        /// Where the labels come from.
        from: String,
        /// How many it has.
        found: usize,
        /// How many classes there are, without the background.
        classes: usize,
    },
    /// More than any detector has: refused before it fills the memory.
    #[error("it has more than {max} {what}, which no detector of the family has")]
    TooMany {
        /// What there are too many of.
        what: &'static str,
        /// The largest number accepted.
        max: usize,
    },
    /// The manifest cannot be written down.
    #[error("its manifest cannot be written as TOML: {0}")]
    Manifest(#[from] toml::ser::Error),
}

impl From<WireError> for Fault {
    fn from(error: WireError) -> Self {
        Self::Malformed(error.to_string())
    }
}
