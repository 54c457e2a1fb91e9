//! Finds the parameters of the anchor generator: from the numbers of anchors, and from the anchors themselves where
//! the file holds them.

use super::constant::{Constant, Quantisation};
use super::describe::Layout;
use super::error::Fault;
use super::graph::Graph;
use detector::decode::anchors::{Anchor, generate};
use detector::manifest::{Anchors, Interpolated};

/// Largest difference between the file's anchors and ours: rounding, in units of the picture.
const TOLERANCE: f32 = 1e-3;
/// The same where the file holds them in bytes.
const TOLERANCE_QUANTISED: f32 = 0.02;

/// The generator's parameters.
#[derive(Debug)]
pub(super) struct FoundAnchors {
    /// What goes into the manifest.
    pub anchors: Anchors,
    /// Largest difference to the file's own anchors in units of the picture; `None` when it holds none.
    pub difference: Option<f32>,
}

/// Finds the parameters that make `layout`, and the very anchors of `graph` where it holds them.
///
/// # Errors
/// [`Fault::Anchors`] when the generator cannot make them.
pub(super) fn find(graph: &Graph, layout: &Layout) -> Result<FoundAnchors, Fault> {
    let own: Vec<Own<'_>> = graph.constants().filter_map(|(_, c)| Own::of(c, layout.anchors())).collect();
    let mut best: Option<FoundAnchors> = None;
    let mut nearest = f32::INFINITY;
    for interpolated in [Interpolated::Last, Interpolated::Second] {
        let anchors = spec(layout, interpolated)?;
        if own.is_empty() {
            return Ok(FoundAnchors { anchors, difference: None });
        }
        let ours = generate(&anchors).map_err(|e| Fault::Anchors(e.to_string()))?;
        for (difference, tolerance) in own.iter().map(|own| (own.difference(&ours), own.tolerance)) {
            nearest = nearest.min(difference);
            let better = best.as_ref().and_then(|b| b.difference).is_none_or(|b| difference < b);
            if difference <= tolerance && better {
                best = Some(FoundAnchors { anchors: anchors.clone(), difference: Some(difference) });
            }
        }
    }
    best.ok_or_else(|| {
        Fault::Anchors(format!(
            "those in the file differ by {nearest} from those of the Object Detection API's generator"
        ))
    })
}

/// The generator's defaults for the numbers of anchors at hand.
fn spec(layout: &Layout, interpolated: Interpolated) -> Result<Anchors, Fault> {
    let each: Vec<usize> = layout.layers.iter().map(|layer| layer[2]).collect();
    let reduce_lowest_layer = match each.as_slice() {
        [3, rest @ ..] if rest.iter().all(|&n| n == 6) => true,
        all if all.iter().all(|&n| n == 6) => false,
        other => {
            let what = format!(
                "its feature maps have {other:?} anchors in each cell; 3 or 6 in the first and 6 in the others are supported"
            );
            return Err(Fault::Anchors(what));
        }
    };
    let side = |n: usize| u32::try_from(n).map_err(|_| Fault::Anchors(format!("a feature map of {n} rows")));
    let layers = layout.layers.iter().map(|l| Ok([side(l[0])?, side(l[1])?])).collect::<Result<_, Fault>>()?;
    Ok(Anchors {
        layers,
        min_scale: 0.2,
        max_scale: 0.95,
        ratios: vec![1.0, 2.0, 0.5, 3.0, 0.3333],
        reduce_lowest_layer,
        interpolated,
    })
}

/// A constant that may hold the anchors of the file: four numbers for each.
struct Own<'a> {
    constant: &'a Constant,
    tolerance: f32,
}

impl<'a> Own<'a> {
    fn of(constant: &'a Constant, anchors: usize) -> Option<Self> {
        let four_each = matches!(constant.shape[..], [n, 4] | [1, n, 4] if n == anchors);
        let tolerance = match constant.quantisation {
            Quantisation::None => TOLERANCE,
            _ => TOLERANCE_QUANTISED,
        };
        (four_each && constant.check().is_ok()).then_some(Self { constant, tolerance })
    }

    /// The largest difference to `ours`, as centre and size or as corners, whichever fits better.
    fn difference(&self, ours: &[Anchor]) -> f32 {
        let as_centre = |a: &Anchor| [a.y, a.x, a.h, a.w];
        let as_corners = |a: &Anchor| [a.y - a.h / 2.0, a.x - a.w / 2.0, a.y + a.h / 2.0, a.x + a.w / 2.0];
        self.largest(ours, as_centre).min(self.largest(ours, as_corners))
    }

    fn largest(&self, ours: &[Anchor], form: impl Fn(&Anchor) -> [f32; 4]) -> f32 {
        let ours = ours.iter().flat_map(form).enumerate();
        ours.map(|(i, ours)| (self.constant.float(i) - ours).abs()).max_by(f32::total_cmp).unwrap_or(0.0)
    }
}
