//! The outcome of an inspection, and its forms for terminals and programs.

use super::layer::{Kind, Layer, Totals};
use super::published::Published;
use super::roofline::{self, Bound, Roofline};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// The cost of a network.
#[derive(Debug, Serialize)]
pub(super) struct Inspection {
    /// The network: a file or an architecture.
    pub name: String,
    /// Sums over all layers.
    pub totals: Totals,
    /// Sums over the layers of each kind.
    pub kinds: BTreeMap<Kind, Totals>,
    /// Lower bound of the Nano's time in fp16.
    pub roofline: Roofline,
    /// The largest receptive field of a value, in pixels of the input.
    pub receptive_field_px: u64,
    /// Why TensorRT 8.2 does not build one engine of it, with numbers of nodes; `None` for an architecture without a file.
    pub tensorrt_obstacles: Option<BTreeMap<String, usize>>,
    /// The published figures of it.
    pub published: Option<Published>,
    /// The layers in their order.
    pub layers: Vec<Layer>,
}

impl Inspection {
    /// Sums `layers` up.
    pub(super) fn new(name: String, layers: Vec<Layer>) -> Self {
        let mut by_kind: BTreeMap<Kind, Vec<&Layer>> = BTreeMap::new();
        for layer in &layers {
            by_kind.entry(layer.kind).or_default().push(layer);
        }
        Self {
            name,
            totals: Totals::of(&layers),
            kinds: by_kind.into_iter().map(|(kind, layers)| (kind, Totals::of(layers))).collect(),
            roofline: roofline::of_network(&layers),
            receptive_field_px: layers.iter().map(|l| l.field.size_px).max().unwrap_or(0),
            tensorrt_obstacles: None,
            published: None,
            layers,
        }
    }
}

/// Millions with three digits behind the point.
pub(super) fn millions(count: u64) -> String {
    format!("{:.3} M", count as f64 / 1e6)
}

/// The bound as text.
pub(super) fn bound(bound: Bound) -> &'static str {
    match bound {
        Bound::Compute => "compute",
        Bound::Memory => "memory",
    }
}

impl fmt::Display for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n", self.name)?;
        self.layer_table(f)?;
        self.kind_table(f)?;
        let totals = self.totals;
        writeln!(f, "\nparameters       {}", millions(totals.parameters))?;
        writeln!(f, "multiply-adds    {}", millions(totals.multiply_adds))?;
        writeln!(f, "activations      {}", millions(totals.activations))?;
        writeln!(f, "receptive field  {} pixels of the input", self.receptive_field_px)?;
        let r = self.roofline;
        writeln!(
            f,
            "Nano, fp16       at least {:.2} ms ({:.2} ms of arithmetic at 472 GFLOPS, {:.2} ms of memory at 25.6 GB/s): \
             bound by {}",
            r.time_ms,
            r.compute_ms,
            r.memory_ms,
            bound(r.bound)
        )?;
        self.notes().try_for_each(|note| writeln!(f, "\n{note}"))
    }
}

impl Inspection {
    fn layer_table(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = ("LAYER", "KIND", "INPUT", "OUTPUT", "PARAMETERS", "MULT-ADDS", "FIELD", "BOUND");
        let (name, kind, input, output, parameters, adds, field, by) = head;
        writeln!(f, "{name:<44} {kind:<15} {input:>13} {output:>13} {parameters:>11} {adds:>12} {field:>6} {by:>8}")?;
        for layer in self.layers.iter().filter(|l| l.kind != Kind::Other) {
            let feature = |feature: Option<super::layer::Feature>| feature.map_or("?".into(), |f| f.to_string());
            writeln!(
                f,
                "{:<44} {:<15} {:>13} {:>13} {:>11} {:>12} {:>6} {:>8}",
                shortened(&layer.name, 44),
                layer.kind.name(),
                feature(layer.input),
                feature(layer.output),
                layer.parameters,
                layer.multiply_adds,
                layer.field.size_px,
                bound(roofline::of_layer(layer).bound)
            )?;
        }
        Ok(())
    }

    fn kind_table(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n{:<16}{:>7}{:>16}{:>16}{:>8}  COST", "KIND", "LAYERS", "PARAMETERS", "MULT-ADDS", "SHARE")?;
        for (kind, totals) in &self.kinds {
            let share = 100.0 * totals.multiply_adds as f64 / (self.totals.multiply_adds.max(1)) as f64;
            writeln!(
                f,
                "{:<16}{:>7}{:>16}{:>16}{share:>7.2}%  {}",
                kind.name(),
                totals.layers,
                totals.parameters,
                totals.multiply_adds,
                kind.formula()
            )?;
        }
        Ok(())
    }

    /// What is published of it, and whether TensorRT takes it, where these are known.
    pub(super) fn notes(&self) -> impl Iterator<Item = String> {
        let published = self.published.map(|published| {
            let parameters = published.parameters_m.map_or_else(String::new, |p| format!(", {p} M parameters"));
            let Published { multiply_adds_m, source, remark, .. } = published;
            format!("Published: {multiply_adds_m} M multiply-adds{parameters} ({source}; {remark}).")
        });
        let tensorrt = self.tensorrt_obstacles.as_ref().map(|obstacles| {
            let all = obstacles
                .iter()
                .map(|(reason, nodes)| format!("{reason} ({nodes} {})", if *nodes == 1 { "node" } else { "nodes" }))
                .collect::<Vec<_>>();
            let source = super::tensorrt::SOURCE;
            match all.as_slice() {
                [] => format!("TensorRT 8.2 supports all of it ({source})."),
                some => format!("TensorRT 8.2 does not support all of it ({source}): {}.", some.join("; ")),
            }
        });
        published.into_iter().chain(tensorrt)
    }
}

/// The end of a name, which tells layers apart.
pub(super) fn shortened(name: &str, width: usize) -> String {
    let length = name.chars().count();
    if length <= width {
        return name.to_owned();
    }
    let tail: String = name.chars().skip(length + 1 - width).collect();
    format!("…{tail}")
}
