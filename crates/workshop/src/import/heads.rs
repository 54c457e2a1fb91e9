//! Finds the SSD in a graph: the convolutions that predict boxes and classes, and what leads to them.

use super::error::Fault;
use super::graph::{Graph, Node};
use detector::manifest::Activation;
use std::collections::{HashMap, HashSet};

/// The preprocessing's last node in the TensorFlow Object Detection API: what the network proper reads.
pub(super) const PREPROCESSED: &str = "Preprocessor/sub";

/// The part of a graph that is the network.
#[derive(Debug)]
pub(super) struct Cut<'a> {
    /// The tensor the network reads.
    pub input: &'a str,
    /// For each feature map, finest first: the tensor with its box offsets, before it is flattened.
    pub boxes: Vec<&'a str>,
    /// For each feature map: the tensor with its class logits, before it is flattened.
    pub logits: Vec<&'a str>,
    /// From logit to score.
    pub activation: Activation,
    /// Names of the nodes between input and heads, each after its operands.
    pub order: Vec<&'a str>,
}

/// The heads by what they predict.
struct Heads<'a> {
    boxes: Vec<&'a str>,
    logits: Vec<&'a str>,
    activation: Activation,
}

impl<'a> Heads<'a> {
    fn of(graph: &Graph, boxes: Joined<'a>, logits: Joined<'a>) -> Self {
        let activation = activation_of(graph, logits.name).unwrap_or(Activation::Sigmoid);
        Self { boxes: boxes.heads, logits: logits.heads, activation }
    }
}

/// One concatenation of heads.
struct Joined<'a> {
    name: &'a str,
    heads: Vec<&'a str>,
}

/// Cuts the network out of the graph of a whole detector.
///
/// # Errors
/// [`Fault::NoSsd`] when there are no two concatenations of convolution heads, [`Fault::Operator`] when something
/// other than convolutions and their like stands between the picture and them.
pub(super) fn cut(graph: &Graph) -> Result<Cut<'_>, Fault> {
    let Heads { boxes, logits, activation } = box_and_class_heads(graph)?;
    let mut walk = Walk { graph, input: None, order: Vec::new(), seen: HashSet::new() };
    for &head in boxes.iter().chain(&logits) {
        walk.visit(head)?;
    }
    let input = walk.input.ok_or_else(|| Fault::NoSsd("its heads depend on no input".into()))?;
    Ok(Cut { input, boxes, logits, activation, order: walk.order })
}

fn box_and_class_heads(graph: &Graph) -> Result<Heads<'_>, Fault> {
    let mut joined: Vec<Joined<'_>> = graph.nodes().iter().filter_map(|n| joined_heads(graph, n)).collect();
    if joined.len() != 2 || joined[0].heads.len() != joined[1].heads.len() {
        let sizes: Vec<String> = joined.iter().map(|j| format!("{} ({})", j.name, j.heads.len())).collect();
        let found = if sizes.is_empty() { "none".to_owned() } else { sizes.join(", ") };
        return Err(Fault::NoSsd(format!("concatenations of heads found: {found}")));
    }
    let second = joined.remove(1);
    let first = joined.remove(0);
    match (is_boxes(graph, &first), is_boxes(graph, &second)) {
        (true, false) => Ok(Heads::of(graph, first, second)),
        (false, true) => Ok(Heads::of(graph, second, first)),
        _ => Err(Fault::NoSsd(format!(
            "neither the names nor a sigmoid or softmax behind tell which of {} and {} holds the boxes",
            first.name, second.name
        ))),
    }
}

/// The heads that `node` joins, if it is a concatenation of nothing but flattened convolutions.
fn joined_heads<'a>(graph: &'a Graph, node: &'a Node) -> Option<Joined<'a>> {
    if !matches!(node.op.as_str(), "ConcatV2" | "Concat") {
        return None;
    }
    let parts = graph.inputs(node).into_iter().filter(|i| graph.node(i).is_some_and(|n| n.op != "Const"));
    let heads: Vec<&str> = parts.map(|part| flattened_convolution(graph, part)).collect::<Option<_>>()?;
    (!heads.is_empty()).then_some(Joined { name: &node.name, heads })
}

