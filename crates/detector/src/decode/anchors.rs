//! Anchors of the TensorFlow Object Detection API's `ssd_anchor_generator`.
//!
//! With `n` layers, layer `k` has the scale `s_k = min + (max - min) * k / (n - 1)`, and `s_n = 1`. An anchor of scale
//! `s` and ratio `r` is `s * sqrt(r)` wide and `s / sqrt(r)` high; its centre is the middle of its cell. They are
//! numbered layer by layer, row by row, cell by cell.

use super::outputs::DecodeError;
use crate::manifest::{Anchors, Interpolated};

/// A box the network's offsets refer to: centre and size, in units of the frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Anchor {
    /// Middle, from the top.
    pub y: f32,
    /// Middle, from the left.
    pub x: f32,
    /// Height.
    pub h: f32,
    /// Width.
    pub w: f32,
}

/// What one anchor of a cell looks like.
#[derive(Clone, Copy, Debug)]
struct Shape {
    scale: f64,
    ratio: f64,
}

/// More than any detector has; keeps a damaged manifest from filling the memory.
const MAX_ANCHORS: u64 = 1 << 20;

/// All anchors of `spec`, in the order of the network's outputs.
///
/// # Errors
/// When the layers are missing, empty or beyond reason, or a scale or ratio is no positive number.
pub fn generate(spec: &Anchors) -> Result<Vec<Anchor>, DecodeError> {
    check(spec)?;
    let mut anchors = Vec::new();
    for (k, &[rows, columns]) in spec.layers.iter().enumerate() {
        let shapes = shapes(spec, k);
        let cells = (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column)));
        anchors.extend(cells.flat_map(|(row, column)| {
            let y = (f64::from(row) + 0.5) / f64::from(rows);
            let x = (f64::from(column) + 0.5) / f64::from(columns);
            shapes.iter().map(move |shape| Anchor {
                y: y as f32,
                x: x as f32,
                h: (shape.scale / shape.ratio.sqrt()) as f32,
                w: (shape.scale * shape.ratio.sqrt()) as f32,
            })
        }));
    }
    Ok(anchors)
}

/// The anchors of one cell of layer `k`.
fn shapes(spec: &Anchors, k: usize) -> Vec<Shape> {
    let scale = scale(spec, k);
    if k == 0 && spec.reduce_lowest_layer {
        return [(0.1, 1.0), (scale, 2.0), (scale, 0.5)].map(|(scale, ratio)| Shape { scale, ratio }).into();
    }
    let mut shapes: Vec<_> = spec.ratios.iter().map(|&ratio| Shape { scale, ratio: f64::from(ratio) }).collect();
    let between = Shape { scale: (scale * self::scale(spec, k + 1)).sqrt(), ratio: 1.0 };
    match spec.interpolated {
        Interpolated::Last => shapes.push(between),
        Interpolated::Second => shapes.insert(1.min(shapes.len()), between),
        Interpolated::None => {}
    }
    shapes
}

/// Scale of layer `k`; 1 beyond the last.
fn scale(spec: &Anchors, k: usize) -> f64 {
    let layers = spec.layers.len();
    let (min, max) = (f64::from(spec.min_scale), f64::from(spec.max_scale));
    match k {
        0 => min,
        k if k < layers => min + (max - min) * k as f64 / (layers - 1) as f64,
        _ => 1.0,
    }
}

