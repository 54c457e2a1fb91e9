//! A convolution's weights: from the orders of the formats to ONNX's.

use super::graph::{Filter, Node};

/// Dimensions of a convolution's weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kernel {
    /// Rows and columns.
    pub size: [usize; 2],
    /// Dimensions in ONNX's order: outputs, inputs of a group, rows, columns.
    pub dims: [usize; 4],
    /// Groups of channels kept apart.
    pub groups: usize,
    filter: Filter,
}

impl Kernel {
    /// The kernel of `node`, whose weights have the dimensions `dims` in the order `filter`, over `channels` channels;
    /// `None` when these do not go together.
    ///
    /// Output `c * M + m` of a depthwise convolution is multiplier `m` of channel `c`, in both formats: TensorFlow
    /// Lite's `[1, rows, columns, C * M]` has the elements of TensorFlow's `[rows, columns, C, M]` in their order.
    pub(super) fn of(node: &Node, dims: &[usize], filter: Filter, channels: usize) -> Option<Self> {
        let &[first, second, third, fourth] = dims else {
            return None;
        };
        if dims.contains(&0) || channels == 0 {
            return None;
        }
        let depthwise = node.op != "Conv2D";
        let (size, inputs, outputs, filter) = match (depthwise, filter) {
            (false, Filter::Tensorflow) => ([first, second], third, fourth, filter),
            (false, Filter::Tflite) => ([second, third], fourth, first, filter),
            (true, Filter::Tensorflow) => ([first, second], third, third.checked_mul(fourth)?, filter),
            (true, Filter::Tflite) if first == 1 && fourth.is_multiple_of(channels) => {
                ([second, third], channels, fourth, Filter::Tensorflow)
            }
            (true, Filter::Tflite) => return None,
            (false, Filter::Onnx) => ([third, fourth], second, first, filter),
            (true, Filter::Onnx) if second == 1 && first.is_multiple_of(channels) => {
                ([third, fourth], channels, first, filter)
            }
            (true, Filter::Onnx) => return None,
        };
        let (inputs_of_group, groups) = if depthwise { (1, channels) } else { (inputs, 1) };
        let dims = [outputs, inputs_of_group, size[0], size[1]];
        (inputs == channels).then_some(Self { size, dims, groups, filter })
    }

    /// For each weight in the order of [`Kernel::dims`], its place in the file.
    pub(super) fn places(&self) -> impl Iterator<Item = usize> {
        let [outputs, inputs, rows, columns] = self.dims;
        let (taps, filter) = (rows * columns, self.filter);
        let at = move |output: usize, input: usize, tap: usize| match filter {
            Filter::Tensorflow => (tap * inputs + input) * outputs + output,
            Filter::Tflite => (output * taps + tap) * inputs + input,
            Filter::Onnx => (output * inputs + input) * taps + tap,
        };
        let of_output = move |o| (0..inputs).flat_map(move |i| (0..taps).map(move |tap| at(o, i, tap)));
        (0..outputs).flat_map(of_output)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(op: &str) -> Node {
        Node { op: op.into(), ..Node::default() }
    }

    #[test]
    fn both_orders_give_the_same_weights() {
        // Two outputs, three inputs, one row, two columns; the value names its place.
        let value = |o: usize, i: usize, t: usize| (100 * o + 10 * i + t) as f32;
        let mut last = Vec::new();
        let mut first = Vec::new();
        for t in 0..2 {
            for i in 0..3 {
                last.extend((0..2).map(|o| value(o, i, t)));
            }
        }
        for o in 0..2 {
            for t in 0..2 {
                first.extend((0..3).map(|i| value(o, i, t)));
            }
        }
        let conv = node("Conv2D");
        let by_last = Kernel::of(&conv, &[1, 2, 3, 2], Filter::Tensorflow, 3).unwrap();
        let by_first = Kernel::of(&conv, &[2, 1, 2, 3], Filter::Tflite, 3).unwrap();
        assert_eq!((by_last.dims, by_first.dims), ([2, 3, 1, 2], [2, 3, 1, 2]));
        let turned: Vec<f32> = by_last.places().map(|at| last[at]).collect();
        assert_eq!(turned[..4], [0.0, 1.0, 10.0, 11.0]);
        assert_eq!(turned, by_first.places().map(|at| first[at]).collect::<Vec<_>>());
    }

    #[test]
    fn a_depthwise_kernel_has_one_group_for_each_channel() {
        let node = node("DepthwiseConv2dNative");
        let wide = Kernel::of(&node, &[3, 3, 8, 2], Filter::Tensorflow, 8).unwrap();
        let lite = Kernel::of(&node, &[1, 3, 3, 16], Filter::Tflite, 8).unwrap();
        assert_eq!((wide.dims, wide.groups), ([16, 1, 3, 3], 8));
        assert_eq!((lite.dims, lite.groups, lite.filter), (wide.dims, wide.groups, wide.filter));
    }

    #[test]
    fn what_does_not_go_together_is_no_kernel() {
        let conv = node("Conv2D");
        for dims in [&[3, 3, 4, 8][..], &[3, 3, 3, 0], &[3, 3, 3]] {
            assert_eq!(Kernel::of(&conv, dims, Filter::Tensorflow, 3), None);
        }
    }
}
