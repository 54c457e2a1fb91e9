//! Folds the cut graph into a [`Network`]: scales, biases and batch normalisations go into the convolutions before
//! them, weights are turned to channels-first order.

use super::constant::Constant;
use super::error::Fault;
use super::graph::{Attributes, Graph, Node};
use super::heads::{Cut, uses};
use super::kernel::Kernel;
use super::network::{Conv, Head, Layer, Network, Op, Pool, Shape, Weights, spatial};
use std::collections::{BTreeMap, HashMap};

/// Weights beyond those in the file that sharing between convolutions may make, in elements.
const SHARED_WEIGHTS: usize = 1 << 20;
/// As how many weights an output channel counts, for its factor and its bias.
const CHANNEL: usize = 16;
/// The largest side of a value, in pixels or channels.
const MAX_SIDE: usize = 1 << 16;

/// A network and what was folded into its convolutions, by operator.
#[derive(Debug)]
pub(super) struct Folded {
    /// The result.
    pub network: Network,
    /// How many nodes of each operator were folded away.
    pub folded: BTreeMap<String, usize>,
}

/// Folds the nodes of `cut` for pictures of `size` (rows, columns) with three channels.
///
/// # Errors
/// [`Fault::Operator`] with the operator and the node that is not handled; [`Fault::Constant`] for bad weights.
pub(super) fn fold(graph: &Graph, cut: &Cut<'_>, size: [usize; 2]) -> Result<Folded, Fault> {
    let input_shape = Shape { height: size[0], width: size[1], channels: 3 };
    let mut folder = Folder {
        graph,
        uses: uses(graph, cut),
        shapes: HashMap::from([(cut.input, input_shape)]),
        became: HashMap::new(),
        open: HashMap::new(),
        steps: Vec::new(),
        folded: BTreeMap::new(),
        left: graph.constant_bytes().saturating_add(SHARED_WEIGHTS),
    };
    for name in &cut.order {
        if let Some(node) = graph.node(name) {
            folder.visit(node)?;
        }
    }
    let boxes = folder.heads(&cut.boxes)?;
    let logits = folder.heads(&cut.logits)?;
    let network = Network { input: cut.input.to_owned(), input_shape, steps: folder.steps, boxes, logits };
    Ok(Folded { network, folded: folder.folded })
}

struct Folder<'a> {
    graph: &'a Graph,
    uses: HashMap<&'a str, usize>,
    shapes: HashMap<&'a str, Shape>,
    /// Folded nodes, and the value each became.
    became: HashMap<&'a str, &'a str>,
    /// Convolutions that may still take something in, and their places among the steps.
    open: HashMap<&'a str, usize>,
    steps: Vec<Layer>,
    folded: BTreeMap<String, usize>,
    /// Weights that may still be made: a small file could otherwise share one constant among many convolutions and
    /// fill the memory.
    left: usize,
}

impl<'a> Folder<'a> {
    fn visit(&mut self, node: &'a Node) -> Result<(), Fault> {
        let inputs = self.graph.inputs(node);
        let constant = inputs.iter().position(|i| self.graph.constant(i).is_some());
        match (node.op.as_str(), constant) {
            ("Conv2D" | "DepthwiseConv2dNative", _) => self.convolution(node, &inputs),
            ("FusedBatchNorm" | "FusedBatchNormV2" | "FusedBatchNormV3", _) => self.batch_norm(node, &inputs),
            ("Mul", Some(at)) if inputs.len() == 2 => self.scale(node, inputs[1 - at], inputs[at]),
            ("Add" | "AddV2" | "BiasAdd", Some(at)) if inputs.len() == 2 => self.bias(node, inputs[1 - at], inputs[at]),
            ("Add" | "AddV2" | "AddN", None) if inputs.len() == 2 => self.sum(node, &inputs),
            ("Relu6", None) => self.unary(node, &inputs, Op::Relu6),
            ("Relu", None) => self.unary(node, &inputs, Op::Relu),
            ("MaxPool", None) => self.pool(node, &inputs, Op::MaxPool),
            ("AvgPool", None) => self.pool(node, &inputs, Op::AveragePool),
            ("ConcatV2" | "Concat", _) => self.concat(node, &inputs),
            (_, None) => Err(refused(node, "it is none of the operators of an SSD's backbone and heads")),
            (_, Some(_)) => Err(refused(node, "with these constant operands it cannot be folded into a convolution")),
        }
    }

    /// The value that `tensor` has become.
    fn value(&self, tensor: &'a str) -> &'a str {
        let mut name = self.graph.resolve(tensor);
        while let Some(next) = self.became.get(name) {
            name = next;
        }
        name
    }

    fn shape(&self, node: &Node, tensor: &'a str) -> Result<Shape, Fault> {
        let shape = self.shapes.get(self.value(tensor)).copied();
        shape.ok_or_else(|| refused(node, &format!("its operand {tensor} is not a feature map")))
    }

    fn constant(&self, name: &str) -> Result<&'a Constant, Fault> {
        self.graph.constant(name).ok_or_else(|| Fault::Malformed(format!("constant {name} is missing")))
    }

