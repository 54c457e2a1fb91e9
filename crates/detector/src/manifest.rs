//! What the daemon must know of a model besides its weights: written by the importer beside (and into) the ONNX
//! file, read by every stage that handles tensors.

use crate::{geometry::Size, status::SubstituteFor};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// A model file that was read to its end, and its description.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// The ONNX file.
    pub path: PathBuf,
    /// Its SHA-256 in lower-case hex.
    pub sha256: String,
    /// What it says of itself.
    pub manifest: Manifest,
    /// The network it runs in place of, if it does.
    pub stands_in_for: Option<SubstituteFor>,
}

impl Model {
    /// For the user, when it runs in place of another network.
    pub fn note(&self) -> Option<String> {
        let SubstituteFor { name, difference } = self.stands_in_for.as_ref()?;
        let own = &self.manifest.name;
        Some(format!("{own} stands in for {name}: {difference}; import the original to run it under this name"))
    }
}

/// A model's description; `models/NAME.toml` on disk, and the metadata entry `sightd` of the ONNX file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The name it is chosen by, for example `ssdlite-mobilenet-v2`.
    pub name: String,
    /// SHA-256 of the ONNX file in lower-case hex; absent in the copy embedded in that file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// The licence of the weights, as SPDX where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licence: Option<String>,
    /// Where the weights come from, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Class names by class id; `labels[0]` is the background, and unused ids hold an empty text.
    pub labels: Vec<String>,
    /// The network's input.
    pub input: Input,
    /// How its outputs become detections.
    pub decode: Decode,
}

impl Manifest {
    /// Takes away the names of all classes but `wanted`, so that the others are as if the network did not know them.
    pub fn keep_only(&mut self, wanted: &[String]) {
        self.labels.iter_mut().skip(1).filter(|label| !wanted.contains(label)).for_each(String::clear);
    }
}

/// The network's input: f32 `[1, 3, height, width]`, each value `pixel * scale + offset`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// The input's name in the graph.
    pub name: String,
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Order of the three planes.
    pub channels: Channels,
    /// Factor on the 0..255 pixel value.
    pub scale: f32,
    /// Added after scaling, one for each plane in the order of `channels`.
    pub offset: [f32; 3],
}

impl Input {
    /// Width and height.
    pub fn size(&self) -> Size {
        Size::new(self.width, self.height)
    }

    /// How many values the input tensor holds.
    pub fn len(&self) -> usize {
        3 * self.width as usize * self.height as usize
    }

    /// Whether the tensor holds nothing, which no importer writes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Order of the colour planes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Channels {
    /// Red, green, blue.
    Rgb,
    /// Blue, green, red.
    Bgr,
}

/// How the outputs become detections.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "form", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Decode {
    /// SSD with raw box offsets `[1, N, 4]` (ty, tx, th, tw) and class logits `[1, N, classes + 1]`.
    Ssd {
        /// Name of the output with the box offsets.
        boxes: String,
        /// Name of the output with the logits; column 0 is the background.
        logits: String,
        /// From logit to score.
        activation: Activation,
        /// Divisors of ty, tx, th, tw (10, 10, 5, 5 in the TensorFlow Object Detection API).
        scales: [f32; 4],
        /// The anchors the offsets refer to.
        anchors: Anchors,
    },
    /// Boxes and scores that the network decodes itself (pytorch-ssd).
    Corners {
        /// Name of the output with the boxes: `[1, N, 4]`, left, top, right, bottom, in units of the frame.
        boxes: String,
        /// Name of the output with the scores: `[1, N, classes + 1]`; column 0 is the background.
        scores: String,
    },
    /// Detections of TensorFlow's post-processing, which is inside the network.
    Postprocessed {
        /// Name of the output with the boxes: `[1, N, 4]`, top, left, bottom, right, in units of the frame.
        boxes: String,
        /// Name of the output with the class numbers: `[1, N]`.
        classes: String,
        /// Name of the output with the scores: `[1, N]`.
        scores: String,
        /// Name of the output with the number of detections: `[1]`.
        count: String,
        /// The class id that a class number of 0 means: 0 in TensorFlow's graphs, 1 in TensorFlow Lite's.
        first_class: u16,
    },
    /// A grid of cells, each with a coverage for every class and one box (NVIDIA's DetectNet).
    Detectnet {
        /// Name of the output with the coverage: `[1, classes, rows, columns]`, without a background.
        coverage: String,
        /// Name of the output with the boxes: `[1, 4, rows, columns]`, left, top, right, bottom, in pixels of the input
        /// from the cell's corner.
        boxes: String,
    },
}

impl Decode {
    /// Names of the outputs the decoder reads.
    pub fn outputs(&self) -> impl Iterator<Item = &str> {
        let names = match self {
            Self::Ssd { boxes, logits, .. } => [Some(boxes), Some(logits), None, None],
            Self::Corners { boxes, scores } => [Some(boxes), Some(scores), None, None],
            Self::Postprocessed { boxes, classes, scores, count, .. } => {
                [Some(boxes), Some(classes), Some(scores), Some(count)]
            }
            Self::Detectnet { coverage, boxes } => [Some(coverage), Some(boxes), None, None],
        };
        names.into_iter().flatten().map(String::as_str)
    }
}

/// From logit to score.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Activation {
    /// Each class by itself: `1 / (1 + exp(-x))`.
    Sigmoid,
    /// Over all columns, the background among them.
    Softmax,
}

/// The TensorFlow Object Detection API's `ssd_anchor_generator`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Anchors {
    /// Rows and columns of each feature map, finest first.
    pub layers: Vec<[u32; 2]>,
    /// Scale of the finest layer.
    pub min_scale: f32,
    /// Scale of the coarsest layer.
    pub max_scale: f32,
    /// Aspect ratios (width / height) of every layer but a reduced finest one.
    pub ratios: Vec<f32>,
    /// Whether the finest layer has only three anchors: (0.1, 1), (scale, 2), (scale, 0.5).
    pub reduce_lowest_layer: bool,
    /// Where the square anchor of scale `sqrt(s * s_next)` stands among a layer's anchors.
    pub interpolated: Interpolated,
}

/// Place of the interpolated anchor among a layer's anchors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Interpolated {
    /// After all others (TensorFlow Object Detection API).
    Last,
    /// After the first (face-api).
    Second,
    /// There is none.
    None,
}
