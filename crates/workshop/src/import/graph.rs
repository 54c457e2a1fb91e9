//! The graph every TensorFlow-family reader produces: nodes by name, operators by their TensorFlow names, pictures as
//! `[batch, rows, columns, channels]`.

use super::constant::Constant;
use super::error::Fault;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// One operation with one result that matters, which carries the node's name.
#[derive(Clone, Debug, Default)]
pub(super) struct Node {
    /// Its name, unique in the graph.
    pub name: String,
    /// Its operator, by TensorFlow's name.
    pub op: String,
    /// Its operands: names of nodes or constants, perhaps with `:output` behind or `^` (control) before.
    pub inputs: Vec<String>,
    /// The attributes that the import reads; absent on most nodes.
    pub attributes: Option<Box<Attributes>>,
}

/// The attributes of an operator that the import reads.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Attributes {
    /// Steps of a convolution or pooling window: one for each dimension of the picture.
    pub strides: Vec<i64>,
    /// Spacing of a convolution's taps: one for each dimension of the picture.
    pub dilations: Vec<i64>,
    /// Size of a pooling window: one for each dimension of the picture.
    pub window: Vec<i64>,
    /// `SAME`, `VALID` or something that is refused.
    pub padding: Option<String>,
    /// `NHWC` or something that is refused; `NHWC` when absent.
    pub data_format: Option<String>,
    /// What a batch normalisation adds to the variance.
    pub epsilon: Option<f32>,
    /// Padding above, left, below and right, where `padding` is `EXPLICIT`.
    pub pads: Vec<i64>,
    /// Dimensions of a placeholder, where the file fixes them.
    pub shape: Vec<i64>,
    /// Order of a convolution's weights.
    pub filter: Filter,
    /// Dimension along which a concatenation goes, where it is no operand.
    pub axis: Option<i64>,
}

/// Order of the dimensions of a convolution's weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Filter {
    /// Rows, columns, inputs, outputs (TensorFlow); of a depthwise convolution: rows, columns, channels, multiplier.
    #[default]
    Tensorflow,
    /// Outputs, rows, columns, inputs (TensorFlow Lite).
    Tflite,
    /// Outputs, inputs of a group, rows, columns (ONNX).
    Onnx,
}

/// The most nodes, and the most constants, that are read; whole detectors have a few thousand.
const MAX_NODES: usize = 1 << 16;
/// The most memory that the operands of all nodes together take, in bytes; those of whole detectors take less than two
/// megabytes.
const MAX_OPERANDS: usize = 32 << 20;

/// Nodes and constants of one file.
#[derive(Debug, Default)]
pub(super) struct Graph {
    nodes: Vec<Node>,
    by_name: HashMap<String, usize>,
    constants: HashMap<String, Constant>,
    /// Bytes that the operands of the nodes take.
    operands: usize,
}

impl Graph {
    /// Adds a node.
    ///
    /// # Errors
    /// [`Fault::TooMany`], and [`Fault::Malformed`] when there is a node of that name.
    pub(super) fn add(&mut self, node: Node) -> Result<(), Fault> {
        self.operands += node.inputs.iter().map(|name| size_of::<String>() + name.len()).sum::<usize>();
        if self.nodes.len() >= MAX_NODES {
            return Err(Fault::TooMany { what: "nodes", max: MAX_NODES });
        }
        if self.operands > MAX_OPERANDS {
            return Err(Fault::TooMany { what: "bytes of operands", max: MAX_OPERANDS });
        }
        if self.by_name.insert(node.name.clone(), self.nodes.len()).is_some() {
            return Err(Fault::Malformed(format!("two nodes have the name {:?}", node.name)));
        }
        self.nodes.push(node);
        Ok(())
    }

    /// Adds a constant.
    ///
    /// # Errors
    /// [`Fault::TooMany`], and [`Fault::Malformed`] when there is a constant of that name.
    pub(super) fn add_constant(&mut self, name: String, constant: Constant) -> Result<(), Fault> {
        if self.constants.len() >= MAX_NODES {
            return Err(Fault::TooMany { what: "constants", max: MAX_NODES });
        }
        match self.constants.entry(name) {
            Entry::Vacant(place) => _ = place.insert(constant),
            Entry::Occupied(first) => {
                return Err(Fault::Malformed(format!("two constants have the name {:?}", first.key())));
            }
        }
        Ok(())
    }

    /// Bytes that the constants take in the file.
    pub(super) fn constant_bytes(&self) -> usize {
        self.constants.values().map(|c| c.raw.len()).sum()
    }

    /// All nodes in the order of the file.
    pub(super) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// All constants with their names, in no order.
    pub(super) fn constants(&self) -> impl Iterator<Item = (&str, &Constant)> {
        self.constants.iter().map(|(name, constant)| (name.as_str(), constant))
    }

    /// The node that produces `tensor`, behind any chain of `Identity`.
    pub(super) fn node(&self, tensor: &str) -> Option<&Node> {
        self.by_name.get(self.resolve(tensor)).map(|&i| &self.nodes[i])
    }

    /// The constant behind `tensor` and any chain of `Identity`.
    pub(super) fn constant(&self, tensor: &str) -> Option<&Constant> {
        self.constants.get(self.resolve(tensor))
    }

    /// The name of the node or constant behind `tensor`: without `^` and `:0`, and past every `Identity`.
    pub(super) fn resolve<'a>(&'a self, tensor: &'a str) -> &'a str {
        let mut name = bare(tensor);
        // A chain can be no longer than the graph; a longer one is a ring, and any name in it will do.
        for _ in 0..=self.nodes.len() {
            match self.by_name.get(name).map(|&i| &self.nodes[i]) {
                Some(node) if node.op == "Identity" && !node.inputs.is_empty() => name = bare(&node.inputs[0]),
                _ => break,
            }
        }
        name
    }

    /// The operands of `node` that carry data, resolved: control dependencies are left out.
    pub(super) fn inputs<'a>(&'a self, node: &'a Node) -> Vec<&'a str> {
        node.inputs.iter().filter(|i| !i.starts_with('^')).map(|i| self.resolve(i)).collect()
    }
}

fn bare(tensor: &str) -> &str {
    let name = tensor.strip_prefix('^').unwrap_or(tensor);
    name.split_once(':').map_or(name, |(node, _)| node)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(name: &str, input: &str) -> Node {
        Node { name: name.into(), op: "Identity".into(), inputs: vec![input.into()], attributes: None }
    }

    #[test]
    fn names_are_followed_to_what_produces_them() {
        let mut graph = Graph::default();
        graph.add(identity("weights/read", "weights:0")).unwrap();
        graph.add_constant("weights".into(), Constant::of_floats(vec![1], &[2.0])).unwrap();
        assert_eq!(graph.resolve("^weights/read"), "weights");
        assert_eq!(graph.constant("weights/read:0").unwrap().floats().unwrap(), [2.0]);
    }

    #[test]
    fn a_ring_of_identities_ends() {
        let mut graph = Graph::default();
        graph.add(identity("a", "b")).unwrap();
        graph.add(identity("b", "a")).unwrap();
        assert!(graph.constant("a").is_none());
        assert_eq!(graph.node("a").unwrap().op, "Identity");
    }
}
