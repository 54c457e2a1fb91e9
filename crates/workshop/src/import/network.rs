//! The network between reading and writing: convolutions with everything folded in, channels first.

use super::constant::Constant;
use super::graph::Attributes;
use super::kernel::Kernel;

/// Rows, columns and channels of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// Channels.
    pub channels: usize,
}

/// A network cut out and folded: steps in the order of execution, and the heads.
#[derive(Debug)]
pub(super) struct Network {
    /// Name of the value the network reads.
    pub input: String,
    /// Its size.
    pub input_shape: Shape,
    /// The steps, each after those it reads.
    pub steps: Vec<Layer>,
    /// For each feature map, finest first: the value with its box offsets, and that value's shape.
    pub boxes: Vec<Head>,
    /// For each feature map: the value with its class logits, and that value's shape.
    pub logits: Vec<Head>,
}

/// One prediction of one feature map.
#[derive(Debug)]
pub(super) struct Head {
    /// Name of the value.
    pub value: String,
    /// Its shape.
    pub shape: Shape,
}

/// One step, which makes one value.
#[derive(Debug)]
pub(super) struct Layer {
    /// Name of the value it makes.
    pub name: String,
    /// What it does.
    pub op: Op,
}

/// What a step does.
#[derive(Debug)]
pub(super) enum Op {
    /// A convolution with bias.
    Conv(Box<Conv>),
    /// `min(max(x, 0), 6)`
    Relu6(String),
    /// `max(x, 0)`
    Relu(String),
    /// Sum of two values of one shape.
    Add(String, String),
    /// Concatenation along the channels.
    Concat(Vec<String>),
    /// Maximum over a window.
    MaxPool(String, Pool),
    /// Mean over a window, without the padding.
    AveragePool(String, Pool),
}

/// A convolution.
#[derive(Debug)]
pub(super) struct Conv {
    /// The value it reads.
    pub input: String,
    /// Its weights.
    pub weights: Weights,
    /// One for each output channel; rounded when it is written.
    pub bias: Vec<f64>,
    /// How the window moves.
    pub window: Pool,
    /// Spacing of the taps, rows and columns.
    pub dilations: [usize; 2],
    /// Number of groups: 1, or the number of input channels in a depthwise convolution.
    pub groups: usize,
}

impl Conv {
    /// Multiplies the output channels by `factors`: one for each, or one for all.
    pub(super) fn scale(&mut self, factors: &[f64]) {
        let channels = self.weights.factors.iter_mut().zip(&mut self.bias).enumerate();
        for (channel, (total, bias)) in channels {
            let factor = factors[channel % factors.len()];
            *total *= factor;
            *bias *= factor;
        }
    }

    /// Adds `terms` to the output channels: one for each, or one for all.
    pub(super) fn shift(&mut self, terms: &[f64]) {
        for (channel, bias) in self.bias.iter_mut().enumerate() {
            *bias += terms[channel % terms.len()];
        }
    }
}

/// A convolution's weights, `[output channels, input channels of a group, rows, columns]`: made from the file's bytes
/// when they are written, so that the memory never holds them all.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Weights {
    /// The file's own, checked.
    constant: Constant,
    /// Their order.
    kernel: Kernel,
    /// What each output channel is multiplied by.
    factors: Vec<f64>,
}

impl Weights {
    /// The weights in `constant`, which was checked and whose order is that of `kernel`.
    pub(super) fn new(constant: &Constant, kernel: Kernel) -> Self {
        Self { constant: constant.clone(), kernel, factors: vec![1.0; kernel.dims[0]] }
    }

    /// Their dimensions.
    pub(super) fn dims(&self) -> [usize; 4] {
        self.kernel.dims
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.kernel.dims.iter().product()
    }

    /// The weights one by one.
    pub(super) fn values(&self) -> impl Iterator<Item = f32> {
        let each = self.len() / self.factors.len();
        let factors = self.factors.iter().flat_map(move |&factor| std::iter::repeat_n(factor, each));
        let values = self.kernel.places().zip(factors);
        #[expect(clippy::cast_possible_truncation, reason = "rounded once to the network's 32-bit floats")]
        values.map(|(at, factor)| (f64::from(self.constant.float(at)) * factor) as f32)
    }
}

