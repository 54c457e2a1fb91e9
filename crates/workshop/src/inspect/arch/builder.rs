//! Builds a list of layers from what the papers say of them.

use crate::inspect::layer::{Feature, Field, Kind, Layer};

/// What follows a convolution's sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tail {
    /// A bias for each channel.
    Bias,
    /// Batch normalisation: a scale and a shift for each channel.
    Norm,
    /// Nothing.
    Plain,
}

/// A convolution; the padding keeps the size before the stride, unless it is said otherwise.
#[derive(Clone, Copy, Debug)]
pub(super) struct Conv {
    /// Output channels.
    pub outputs: u64,
    /// Side of the kernel.
    pub kernel: u64,
    /// Step in both directions.
    pub stride: u64,
    /// Groups of channels kept apart.
    pub groups: u64,
    /// What follows.
    pub tail: Tail,
}

impl Conv {
    /// A convolution over all channels, with batch normalisation.
    pub(super) fn normed(outputs: u64, kernel: u64, stride: u64) -> Self {
        Self { outputs, kernel, stride, groups: 1, tail: Tail::Norm }
    }
}

/// Layers so far, and the picture they make.
#[derive(Clone, Debug)]
pub(super) struct Builder {
    /// What was built.
    pub layers: Vec<Layer>,
    /// What the last layer makes.
    pub at: Feature,
    field: Field,
}

impl Builder {
    /// Starts with a square picture of three channels.
    pub(super) fn new(size: u64) -> Self {
        let at = Feature { channels: 3, height: size, width: size };
        Self { layers: Vec::new(), at, field: Field::PIXEL }
    }

    /// A convolution with padding for `ceil(size / stride)` rows and columns.
    pub(super) fn conv(&mut self, name: &str, conv: Conv) -> &mut Self {
        let (height, width) = (self.at.height.div_ceil(conv.stride), self.at.width.div_ceil(conv.stride));
        self.conv_to(name, conv, Feature { channels: conv.outputs, height, width })
    }

    /// A convolution whose result has the size of `output`.
    pub(super) fn conv_to(&mut self, name: &str, conv: Conv, output: Feature) -> &mut Self {
        let weights = conv.kernel * conv.kernel * (self.at.channels / conv.groups) * conv.outputs;
        let kind = match conv.groups {
            1 if conv.kernel == 1 => Kind::Pointwise,
            1 => Kind::Standard,
            g if g == self.at.channels => Kind::Depthwise,
            _ => Kind::Grouped,
        };
        let tail = match conv.tail {
            Tail::Bias => conv.outputs,
            Tail::Norm => 2 * conv.outputs,
            Tail::Plain => 0,
        };
        self.field = self.field.behind(conv.kernel, conv.stride);
        self.push(name, "Conv", kind, output, weights + tail, weights * output.height * output.width)
    }

    /// A depthwise convolution with batch normalisation.
    pub(super) fn depthwise(&mut self, name: &str, kernel: u64, stride: u64) -> &mut Self {
        let channels = self.at.channels;
        self.conv(name, Conv { groups: channels, ..Conv::normed(channels, kernel, stride) })
    }

    /// Batch normalisation by itself.
    pub(super) fn norm(&mut self, name: &str) -> &mut Self {
        self.push(name, "BatchNormalization", Kind::Other, self.at, 2 * self.at.channels, 0)
    }

    /// A window that takes the maximum or mean, to `output` rows and columns.
    pub(super) fn pool(&mut self, name: &str, operator: &str, kernel: u64, stride: u64, output: u64) -> &mut Self {
        self.field = self.field.behind(kernel, stride);
        self.push(name, operator, Kind::Other, Feature { height: output, width: output, ..self.at }, 0, 0)
    }

    /// The mean over the whole picture.
    pub(super) fn global_pool(&mut self) -> &mut Self {
        let output = Feature { height: 1, width: 1, ..self.at };
        self.field = self.field.behind(self.at.height, self.at.height);
        self.push("pool", "GlobalAveragePool", Kind::Other, output, 0, 0)
    }

    /// A product with a matrix and a bias.
    pub(super) fn fully_connected(&mut self, name: &str, outputs: u64) -> &mut Self {
        let weights = self.at.len() * outputs;
        let output = Feature { channels: outputs, height: 1, width: 1 };
        self.push(name, "Gemm", Kind::FullyConnected, output, weights + outputs, weights)
    }

    /// The sum with a value of the same shape.
    pub(super) fn add(&mut self, name: &str) -> &mut Self {
        let moved = self.at.len();
        self.push(name, "Add", Kind::Other, self.at, 0, 0);
        if let Some(layer) = self.layers.last_mut() {
            layer.moved += moved;
        }
        self
    }

    /// Takes another branch's layers in, and leaves the picture as `output`.
    pub(super) fn join(&mut self, branch: Self, output: Feature) -> &mut Self {
        self.field = self.field.or(branch.field);
        self.layers.extend(branch.layers);
        self.at = output;
        self
    }

    /// A branch that starts here, without layers of its own.
    pub(super) fn branch(&self) -> Self {
        Self { layers: Vec::new(), at: self.at, field: self.field }
    }

    fn push(
        &mut self,
        name: &str,
        operator: &str,
        kind: Kind,
        output: Feature,
        parameters: u64,
        multiply_adds: u64,
    ) -> &mut Self {
        let fused = operator == "BatchNormalization";
        self.layers.push(Layer {
            name: name.to_owned(),
            operator: operator.to_owned(),
            kind,
            input: Some(self.at),
            output: Some(output),
            parameters,
            multiply_adds,
            activations: output.len(),
            moved: if fused { 0 } else { self.at.len() + output.len() },
            field: self.field,
        });
        self.at = output;
        self
    }
}
