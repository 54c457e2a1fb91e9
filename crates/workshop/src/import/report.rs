//! The report of an import.

use super::describe::Layout;
use super::error::counted;
use super::format::Format;
use super::graph::Graph;
use super::heads::Cut;
use crate::onnx::proto;
use std::collections::BTreeMap;
use std::fmt;

/// What an import found, folded, cut and kept.
#[derive(Debug)]
pub struct Report {
    /// Format of the file.
    pub format: Format,
    /// Nodes in the file, constants apart.
    pub found: usize,
    /// Nodes left out: preprocessing, decoding, suppression.
    pub cut: usize,
    /// Nodes folded into convolutions, by their operator in the file.
    pub folded: BTreeMap<String, usize>,
    /// Nodes of the result, by their ONNX operator.
    pub kept: BTreeMap<String, usize>,
    /// Rows, columns and anchors in each cell of the feature maps.
    pub layers: Vec<[usize; 3]>,
    /// Anchors of all feature maps.
    pub anchors: usize,
    /// Largest difference between the file's own anchors and the manifest's, in units of the picture; `None` when the
    /// file holds none.
    pub anchors_difference: Option<f32>,
    /// Classes, without the background.
    pub classes: usize,
}

impl Report {
    pub(super) fn new(
        format: Format,
        graph: &Graph,
        cut: &Cut<'_>,
        folded: BTreeMap<String, usize>,
        layout: &Layout,
    ) -> Self {
        let found = graph.nodes().iter().filter(|n| n.op != "Const").count();
        // What flattens and joins the heads is kept, in another form.
        let kept = cut.order.len() + cut.boxes.len() + cut.logits.len() + 2;
        Self {
            format,
            found,
            cut: found.saturating_sub(kept),
            folded,
            kept: BTreeMap::new(),
            layers: layout.layers.clone(),
            anchors: layout.anchors(),
            anchors_difference: None,
            classes: layout.columns - 1,
        }
    }

    /// The report on a graph that is kept as it is.
    pub(super) fn of_kept(format: Format, graph: &proto::Graph, classes: usize) -> Self {
        let mut report = Self {
            format,
            found: graph.node.len(),
            cut: 0,
            folded: BTreeMap::new(),
            kept: BTreeMap::new(),
            layers: Vec::new(),
            anchors: 0,
            anchors_difference: None,
            classes,
        };
        report.count_kept(graph);
        report
    }

    pub(super) fn count_kept(&mut self, graph: &proto::Graph) {
        for node in &graph.node {
            *self.kept.entry(node.op_type.clone()).or_insert(0) += 1;
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = |map: &BTreeMap<String, usize>| {
            let each: Vec<String> = map.iter().map(|(op, n)| format!("{op} {n}")).collect();
            each.join(", ")
        };
        let [nodes, classes] = [counted(self.found, "node", "nodes"), counted(self.classes, "class", "classes")];
        writeln!(f, "found   {} with {nodes}, {classes}", self.format)?;
        if self.layers.is_empty() {
            return write!(f, "kept    all: {}", counts(&self.kept));
        }
        let layers: Vec<String> = self.layers.iter().map(|[h, w, a]| format!("{h}x{w}x{a}")).collect();
        writeln!(f, "        {} anchors ({})", self.anchors, layers.join(" "))?;
        match self.anchors_difference {
            Some(difference) => writeln!(f, "        anchors as in the file, to within {difference:.1e}")?,
            None => writeln!(f, "        anchors by the Object Detection API's defaults; the file contains none")?,
        }
        writeln!(f, "cut     {} nodes of preprocessing, box decoding and suppression", self.cut)?;
        writeln!(f, "folded  {}", counts(&self.folded))?;
        write!(f, "kept    {}", counts(&self.kept))
    }
}
