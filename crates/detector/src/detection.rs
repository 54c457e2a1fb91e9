//! What the decoder finds in one frame.

use crate::geometry::Rect;
use std::sync::Arc;

/// One object in one frame.
#[derive(Clone, Debug, PartialEq)]
pub struct Detection {
    /// The model's class number (COCO: 1 = person, ..., 90 = toothbrush); 0 is background and never appears.
    pub class_id: u32,
    /// The class's name, shared with the label list.
    pub label: Arc<str>,
    /// The network's confidence, 0..1.
    pub score: f32,
    /// Where it is, clipped to the frame.
    pub bbox: Rect,
}
