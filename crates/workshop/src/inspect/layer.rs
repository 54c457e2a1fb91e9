//! What one layer costs.
//!
//! With kernels of `D_K` by `D_K`, `M` input channels, `N` output channels and an output of `D_F` by `D_F`:
//!
//! ```text
//! standard   D_K² · M · N · D_F²      weights D_K² · M · N
//! depthwise  D_K² · M · D_F²          weights D_K² · M
//! pointwise  M · N · D_F²             weights M · N
//! grouped    D_K² · M/G · N · D_F²    weights D_K² · M/G · N
//! ```
//!
//! A depthwise separable convolution (depthwise, then pointwise) costs `1/N + 1/D_K²` of a standard one. Additions of
//! biases, normalisations and activations are not counted, as in the papers.

use serde::Serialize;

/// Kinds of layers, by how their cost is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A convolution over all channels with a kernel larger than one pixel.
    Standard,
    /// A convolution of each channel by itself.
    Depthwise,
    /// A convolution over all channels of one pixel.
    Pointwise,
    /// A convolution over several groups of channels.
    Grouped,
    /// A matrix product.
    FullyConnected,
    /// Anything without multiplications that are counted.
    Other,
}

impl Kind {
    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Depthwise => "depthwise",
            Self::Pointwise => "pointwise",
            Self::Grouped => "grouped",
            Self::FullyConnected => "fully connected",
            Self::Other => "other",
        }
    }

    /// The formula of its multiply-adds.
    pub fn formula(self) -> &'static str {
        match self {
            Self::Standard => "D_K² · M · N · D_F²",
            Self::Depthwise => "D_K² · M · D_F²",
            Self::Pointwise => "M · N · D_F²",
            Self::Grouped => "D_K² · M/G · N · D_F²",
            Self::FullyConnected => "M · N",
            Self::Other => "none",
        }
    }
}

/// The shape of a feature map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Feature {
    /// Channels.
    pub channels: u64,
    /// Rows.
    pub height: u64,
    /// Columns.
    pub width: u64,
}

impl Feature {
    /// Number of values.
    pub fn len(self) -> u64 {
        self.channels * self.height * self.width
    }

    /// Whether it has no values.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }
}

impl std::fmt::Display for Feature {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&format!("{}x{}x{}", self.channels, self.height, self.width))
    }
}

/// The part of the input that one value sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Field {
    /// Its side in pixels of the input.
    pub size_px: u64,
    /// How far apart in pixels the fields of neighbours are.
    pub step_px: u64,
}

impl Field {
    /// A single pixel.
    pub const PIXEL: Self = Self { size_px: 1, step_px: 1 };

    /// The field behind a window of `span` values that moves by `stride`.
    pub fn behind(self, span: u64, stride: u64) -> Self {
        let size_px = self.size_px.saturating_add(span.saturating_sub(1).saturating_mul(self.step_px));
        Self { size_px, step_px: self.step_px.saturating_mul(stride) }
    }

    /// The larger of two that come together.
    pub fn or(self, other: Self) -> Self {
        Self { size_px: self.size_px.max(other.size_px), step_px: self.step_px.max(other.step_px) }
    }
}

/// One layer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Layer {
    /// Its name.
    pub name: String,
    /// Its operator, by ONNX's name.
    pub operator: String,
    /// How its cost is computed.
    pub kind: Kind,
    /// Its first input, if that is a feature map of known size.
    pub input: Option<Feature>,
    /// Its output, likewise.
    pub output: Option<Feature>,
    /// Weights, biases, and scales and shifts of normalisations.
    pub parameters: u64,
    /// Multiply-adds.
    pub multiply_adds: u64,
    /// Values of its output.
    pub activations: u64,
    /// Values it reads and makes, as far as they pass through the memory: those of layers that run with the one
    /// before (activations, normalisations) do not.
    pub moved: u64,
    /// The part of the network's input that each of its values sees.
    pub field: Field,
}

/// Sums over layers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Totals {
    /// How many layers.
    pub layers: u64,
    /// See [`Layer::parameters`].
    pub parameters: u64,
    /// See [`Layer::multiply_adds`].
    pub multiply_adds: u64,
    /// See [`Layer::activations`].
    pub activations: u64,
}

impl Totals {
    /// The sums over `layers`.
    pub(super) fn of<'a>(layers: impl IntoIterator<Item = &'a Layer>) -> Self {
        layers.into_iter().fold(Self::default(), |sum, layer| Self {
            layers: sum.layers + 1,
            parameters: sum.parameters.saturating_add(layer.parameters),
            multiply_adds: sum.multiply_adds.saturating_add(layer.multiply_adds),
            activations: sum.activations.saturating_add(layer.activations),
        })
    }
}
