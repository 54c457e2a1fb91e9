//! Shapes of all values of a graph, as far as they follow from its inputs and constants.

use super::proto::{Attribute, DimensionValue, Graph, Node, Tensor, ValueInfo};
use std::collections::HashMap;

/// Dimensions of a value, outermost first.
pub(super) type Shape = Vec<usize>;

/// The largest dimension that is kept.
const MAX_DIMENSION: usize = 1 << 24;
/// The most dimensions that a value may have: TensorRT takes no more, and a hostile file could otherwise have one long
/// list of them copied for every node.
const MAX_RANK: usize = 8;

/// The shapes that are known, by the values' names.
#[derive(Debug, Default)]
pub struct Shapes<'a> {
    by_name: HashMap<&'a str, Shape>,
    constants: HashMap<&'a str, &'a Tensor>,
}

impl<'a> Shapes<'a> {
    /// Infers the shapes of `graph`. A batch dimension that is a symbol counts as 1; other symbols stay unknown, and
    /// with them whatever depends on them.
    pub fn infer(graph: &'a Graph) -> Self {
        let mut shapes = Self::default();
        for constant in &graph.initializer {
            shapes.constants.insert(&constant.name, constant);
            shapes.keep(&constant.name, constant.shape());
        }
        for info in graph.input.iter().chain(&graph.value_info) {
            if shapes.of(&info.name).is_none() {
                shapes.keep(&info.name, declared(info));
            }
        }
        for node in &graph.node {
            shapes.visit(node);
        }
        shapes
    }

    /// The shape of the value `name`, if it is known.
    pub fn of(&self, name: &str) -> Option<&Shape> {
        self.by_name.get(name)
    }

    /// The constant `name`, if it is one.
    pub fn constant(&self, name: &str) -> Option<&'a Tensor> {
        self.constants.get(name).copied()
    }

    fn visit(&mut self, node: &'a Node) {
        let Some(output) = node.output.first() else {
            return;
        };
        if node.op_type == "Constant"
            && let Some(value) = node.attribute("value").and_then(|a| a.t.as_ref())
        {
            self.constants.insert(output, value);
        }
        self.keep(output, self.result(node));
    }

    /// Notes the shape of the value `name`, if it is known and within the limits.
    fn keep(&mut self, name: &'a str, shape: Option<Shape>) {
        let within = |shape: &Shape| shape.len() <= MAX_RANK && shape.iter().all(|&d| d <= MAX_DIMENSION);
        if let Some(shape) = shape.filter(within) {
            self.by_name.insert(name, shape);
        }
    }

    fn input(&self, node: &Node, index: usize) -> Option<&Shape> {
        node.input.get(index).and_then(|name| self.of(name))
    }

    /// A list of dimensions or axes: operand number `input`, else `attribute`.
    fn ints(&self, node: &Node, input: usize, attribute: &str) -> Option<Vec<i64>> {
        let operand = node.input.get(input).and_then(|name| self.constant(name));
        let short = operand.filter(|list| list.len().is_some_and(|n| n <= MAX_RANK));
        let attribute = || node.attribute(attribute).filter(|a| a.ints.len() <= MAX_RANK).map(|a| a.ints.clone());
        short.and_then(Tensor::ints).or_else(attribute)
    }

    fn result(&self, node: &Node) -> Option<Shape> {
        let first = self.input(node, 0);
        match node.op_type.as_str() {
            "Constant" => self.constants.get(node.output.first()?.as_str())?.shape(),
            "Conv" => convolved(node, first?, self.input(node, 1)?),
            "MaxPool" | "AveragePool" => windowed(node, first?, &usizes(&node.attribute("kernel_shape")?.ints)?),
            "GlobalAveragePool" | "GlobalMaxPool" => {
                let mut shape = first?.clone();
                shape.iter_mut().skip(2).for_each(|d| *d = 1);
                Some(shape)
            }
            "Add" | "Sub" | "Mul" | "Div" | "Pow" | "Max" | "Min" | "Sum" => self.broadcast(node),
            "Concat" => self.concatenated(node),
            "Transpose" => {
                let from = first?;
                let order = node.attribute("perm").map_or_else(
                    || Some((0..from.len()).rev().collect()),
                    |a| usizes(&a.ints).filter(|p| p.len() == from.len()),
                )?;
                order.iter().map(|&i| from.get(i).copied()).collect()
            }
            "Reshape" => reshaped(first?, &self.ints(node, 1, "shape")?),
            "Flatten" => {
                let axis = usize::try_from(node.attribute("axis").and_then(|a| a.i).unwrap_or(1)).ok()?;
                let (outer, inner) = first?.split_at_checked(axis)?;
                Some(vec![product(outer)?, product(inner)?])
            }
            "Squeeze" => squeezed(first?, self.ints(node, 1, "axes")),
            "Unsqueeze" => unsqueezed(first?, &self.ints(node, 1, "axes")?),
            "Gemm" => {
                let transposed = node.attribute("transB").and_then(|a| a.i).unwrap_or(0) != 0;
                let weights = self.input(node, 1)?;
                Some(vec![*first?.first()?, *weights.get(usize::from(!transposed))?])
            }
            "MatMul" => {
                let (left, right) = (first?, self.input(node, 1)?);
                let mut shape = left.clone();
                *shape.last_mut()? = *right.last()?;
                Some(shape)
            }
            op if KEEP_SHAPE.contains(&op) => first.cloned(),
            _ => None,
        }
    }

    fn broadcast(&self, node: &Node) -> Option<Shape> {
        let mut shape: Shape = Vec::new();
        for i in 0..node.input.len() {
            let other = self.input(node, i)?;
            let rank = shape.len().max(other.len());
            let at = |s: &Shape, d: usize| (d + s.len()).checked_sub(rank).map_or(1, |i| s[i]);
            shape = (0..rank).map(|d| at(&shape, d).max(at(other, d))).collect();
        }
        Some(shape)
    }

    fn concatenated(&self, node: &Node) -> Option<Shape> {
        let mut shape = self.input(node, 0)?.clone();
        let axis = node.attribute("axis")?.i?;
        let axis = usize::try_from(if axis < 0 { axis + i64::try_from(shape.len()).ok()? } else { axis }).ok()?;
        for i in 1..node.input.len() {
            let more = *self.input(node, i)?.get(axis)?;
            let sum = shape.get_mut(axis)?;
            *sum = sum.checked_add(more)?;
        }
        Some(shape)
    }
}

