//! The manifest of an imported SSD: read from the graph as far as the graph contains it.

use super::emit::{IMAGE, LOGITS, RAW_BOXES};
use super::error::Fault;
use super::graph::{Graph, Node};
use super::heads::Cut;
use super::network::Network;
use detector::manifest::{Activation, Anchors, Channels, Decode, Input};

/// Coordinates of a box.
const BOX: usize = 4;
/// Sizes of the input that are accepted, in pixels.
const SIZES: std::ops::RangeInclusive<u32> = 32..=4096;

/// What the heads predict.
#[derive(Debug)]
pub(super) struct Layout {
    /// For each feature map, finest first: rows, columns, anchors in each cell.
    pub layers: Vec<[usize; 3]>,
    /// Logits of each anchor: one for each class, and the background's before them.
    pub columns: usize,
}

impl Layout {
    /// Anchors of all feature maps.
    pub(super) fn anchors(&self) -> usize {
        self.layers.iter().map(|[rows, columns, anchors]| rows * columns * anchors).sum()
    }
}

/// Reads the layout off the shapes of the heads.
///
/// # Errors
/// [`Fault::NoSsd`] when box and class heads do not match.
pub(super) fn layout(network: &Network) -> Result<Layout, Fault> {
    let mut layers = Vec::new();
    let mut columns = None;
    for (boxes, logits) in network.boxes.iter().zip(&network.logits) {
        let anchors = boxes.shape.channels / BOX;
        let here = logits.shape.channels.checked_div(anchors).unwrap_or(0);
        let same_map = (boxes.shape.height, boxes.shape.width) == (logits.shape.height, logits.shape.width);
        let whole = anchors * BOX == boxes.shape.channels && anchors * here == logits.shape.channels && here >= 2;
        if !same_map || !whole || *columns.get_or_insert(here) != here {
            let what = format!("heads {} ({:?}) and {} ({:?})", boxes.value, boxes.shape, logits.value, logits.shape);
            return Err(Fault::NoSsd(format!("{what} do not predict the same anchors")));
        }
        layers.push([boxes.shape.height, boxes.shape.width, anchors]);
    }
    let columns = columns.ok_or_else(|| Fault::NoSsd("it has no heads".into()))?;
    Ok(Layout { layers, columns })
}

/// The input: its size from `size` or the graph's own resizing, its normalisation from the graph's preprocessing.
///
/// # Errors
/// [`Fault::Size`] and [`Fault::BadSize`] when there is no usable size.
pub(super) fn input(graph: &Graph, cut: &Cut<'_>, size: Option<u32>) -> Result<Input, Fault> {
    let [height, width] = match size {
        Some(given) => [side(given.into())?; 2],
        None => fixed(graph, cut.input).or_else(|| resized_to(graph)).ok_or(Fault::Size)?,
    };
    let (scale, offset) = normalisation(graph, cut.input);
    Ok(Input { name: IMAGE.to_owned(), width, height, channels: Channels::Rgb, scale, offset })
}

/// A side of the input in pixels, if it is usable.
///
/// # Errors
/// [`Fault::BadSize`] when it is too small or too large.
pub(super) fn side(given: i64) -> Result<u32, Fault> {
    let side = u32::try_from(given).ok().filter(|side| SIZES.contains(side));
    side.ok_or(Fault::BadSize { side: given, handled: SIZES })
}

/// Rows and columns that the input has in the file.
fn fixed(graph: &Graph, input: &str) -> Option<[u32; 2]> {
    match graph.node(input)?.attributes.as_deref()?.shape[..] {
        [1, height, width, 3] | [1, 3, height, width] => usable(&[height, width]),
        _ => None,
    }
}

fn usable(sides: &[i64]) -> Option<[u32; 2]> {
    let &[height, width] = sides else { return None };
    Some([side(height).ok()?, side(width).ok()?])
}

/// Rows and columns to which the graph itself resizes pictures.
fn resized_to(graph: &Graph) -> Option<[u32; 2]> {
    let resize = graph.nodes().iter().filter(|n| n.op.starts_with("Resize"));
    let mut sizes = resize.filter_map(|node| {
        let mut operand = *graph.inputs(node).get(1)?;
        // Inside a loop, constants come in through Enter.
        if let Some(enter) = graph.node(operand).filter(|n| n.op == "Enter") {
            operand = graph.inputs(enter).first().copied()?;
        }
        usable(&graph.constant(operand)?.ints().ok()?)
    });
    sizes.next()
}

/// `pixel * scale - offset` as the Object Detection API's preprocessing ends; `2 / 255` and 1 where it is not there.
fn normalisation(graph: &Graph, input: &str) -> (f32, [f32; 3]) {
    const MOBILENET: (f32, [f32; 3]) = (2.0 / 255.0, [-1.0; 3]);
    let Some(subtract) = graph.node(input).filter(|n| n.op == "Sub") else {
        return MOBILENET;
    };
    let Some(subtracted) = constant_operand(graph, subtract) else {
        return MOBILENET;
    };
    let offset = match *subtracted.as_slice() {
        [all] => [-all; 3],
        [first, second, third] => [-first, -second, -third],
        _ => return MOBILENET,
    };
    let scaled = graph.inputs(subtract).first().and_then(|i| graph.node(i)).filter(|n| n.op == "Mul");
    match scaled.and_then(|node| constant_operand(graph, node)).as_deref() {
        Some(&[scale]) => (scale, offset),
        _ => (1.0, offset),
    }
}

fn constant_operand(graph: &Graph, node: &Node) -> Option<Vec<f32>> {
    graph.inputs(node).into_iter().find_map(|i| graph.constant(i)).and_then(|c| c.floats().ok())
}

/// How the outputs are decoded.
pub(super) fn decode(activation: Activation, anchors: Anchors) -> Decode {
    Decode::Ssd {
        boxes: RAW_BOXES.to_owned(),
        logits: LOGITS.to_owned(),
        activation,
        scales: [10.0, 10.0, 5.0, 5.0],
        anchors,
    }
}