fn check(spec: &Anchors) -> Result<(), DecodeError> {
    let bad = |what: String| Err(DecodeError::Anchors(what));
    if spec.layers.is_empty() || spec.layers.iter().any(|layer| layer.contains(&0)) {
        return bad(format!("layers = {:?}: at least one is needed, and none may be empty", spec.layers));
    }
    for (name, value) in [("min_scale", spec.min_scale), ("max_scale", spec.max_scale)] {
        if !(value > 0.0 && value.is_finite()) {
            return bad(format!("{name} = {value}: must be a number above 0"));
        }
    }
    if spec.ratios.is_empty() || spec.ratios.iter().any(|&r| !(r > 0.0 && r.is_finite())) {
        return bad(format!("ratios = {:?}: at least one is needed, each a number above 0", spec.ratios));
    }
    let cells: u64 = spec.layers.iter().map(|&[rows, columns]| u64::from(rows) * u64::from(columns)).sum();
    match cells.saturating_mul(spec.ratios.len() as u64 + 1) {
        most if most > MAX_ANCHORS => bad(format!("up to {most} anchors: more than {MAX_ANCHORS} are not served")),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(layers: &[u32], interpolated: Interpolated) -> Anchors {
        Anchors {
            layers: layers.iter().map(|&n| [n, n]).collect(),
            min_scale: 0.2,
            max_scale: 0.95,
            ratios: vec![1.0, 2.0, 0.5, 3.0, 0.3333],
            reduce_lowest_layer: true,
            interpolated,
        }
    }

    /// The graph's own constants differ from the closed form by no more than this.
    const TOLERANCE: f64 = 1.1e-7;

    fn assert_near(anchor: Anchor, want: [f64; 4]) {
        for (got, want) in [anchor.y, anchor.x, anchor.h, anchor.w].into_iter().zip(want) {
            assert!((f64::from(got) - want).abs() <= TOLERANCE, "{anchor:?} is not {want}");
        }
    }

    #[test]
    fn coco_ssd_has_1917_of_the_closed_form() {
        let layers = [19, 10, 5, 3, 2, 1];
        let scales = [0.2, 0.35, 0.5, 0.65, 0.8, 0.95, 1.0_f64];
        let anchors = generate(&spec(&layers, Interpolated::Last)).unwrap();
        assert_eq!(anchors.len(), 1917);
        let mut rest = anchors.into_iter();
        for (k, &n) in layers.iter().enumerate() {
            let s = scales[k];
            let shapes = match k {
                0 => vec![(0.1, 1.0), (s, 2.0), (s, 0.5)],
                _ => vec![(s, 1.0), (s, 2.0), (s, 0.5), (s, 3.0), (s, 0.3333), ((s * scales[k + 1]).sqrt(), 1.0)],
            };
            for (row, column) in (0..n).flat_map(|row| (0..n).map(move |column| (row, column))) {
                for &(scale, ratio) in &shapes {
                    let centre = [row, column].map(|i| (f64::from(i) + 0.5) / f64::from(n));
                    let want = [centre[0], centre[1], scale / f64::sqrt(ratio), scale * f64::sqrt(ratio)];
                    assert_near(rest.next().unwrap(), want);
                }
            }
        }
    }

    #[test]
    fn the_interpolated_anchor_stands_where_the_manifest_says() {
        let layers = [32, 16, 8, 4, 2, 1];
        let face = generate(&spec(&layers, Interpolated::Second)).unwrap();
        assert_eq!(face.len(), 5118);
        assert_near(face[3072 + 1], [0.5 / 16.0, 0.5 / 16.0, f64::sqrt(0.35 * 0.5), f64::sqrt(0.35 * 0.5)]);
        assert_eq!(generate(&spec(&[19, 10, 5, 3, 2, 1], Interpolated::None)).unwrap().len(), 1917 - 139);
    }

    #[test]
    fn a_single_layer_has_the_smallest_scale() {
        let mut one = spec(&[1], Interpolated::None);
        one.reduce_lowest_layer = false;
        assert_near(generate(&one).unwrap()[0], [0.5, 0.5, 0.2, 0.2]);
    }

    #[test]
    fn nonsense_is_refused_by_name() {
        let good = spec(&[2, 1], Interpolated::Last);
        for (bad, names) in [
            (Anchors { layers: vec![], ..good.clone() }, "layers"),
            (Anchors { layers: vec![[3, 0]], ..good.clone() }, "layers"),
            (Anchors { min_scale: f32::NAN, ..good.clone() }, "min_scale"),
            (Anchors { max_scale: -1.0, ..good.clone() }, "max_scale"),
            (Anchors { ratios: vec![1.0, 0.0], ..good.clone() }, "ratios"),
            (Anchors { layers: vec![[u32::MAX, u32::MAX]], ..good }, "anchors"),
        ] {
            let error = generate(&bad).unwrap_err().to_string();
            assert!(error.contains(names), "{error}");
        }
    }
}