/// Operators whose result has the shape of their first operand.
const KEEP_SHAPE: &[&str] = &[
    "BatchNormalization",
    "Cast",
    "Clip",
    "Dropout",
    "Elu",
    "Exp",
    "HardSigmoid",
    "HardSwish",
    "Identity",
    "LRN",
    "LeakyRelu",
    "Neg",
    "PRelu",
    "Relu",
    "Sigmoid",
    "Softmax",
    "Sqrt",
    "Tanh",
];

impl Node {
    /// The attribute of that name.
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attribute.iter().find(|a| a.name == name)
    }
}

/// The shape in a value's type; a symbol in the first place counts as a batch of 1.
pub fn declared(info: &ValueInfo) -> Option<Shape> {
    let shape = info.r#type.as_ref()?.tensor_type.as_ref()?.shape.as_ref()?;
    let dimension = |(i, dim): (usize, &super::proto::Dimension)| match &dim.value {
        Some(DimensionValue::Size(size)) if *size > 0 => usize::try_from(*size).ok(),
        _ if i == 0 => Some(1),
        _ => None,
    };
    shape.dim.iter().enumerate().map(dimension).collect()
}

fn usizes(values: &[i64]) -> Option<Vec<usize>> {
    values.iter().map(|&v| usize::try_from(v).ok()).collect()
}

fn product(dims: &[usize]) -> Option<usize> {
    dims.iter().try_fold(1_usize, |n, &d| n.checked_mul(d))
}

fn convolved(node: &Node, from: &[usize], weights: &[usize]) -> Option<Shape> {
    let mut shape = windowed(node, from, weights.get(2..)?)?;
    *shape.get_mut(1)? = *weights.first()?;
    Some(shape)
}

/// The result of a window of `size` that moves over the dimensions behind batch and channels.
fn windowed(node: &Node, from: &[usize], size: &[usize]) -> Option<Shape> {
    let list = |name: &str, default: usize, length: usize| match node.attribute(name) {
        Some(a) => usizes(&a.ints).filter(|l| l.len() == length),
        None => Some(vec![default; length]),
    };
    let rank = from.len().checked_sub(2)?;
    let (strides, dilations) = (list("strides", 1, rank)?, list("dilations", 1, rank)?);
    let pads = list("pads", 0, 2 * rank)?;
    let same = node.attribute("auto_pad").and_then(|a| a.s.as_ref()).is_some_and(|s| s.starts_with(b"SAME"));
    let up = node.attribute("ceil_mode").and_then(|a| a.i).unwrap_or(0) != 0;
    let mut shape = from.to_vec();
    for axis in 0..rank {
        let stride = *strides.get(axis).filter(|&&s| s > 0)?;
        let extent = from[axis + 2];
        shape[axis + 2] = if same {
            extent.div_ceil(stride)
        } else {
            let span = size.get(axis)?.checked_sub(1)?.checked_mul(dilations[axis])?.checked_add(1)?;
            let room = extent.checked_add(pads[axis])?.checked_add(pads[axis + rank])?.checked_sub(span)?;
            (if up { room.div_ceil(stride) } else { room / stride }) + 1
        };
    }
    Some(shape)
}