/// The window of a convolution or pooling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pool {
    /// Rows and columns.
    pub size: [usize; 2],
    /// Steps down and right.
    pub strides: [usize; 2],
    /// Padding above, left, below, right.
    pub pads: [usize; 4],
}

/// The largest window, stride or dilation accepted; real ones have one digit.
const MAX_WINDOW: usize = 64;

impl Pool {
    /// A window of `size` taps that are `dilations` apart, over a picture of `input`, as TensorFlow lays it; and the
    /// rows and columns of the result. `SAME` puts the odd pixel of padding below and right.
    ///
    /// # Errors
    /// A text that says what about the attributes is not handled.
    pub(super) fn over(
        input: Shape,
        size: [usize; 2],
        dilations: [usize; 2],
        attributes: &Attributes,
    ) -> Result<(Self, [usize; 2]), String> {
        let strides = spatial(&attributes.strides)?;
        if size.iter().any(|s| !(1..=MAX_WINDOW).contains(s)) {
            return Err(format!("a window of {size:?}; 1 to {MAX_WINDOW} are supported"));
        }
        let padding = Padding::of(attributes)?;
        let mut pads = match padding {
            Padding::Same => [0; 4],
            Padding::Explicit(pads) => pads,
        };
        let mut output = [0; 2];
        for (axis, extent) in [input.height, input.width].into_iter().enumerate() {
            let span = (size[axis] - 1) * dilations[axis] + 1;
            if padding == Padding::Same {
                output[axis] = extent.div_ceil(strides[axis]);
                let missing = ((output[axis] - 1) * strides[axis] + span).saturating_sub(extent);
                pads[axis] = missing / 2;
                pads[axis + 2] = missing - missing / 2;
            } else {
                let padded = extent + pads[axis] + pads[axis + 2];
                let room = padded.checked_sub(span);
                let room =
                    room.ok_or_else(|| format!("a window of {span} pixels over {padded}: give a larger --size"))?;
                output[axis] = room / strides[axis] + 1;
            }
        }
        Ok((Self { size, strides, pads }, output))
    }
}

/// The padding of a feature map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Padding {
    /// As many pixels as keep the size at stride 1.
    Same,
    /// Pixels above, left, below and right.
    Explicit([usize; 4]),
}

impl Padding {
    fn of(attributes: &Attributes) -> Result<Self, String> {
        match (attributes.padding.as_deref(), attributes.pads.as_slice()) {
            (Some("SAME"), _) => Ok(Self::Same),
            (Some("VALID"), _) | (Some("EXPLICIT"), []) => Ok(Self::Explicit([0; 4])),
            (Some("EXPLICIT"), &[top, left, bottom, right]) => {
                let sides = [top, left, bottom, right].map(|side| usize::try_from(side).unwrap_or(usize::MAX));
                if sides.iter().any(|side| *side > MAX_WINDOW) {
                    return Err(format!("pads {:?}; 0 to {MAX_WINDOW} are supported", attributes.pads));
                }
                Ok(Self::Explicit(sides))
            }
            (other, _) => Err(format!("padding {}; SAME and VALID are supported", other.unwrap_or("missing"))),
        }
    }
}

/// Rows and columns of a list `[1, rows, columns, 1]`; 1 and 1 when there is none.
///
/// # Errors
/// A text that says what about the list is not handled.
pub(super) fn spatial(list: &[i64]) -> Result<[usize; 2], String> {
    let positive = |v: i64| usize::try_from(v).ok().filter(|v| (1..=MAX_WINDOW).contains(v));
    let pair = match *list {
        [] => Some([1, 1]),
        [1, rows, columns, 1] => positive(rows).zip(positive(columns)).map(|(r, c)| [r, c]),
        _ => None,
    };
    pair.ok_or_else(|| format!("{list:?}; [1, rows, columns, 1] with 1 to {MAX_WINDOW} is supported"))
}
