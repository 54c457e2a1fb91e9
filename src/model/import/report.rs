//! What an import found and did, for people.

use super::describe::Layout;
use super::error::Fault;
use super::graph::Graph;
use super::heads::Cut;
use super::tfjs;
use crate::model::onnx::proto;
use std::collections::BTreeMap;
use std::fmt;

/// The formats that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// TensorFlow.js graph model.
    Tfjs,
}

impl Format {
    /// Recognises a file by its content.
    ///
    /// # Errors
    /// [`Fault::UnknownFormat`].
    pub fn of(bytes: &[u8]) -> Result<Self, Fault> {
        if bytes.is_empty() {
            return Err(Fault::Malformed("it is empty".into()));
        }
        if tfjs::recognises(bytes) {
            return Ok(Self::Tfjs);
        }
        let start: String = bytes.iter().take(8).map(|b| format!("{b:02x}")).collect();
        Err(Fault::UnknownFormat { found: format!("it begins with the bytes {start}") })
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tfjs => "TensorFlow.js graph model",
        })
    }
}

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
        Self {
            format,
            found,
            cut: found.saturating_sub(cut.order.len()),
            folded,
            kept: BTreeMap::new(),
            layers: layout.layers.clone(),
            anchors: layout.anchors(),
            classes: layout.columns - 1,
        }
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
        let layers: Vec<String> = self.layers.iter().map(|[h, w, a]| format!("{h}x{w}x{a}")).collect();
        writeln!(f, "found   {} with {} nodes", self.format, self.found)?;
        writeln!(f, "        {} anchors ({}), {} classes", self.anchors, layers.join(" "), self.classes)?;
        writeln!(f, "cut     {} nodes of preprocessing, box decoding and suppression", self.cut)?;
        writeln!(f, "folded  {}", counts(&self.folded))?;
        write!(f, "kept    {}", counts(&self.kept))
    }
}