    /// The values of constant `name`: one for each of `channels`, or a single one.
    fn per_channel(&self, node: &Node, name: &str, channels: usize) -> Result<Vec<f64>, Fault> {
        let constant = self.constant(name)?;
        let count = constant.check().map_err(|error| Fault::Constant { name: name.to_owned(), error })?;
        if count == channels || count == 1 {
            return Ok((0..count).map(|i| constant.float(i).into()).collect());
        }
        let shape = &constant.shape;
        Err(refused(node, &format!("its constant {name} of shape {shape:?} does not fit {channels} channels")))
    }

    fn spend(&mut self, weights: usize) -> Result<(), Fault> {
        let left = self.left.checked_sub(weights);
        self.left = left.ok_or_else(|| Fault::Malformed("its convolutions have more weights than the file".into()))?;
        Ok(())
    }

    fn push(&mut self, node: &'a Node, shape: Shape, op: Op) -> Result<(), Fault> {
        let sides = [shape.height, shape.width, shape.channels];
        if sides.iter().any(|s| !(1..=MAX_SIDE).contains(s)) {
            return Err(refused(node, &format!("its result would have {sides:?} rows, columns and channels")));
        }
        self.shapes.insert(&node.name, shape);
        self.steps.push(Layer { name: node.name.clone(), op });
        Ok(())
    }

    /// Records that `node` went into what `tensor` has become.
    fn fold_away(&mut self, node: &'a Node, tensor: &'a str) {
        self.became.insert(&node.name, self.value(tensor));
        *self.folded.entry(node.op.clone()).or_insert(0) += 1;
    }

