//! Errors of an import.

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
    /// The format is unknown.
    #[error(
        "its format is unknown ({found}); supported are TensorFlow.js graph models (model.json), TensorFlow frozen \
         graphs (.pb), TensorFlow Lite (.tflite), face-api weights (...-weights_manifest.json) and ONNX (.onnx)"
    )]
    UnknownFormat {
        /// Its first bytes.
        found: String,
    },
    /// It does not parse: it is truncated, or of another kind.
    #[error("it is damaged or truncated: {0}; fetch it again")]
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
    #[error("constant {name} has elements of type {found}, which the importer does not support")]
    DataType {
        /// Name of the constant.
        name: String,
        /// Its type.
        found: String,
    },
    /// No detector of the SSD family is in the graph.
    #[error(
        "it contains no SSD: {0}. An SSD concatenates the box heads of its feature maps and, separately, their class \
         heads; other networks cannot be imported"
    )]
    NoSsd(String),
    /// An operator between the picture and the heads is not handled.
    #[error("operator {op} at {node} is not supported: {why}")]
    Operator {
        /// The operator.
        op: String,
        /// The node's name.
        node: String,
        /// What about it is not handled.
        why: String,
    },
    /// The input's size is not in the file.
    #[error("the file does not specify its input size: give it with --size, for example --size 300")]
    Size,
    /// A size is not usable.
    #[error("an input of {side} pixels a side is not supported: the range is {} to {}", handled.start(), handled.end())]
    BadSize {
        /// The side in pixels, given or in the file.
        side: i64,
        /// The sides that are handled, in pixels.
        handled: RangeInclusive<u32>,
    },
    /// The anchor generator cannot make its anchors.
    #[error("its anchors are not supported: {0}")]
    Anchors(String),
    /// The number of labels does not fit the network.
    #[error(
        "{from}: {}, but the network has {}: usually the file belongs to another network, or the blank lines of \
         unused class ids are missing; give one line per class, with or without a first line for the background",
        counted(*found, "label", "labels"), counted(*classes, "class", "classes")
    )]
    Labels {
        /// The file of the labels.
        from: String,
        /// The number of labels, without a line that says that it is the background.
        found: usize,
        /// The number of classes, without the background.
        classes: usize,
    },
    /// A file of labels cannot be understood.
    #[error("{from}: {reason}")]
    LabelFile {
        /// The file of the labels.
        from: String,
        /// What is wrong with it.
        reason: String,
    },
    /// An option does not apply to the file.
    #[error("{option} does not apply: {reason}")]
    Option {
        /// The option on the command line.
        option: &'static str,
        /// Why not.
        reason: String,
    },
    /// The network cannot run on the board, and its graph is not one that is written anew.
    #[error("it cannot run: {0}")]
    CannotRun(String),
    /// More than any detector has: rejected before it exhausts the memory.
    #[error("it has more than {max} {what}, more than any supported detector")]
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

/// A number with its noun.
pub(super) fn counted(count: usize, one: &str, several: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { several })
}