/// What `tensor` flattens, if that is the biased output of a convolution.
fn flattened_convolution<'a>(graph: &'a Graph, tensor: &'a str) -> Option<&'a str> {
    let mut name = tensor;
    let mut flattened = false;
    for _ in 0..8 {
        let node = graph.node(name)?;
        if !matches!(node.op.as_str(), "Reshape" | "Squeeze" | "ExpandDims") {
            break;
        }
        flattened = true;
        name = graph.inputs(node).first().copied()?;
    }
    let end = convolution_behind(graph, name)?;
    (flattened && end.op == "Conv2D").then_some(name)
}

/// The node under the bias and scale that `tensor` carries.
fn convolution_behind<'a>(graph: &'a Graph, tensor: &'a str) -> Option<&'a Node> {
    let mut node = graph.node(tensor)?;
    for _ in 0..8 {
        if !matches!(node.op.as_str(), "BiasAdd" | "Add" | "AddV2" | "Mul") {
            break;
        }
        let operand = graph.inputs(node).into_iter().find(|i| graph.constant(i).is_none())?;
        node = graph.node(operand)?;
    }
    Some(node)
}

/// Whether the heads predict boxes: by the names of the Object Detection API, else by no activation following.
fn is_boxes(graph: &Graph, joined: &Joined<'_>) -> bool {
    let names = |word: &str| joined.heads.iter().all(|head| head.contains(word));
    if names("BoxEncoding") {
        return true;
    }
    !names("ClassPredictor") && activation_of(graph, joined.name).is_none()
}

/// The sigmoid or softmax that reads `tensor`, directly or through a change of shape.
fn activation_of(graph: &Graph, tensor: &str) -> Option<Activation> {
    let mut names: HashSet<&str> = HashSet::from([tensor]);
    for node in graph.nodes() {
        if !graph.inputs(node).first().is_some_and(|i| names.contains(i)) {
            continue;
        }
        match node.op.as_str() {
            "Sigmoid" => return Some(Activation::Sigmoid),
            "Softmax" => return Some(Activation::Softmax),
            "Reshape" | "Squeeze" | "Identity" => _ = names.insert(&node.name),
            _ => {}
        }
    }
    None
}

/// A walk from the heads back to the picture.
struct Walk<'a> {
    graph: &'a Graph,
    input: Option<&'a str>,
    order: Vec<&'a str>,
    seen: HashSet<&'a str>,
}

impl<'a> Walk<'a> {
    /// Puts everything that `head` depends on into the order, and `head` after it. No recursion: a hostile graph may
    /// be very deep.
    fn visit(&mut self, head: &'a str) -> Result<(), Fault> {
        let mut stack = vec![(self.graph.resolve(head), false)];
        while let Some((name, operands_done)) = stack.pop() {
            if operands_done {
                self.order.push(name);
                continue;
            }
            if self.graph.constant(name).is_some() || !self.seen.insert(name) {
                continue;
            }
            let node = self.graph.node(name).ok_or_else(|| Fault::NoSsd(format!("{name} is used but not defined")))?;
            if self.is_input(node)? {
                continue;
            }
            stack.push((name, true));
            stack.extend(self.graph.inputs(node).into_iter().rev().map(|operand| (operand, false)));
        }
        Ok(())
    }

    /// Whether `node` is what the network reads; if so it is remembered, and a second one is a fault.
    fn is_input(&mut self, node: &'a Node) -> Result<bool, Fault> {
        // No backbone subtracts; preprocessing ends with it.
        if node.name != PREPROCESSED && !matches!(node.op.as_str(), "Placeholder" | "Sub") {
            return Ok(false);
        }
        match self.input {
            Some(first) if first != node.name => {
                Err(Fault::NoSsd(format!("its heads depend on two inputs, {first} and {}", node.name)))
            }
            _ => {
                self.input = Some(&node.name);
                Ok(true)
            }
        }
    }
}

/// How often each tensor is read by the nodes of the cut, heads included.
pub(super) fn uses<'a>(graph: &'a Graph, cut: &Cut<'a>) -> HashMap<&'a str, usize> {
    let mut uses = HashMap::new();
    let operands = cut.order.iter().filter_map(|name| graph.node(name)).flat_map(|node| graph.inputs(node));
    let heads = cut.boxes.iter().chain(&cut.logits).map(|head| graph.resolve(head));
    for name in operands.chain(heads) {
        *uses.entry(name).or_insert(0) += 1;
    }
    uses
}