fn reshaped(from: &[usize], to: &[i64]) -> Option<Shape> {
    let all = product(from)?;
    let known = |(i, &d): (usize, &i64)| match d {
        -1 => Some(1),
        0 => from.get(i).copied(),
        d => usize::try_from(d).ok(),
    };
    let mut shape: Shape = to.iter().enumerate().map(known).collect::<Option<_>>()?;
    if let Some(free) = to.iter().position(|&d| d == -1) {
        shape[free] = all.checked_div(product(&shape)?)?;
    }
    (product(&shape)? == all).then_some(shape)
}

fn squeezed(from: &[usize], axes: Option<Vec<i64>>) -> Option<Shape> {
    let axes = match axes {
        Some(axes) => Some(places(&axes, from.len())?),
        None => None,
    };
    let stays = |&(i, &d): &(usize, &usize)| axes.as_ref().map_or(d != 1, |axes| !axes.contains(&i));
    Some(from.iter().enumerate().filter(stays).map(|(_, &d)| d).collect())
}

fn unsqueezed(from: &[usize], axes: &[i64]) -> Option<Shape> {
    let mut axes = places(axes, from.len() + axes.len())?;
    axes.sort_unstable();
    let mut shape = from.to_vec();
    for axis in axes {
        (axis <= shape.len()).then(|| shape.insert(axis, 1))?;
    }
    Some(shape)
}

/// Axes counted from the front.
fn places(axes: &[i64], rank: usize) -> Option<Vec<usize>> {
    let rank = i64::try_from(rank).ok()?;
    axes.iter().map(|&a| usize::try_from(if a < 0 { a + rank } else { a }).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::build::{floats, int, int64s, ints, node, value};
    use super::*;

    #[test]
    fn shapes_follow_through_a_head() {
        let graph = Graph {
            input: vec![value("image", &[1, 3, 300, 300])],
            initializer: vec![
                floats("w", &[12, 3, 3, 3], &[0.0; 324]),
                int64s("to", &[1, -1, 4]),
                int64s("axes", &[0]),
                floats("fc", &[4, 7], &[0.0; 28]),
            ],
            node: vec![
                node("Conv", &["image", "w"], "c", vec![ints("strides", &[2, 2]), ints("pads", &[0, 0, 1, 1])]),
                node("Clip", &["c"], "r", vec![]),
                node("Transpose", &["r"], "t", vec![ints("perm", &[0, 2, 3, 1])]),
                node("Reshape", &["t", "to"], "flat", vec![]),
                node("Concat", &["flat", "flat"], "both", vec![int("axis", -2)]),
                node("Squeeze", &["both", "axes"], "s", vec![]),
                node("MatMul", &["s", "fc"], "m", vec![]),
                node("NonZero", &["m"], "unknown", vec![]),
            ],
            ..Graph::default()
        };
        let shapes = Shapes::infer(&graph);
        for (name, shape) in [
            ("c", vec![1, 12, 150, 150]),
            ("t", vec![1, 150, 150, 12]),
            ("flat", vec![1, 67500, 4]),
            ("both", vec![1, 135_000, 4]),
            ("s", vec![135_000, 4]),
            ("m", vec![135_000, 7]),
        ] {
            assert_eq!(shapes.of(name), Some(&shape), "{name}");
        }
        assert_eq!(shapes.of("unknown"), None);
    }

    #[test]
    fn a_long_list_of_dimensions_is_not_handed_on() {
        let graph = Graph {
            initializer: vec![
                floats("long", &[1; 1000], &[0.0]),
                int64s("axes", &[0; 1000]),
                floats("x", &[1], &[0.0]),
            ],
            node: vec![node("Relu", &["long"], "same", vec![]), node("Unsqueeze", &["x", "axes"], "longer", vec![])],
            ..Graph::default()
        };
        let shapes = Shapes::infer(&graph);
        for name in ["long", "same", "longer"] {
            assert_eq!(shapes.of(name), None, "{name}");
        }
    }
}
