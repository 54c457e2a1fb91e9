//! Sizes and boxes. Pure values: no I/O, no clock.

use serde::{Deserialize, Serialize};

/// A picture's size in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Size {
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

impl Size {
    /// A size of `width` by `height` pixels.
    pub const fn new(width: u32, height: u32) -> Self {
        Self { width, height }
    }
}

impl std::fmt::Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

/// An axis-aligned box by its corners, in units of the frame: 0..1 from left to right and top to bottom.
///
/// A decoder may give corners outside 0..1; [`Rect::clipped`] cuts them off.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rect {
    /// Left edge.
    pub x_min: f32,
    /// Top edge.
    pub y_min: f32,
    /// Right edge.
    pub x_max: f32,
    /// Bottom edge.
    pub y_max: f32,
}

impl Rect {
    /// Width, in units of the frame; negative if the corners are swapped.
    pub fn width(&self) -> f32 {
        self.x_max - self.x_min
    }

    /// Height, in units of the frame; negative if the corners are swapped.
    pub fn height(&self) -> f32 {
        self.y_max - self.y_min
    }

    /// Area, in units of the frame squared; never negative.
    pub fn area(&self) -> f32 {
        self.width().max(0.0) * self.height().max(0.0)
    }

    /// The area both boxes cover; 0 where they do not touch.
    pub fn intersection(&self, other: &Rect) -> f32 {
        let w = self.x_max.min(other.x_max) - self.x_min.max(other.x_min);
        let h = self.y_max.min(other.y_max) - self.y_min.max(other.y_min);
        w.max(0.0) * h.max(0.0)
    }

    /// Intersection over union, 0..1; 0 for two empty boxes.
    pub fn iou(&self, other: &Rect) -> f32 {
        let both = self.intersection(other);
        let union = self.area() + other.area() - both;
        if union > 0.0 { both / union } else { 0.0 }
    }

    /// Whether the boxes have a point in common, if only of their edges.
    pub fn touches(&self, other: &Rect) -> bool {
        self.x_min <= other.x_max && other.x_min <= self.x_max && self.y_min <= other.y_max && other.y_min <= self.y_max
    }

    /// The smallest box that covers both.
    pub fn union(&self, other: &Rect) -> Rect {
        Rect {
            x_min: self.x_min.min(other.x_min),
            y_min: self.y_min.min(other.y_min),
            x_max: self.x_max.max(other.x_max),
            y_max: self.y_max.max(other.y_max),
        }
    }

    /// Whether every corner is a finite number.
    pub fn is_finite(&self) -> bool {
        [self.x_min, self.y_min, self.x_max, self.y_max].into_iter().all(f32::is_finite)
    }

    /// The same box with every corner moved into 0..1.
    pub fn clipped(&self) -> Rect {
        Rect {
            x_min: self.x_min.clamp(0.0, 1.0),
            y_min: self.y_min.clamp(0.0, 1.0),
            x_max: self.x_max.clamp(0.0, 1.0),
            y_max: self.y_max.clamp(0.0, 1.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn rect(x_min: f32, y_min: f32, x_max: f32, y_max: f32) -> Rect {
        Rect { x_min, y_min, x_max, y_max }
    }

    #[test]
    fn iou_of_known_pairs() {
        let unit = rect(0.0, 0.0, 1.0, 1.0);
        for (other, want) in [
            (unit, 1.0),
            (rect(0.5, 0.0, 1.5, 1.0), 1.0 / 3.0),
            (rect(1.0, 0.0, 2.0, 1.0), 0.0),
            (rect(2.0, 2.0, 3.0, 3.0), 0.0),
            (rect(0.5, 0.5, 0.5, 0.5), 0.0),
        ] {
            assert!((unit.iou(&other) - want).abs() < 1e-6, "{other:?}");
            assert_eq!(unit.iou(&other), other.iou(&unit));
        }
    }

    #[test]
    fn an_empty_pair_has_no_iou() {
        let empty = rect(0.3, 0.3, 0.3, 0.3);
        assert_eq!(empty.iou(&empty), 0.0);
    }

    #[test]
    fn clipping_keeps_the_inside() {
        assert_eq!(rect(-0.5, 0.2, 1.5, 0.9).clipped(), rect(0.0, 0.2, 1.0, 0.9));
    }
}
