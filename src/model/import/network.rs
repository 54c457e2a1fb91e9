//! The network between reading and writing: convolutions with everything folded in, channels first.

use super::graph::Attributes;

/// Rows, columns and channels of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// Channels.
    pub channels: usize,
}

/// A network cut out and folded: steps in the order of execution, and the heads.
#[derive(Debug)]
pub struct Network {
    /// Name of the value the network reads.
    pub input: String,
    /// Its size.
    pub input_shape: Shape,
    /// The steps, each after those it reads.
    pub steps: Vec<Step>,
    /// For each feature map, finest first: the value with its box offsets, and that value's shape.
    pub boxes: Vec<Head>,
    /// For each feature map: the value with its class logits, and that value's shape.
    pub logits: Vec<Head>,
}

/// One prediction of one feature map.
#[derive(Debug)]
pub struct Head {
    /// Name of the value.
    pub value: String,
    /// Its shape.
    pub shape: Shape,
}

/// One step, which makes one value.
#[derive(Debug)]
pub struct Step {
    /// Name of the value it makes.
    pub name: String,
    /// What it does.
    pub op: Op,
}

/// What a step does.
#[derive(Debug)]
pub enum Op {
    /// A convolution with bias.
    Conv(Conv),
    /// `min(max(x, 0), 6)`
    Relu6(String),
    /// `max(x, 0)`
    Relu(String),
    /// Sum of two values of one shape.
    Add(String, String),
    /// Values one behind the other along the channels.
    Concat(Vec<String>),
    /// Maximum over a window.
    MaxPool(String, Pool),
    /// Mean over a window, without the padding.
    AveragePool(String, Pool),
}

/// A convolution.
#[derive(Debug)]
pub struct Conv {
    /// The value it reads.
    pub input: String,
    /// Weights, `[output channels, input channels of a group, rows, columns]`.
    pub weights: Vec<f32>,
    /// Dimensions of `weights`.
    pub dims: [usize; 4],
    /// One for each output channel.
    pub bias: Vec<f32>,
    /// How the window moves.
    pub window: Pool,
    /// Spacing of the taps, rows and columns.
    pub dilations: [usize; 2],
    /// How many groups of channels are kept apart: 1, or all of them in a depthwise convolution.
    pub groups: usize,
}

impl Conv {
    /// Multiplies the output channels by `factors`: one for each, or one for all.
    pub fn scale(&mut self, factors: &[f32]) {
        let each = self.weights.len() / self.dims[0];
        for (channel, weights) in self.weights.chunks_exact_mut(each).enumerate() {
            let factor = factors[channel % factors.len()];
            weights.iter_mut().for_each(|w| *w *= factor);
            self.bias[channel] *= factor;
        }
    }

    /// Adds `terms` to the output channels: one for each, or one for all.
    pub fn shift(&mut self, terms: &[f32]) {
        for (channel, bias) in self.bias.iter_mut().enumerate() {
            *bias += terms[channel % terms.len()];
        }
    }
}

/// How a window moves over a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pool {
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
    pub fn over(
        input: Shape,
        size: [usize; 2],
        dilations: [usize; 2],
        attributes: &Attributes,
    ) -> Result<(Self, [usize; 2]), String> {
        let strides = spatial(&attributes.strides)?;
        if size.iter().any(|s| !(1..=MAX_WINDOW).contains(s)) {
            return Err(format!("a window of {size:?}; 1 to {MAX_WINDOW} are handled"));
        }
        let (same, mut pads) = padding(attributes)?;
        let mut output = [0; 2];
        for (axis, extent) in [input.height, input.width].into_iter().enumerate() {
            let span = (size[axis] - 1) * dilations[axis] + 1;
            if same {
                output[axis] = extent.div_ceil(strides[axis]);
                let padding = ((output[axis] - 1) * strides[axis] + span).saturating_sub(extent);
                pads[axis] = padding / 2;
                pads[axis + 2] = padding - padding / 2;
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

/// Whether the size before the stride is kept, and else the padding above, left, below and right.
fn padding(attributes: &Attributes) -> Result<(bool, [usize; 4]), String> {
    match (attributes.padding.as_deref(), attributes.pads.as_slice()) {
        (Some("SAME"), _) => Ok((true, [0; 4])),
        (Some("VALID"), _) | (Some("EXPLICIT"), []) => Ok((false, [0; 4])),
        (Some("EXPLICIT"), &[top, left, bottom, right]) => {
            let side = |v: i64| usize::try_from(v).ok().filter(|v| *v <= MAX_WINDOW);
            let pads = side(top).zip(side(left)).zip(side(bottom).zip(side(right)));
            let pads = pads.map(|((t, l), (b, r))| [t, l, b, r]);
            pads.map(|p| (false, p)).ok_or_else(|| format!("pads {:?}; 0 to {MAX_WINDOW} are handled", attributes.pads))
        }
        (other, _) => Err(format!("padding {}; SAME and VALID are handled", other.unwrap_or("missing"))),
    }
}

/// Rows and columns of a list `[1, rows, columns, 1]`; 1 and 1 when there is none.
///
/// # Errors
/// A text that says what about the list is not handled.
pub fn spatial(list: &[i64]) -> Result<[usize; 2], String> {
    let positive = |v: i64| usize::try_from(v).ok().filter(|v| (1..=MAX_WINDOW).contains(v));
    let pair = match *list {
        [] => Some([1, 1]),
        [1, rows, columns, 1] => positive(rows).zip(positive(columns)).map(|(r, c)| [r, c]),
        _ => None,
    };
    pair.ok_or_else(|| format!("{list:?}; [1, rows, columns, 1] with 1 to {MAX_WINDOW} is handled"))
}