    fn convolution(&mut self, node: &'a Node, inputs: &[&'a str]) -> Result<(), Fault> {
        let &[input, weights] = inputs else {
            return Err(refused(node, &format!("{} operands; 2 are supported", inputs.len())));
        };
        let from = self.shape(node, input)?;
        let constant = self.constant(weights)?;
        let attributes = attributes(node)?;
        let Some(kernel) = Kernel::of(node, &constant.shape, attributes.filter, from.channels) else {
            let shape = &constant.shape;
            return Err(refused(node, &format!("weights of shape {shape:?} for {} channels", from.channels)));
        };
        let count = constant.check().map_err(|error| Fault::Constant { name: weights.to_owned(), error })?;
        let channels = kernel.dims[0];
        self.spend(count.saturating_add(channels.saturating_mul(CHANNEL)))?;
        let dilations = spatial(&attributes.dilations).map_err(|why| refused(node, &format!("dilations {why}")))?;
        let window = Pool::over(from, kernel.size, dilations, attributes);
        let (window, [height, width]) = window.map_err(|why| refused(node, &why))?;
        let (bias, groups) = (vec![0.0; channels], kernel.groups);
        let weights = Weights::new(constant, kernel);
        let conv = Conv { input: self.value(input).to_owned(), weights, bias, window, dilations, groups };
        self.push(node, Shape { height, width, channels }, Op::Conv(Box::new(conv)))?;
        self.open.insert(&node.name, self.steps.len() - 1);
        Ok(())
    }

    /// The convolution that `tensor` is, if nothing but the node at hand reads it and it can still take something in.
    fn foldable(&mut self, tensor: &'a str) -> Option<&mut Conv> {
        let only_reader = self.uses.get(self.graph.resolve(tensor)) == Some(&1);
        let place = self.open.get(self.value(tensor)).copied().filter(|_| only_reader)?;
        match self.steps.get_mut(place).map(|step| &mut step.op) {
            Some(Op::Conv(conv)) => Some(conv),
            _ => None,
        }
    }

    fn convolution_before(&mut self, node: &Node, tensor: &'a str) -> Result<&mut Conv, Fault> {
        let why = format!("its operand {tensor} is not a convolution with this node as its only reader");
        self.foldable(tensor).ok_or_else(|| refused(node, &why))
    }

    fn scale(&mut self, node: &'a Node, tensor: &'a str, constant: &'a str) -> Result<(), Fault> {
        let factors = self.per_channel(node, constant, self.shape(node, tensor)?.channels)?;
        self.convolution_before(node, tensor)?.scale(&factors);
        self.fold_away(node, tensor);
        Ok(())
    }

    fn bias(&mut self, node: &'a Node, tensor: &'a str, constant: &'a str) -> Result<(), Fault> {
        let terms = self.per_channel(node, constant, self.shape(node, tensor)?.channels)?;
        let sum = self.graph.node(tensor).filter(|n| matches!(n.op.as_str(), "AddN" | "Add" | "AddV2"));
        match sum {
            // TensorFlow's optimiser writes (conv + residual) + bias; (conv + bias) + residual is the same.
            Some(sum) if self.foldable(tensor).is_none() && self.uses.get(sum.name.as_str()) == Some(&1) => {
                let operands = self.graph.inputs(sum);
                let operand = operands.into_iter().find(|o| self.foldable(o).is_some());
                let operand = operand.ok_or_else(|| refused(node, "no operand of the sum is a convolution"))?;
                self.convolution_before(node, operand)?.shift(&terms);
            }
            _ => self.convolution_before(node, tensor)?.shift(&terms),
        }
        self.fold_away(node, tensor);
        Ok(())
    }

    /// `y = (x - mean) * gamma / sqrt(variance + epsilon) + beta`, computed in 64-bit floats.
    fn batch_norm(&mut self, node: &'a Node, inputs: &[&'a str]) -> Result<(), Fault> {
        let &[tensor, gamma, beta, mean, variance] = inputs else {
            return Err(refused(node, &format!("{} operands; 5 are supported", inputs.len())));
        };
        let channels = self.shape(node, tensor)?.channels;
        let epsilon = attributes(node)?.epsilon.unwrap_or(1e-4);
        let [gamma, beta, mean, variance] = [gamma, beta, mean, variance].map(|n| self.per_channel(node, n, channels));
        let (gamma, beta, mean, variance) = (gamma?, beta?, mean?, variance?);
        let at = |values: &[f64], i: usize| values[i % values.len()];
        let factor = |i| at(&gamma, i) / (at(&variance, i) + f64::from(epsilon)).sqrt();
        let factors: Vec<f64> = (0..channels).map(factor).collect();
        let terms: Vec<f64> = (0..channels).map(|i| at(&beta, i) - at(&mean, i) * factors[i]).collect();
        let conv = self.convolution_before(node, tensor)?;
        conv.scale(&factors);
        conv.shift(&terms);
        self.fold_away(node, tensor);
        Ok(())
    }

    fn sum(&mut self, node: &'a Node, inputs: &[&'a str]) -> Result<(), Fault> {
        let (left, right) = (self.shape(node, inputs[0])?, self.shape(node, inputs[1])?);
        if left != right {
            return Err(refused(node, &format!("it adds {left:?} and {right:?}")));
        }
        let op = Op::Add(self.value(inputs[0]).to_owned(), self.value(inputs[1]).to_owned());
        self.push(node, left, op)
    }

    fn unary(&mut self, node: &'a Node, inputs: &[&'a str], op: fn(String) -> Op) -> Result<(), Fault> {
        let input = *inputs.first().ok_or_else(|| refused(node, "it has no operand"))?;
        let shape = self.shape(node, input)?;
        self.push(node, shape, op(self.value(input).to_owned()))
    }

    fn pool(&mut self, node: &'a Node, inputs: &[&'a str], op: fn(String, Pool) -> Op) -> Result<(), Fault> {
        let input = *inputs.first().ok_or_else(|| refused(node, "it has no operand"))?;
        let from = self.shape(node, input)?;
        let attributes = attributes(node)?;
        let size = spatial(&attributes.window).map_err(|why| refused(node, &format!("window {why}")))?;
        let (window, [height, width]) =
            Pool::over(from, size, [1, 1], attributes).map_err(|why| refused(node, &why))?;
        self.push(node, Shape { height, width, ..from }, op(self.value(input).to_owned(), window))
    }

    fn concat(&mut self, node: &'a Node, inputs: &[&'a str]) -> Result<(), Fault> {
        let operand = inputs.iter().find_map(|i| self.graph.constant(i)).and_then(|c| c.ints().ok());
        let axis = operand.and_then(|axis| axis.first().copied());
        let axis = axis.or(node.attributes.as_deref().and_then(|a| a.axis));
        if !matches!(axis, Some(3 | -1)) {
            return Err(refused(node, "only a concatenation of channels (axis 3) is supported"));
        }
        let parts: Vec<&str> = inputs.iter().copied().filter(|i| self.graph.constant(i).is_none()).collect();
        let shapes: Vec<Shape> = parts.iter().map(|part| self.shape(node, part)).collect::<Result<_, _>>()?;
        let first = *shapes.first().ok_or_else(|| refused(node, "it has no operand"))?;
        if shapes.iter().any(|s| (s.height, s.width) != (first.height, first.width)) {
            return Err(refused(node, "its operands differ in size"));
        }
        let channels = shapes.iter().map(|s| s.channels).sum();
        let values = parts.into_iter().map(|part| self.value(part).to_owned()).collect();
        self.push(node, Shape { channels, ..first }, Op::Concat(values))
    }

    fn heads(&self, tensors: &[&'a str]) -> Result<Vec<Head>, Fault> {
        let head = |&tensor: &&'a str| {
            let value = self.value(tensor);
            let shape = self.shapes.get(value).copied();
            let shape = shape.ok_or_else(|| Fault::NoSsd(format!("head {tensor} is not a feature map")))?;
            Ok(Head { value: value.to_owned(), shape })
        };
        tensors.iter().map(head).collect()
    }
}

fn attributes(node: &Node) -> Result<&Attributes, Fault> {
    let attributes = node.attributes.as_deref().ok_or_else(|| refused(node, "it has no attributes"))?;
    match attributes.data_format.as_deref() {
        None | Some("NHWC") => Ok(attributes),
        Some(other) => Err(refused(node, &format!("data format {other}; NHWC is supported"))),
    }
}

fn refused(node: &Node, why: &str) -> Fault {
    Fault::Operator { op: node.op.clone(), node: node.name.clone(), why: why.to_owned() }
}
