//! Greedy class-wise non-maximum suppression, best first.
//!
//! Candidates wait in a heap, so only those that are looked at get sorted, and only they get a box. Equal ranks go to
//! the lower class, then the lower anchor. All buffers are kept from frame to frame.

use crate::geometry::Rect;
use std::{cmp::Reverse, collections::BinaryHeap};

/// The reused buffers of one decoder.
#[derive(Debug, Default)]
pub struct Suppressor {
    candidates: Vec<Candidate>,
    selected: Vec<Selected>,
}

/// A class at an anchor, ordered by rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    /// The rank's bits, changed so that they sort as integers.
    rank: u32,
    class_id: Reverse<u16>,
    anchor: Reverse<u32>,
}

/// A candidate that no better one of its class suppressed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Selected {
    /// Its class.
    pub class_id: u16,
    /// The rank it was pushed with.
    pub rank: f32,
    /// Its box, not clipped.
    pub bbox: Rect,
}

impl Suppressor {
    /// Forgets the last frame.
    pub fn clear(&mut self) {
        self.candidates.clear();
        self.selected.clear();
    }

    /// Adds a candidate. `rank` is its score or anything that grows with it; it must not be NaN.
    pub fn push(&mut self, rank: f32, class_id: u16, anchor: u32) {
        let rank = sortable(rank);
        self.candidates.push(Candidate { rank, class_id: Reverse(class_id), anchor: Reverse(anchor) });
    }

    /// The best `limit` candidates, best first, of which no two of one class overlap by more than `max_iou`
    /// (intersection over union). `bbox` gives an anchor's box; candidates whose box is not finite are left out.
    pub fn select(&mut self, max_iou: f32, limit: usize, bbox: impl Fn(u32) -> Rect) -> &[Selected] {
        let mut heap = BinaryHeap::from(std::mem::take(&mut self.candidates));
        while self.selected.len() < limit
            && let Some(Candidate { rank, class_id: Reverse(class_id), anchor: Reverse(anchor) }) = heap.pop()
        {
            let bbox = bbox(anchor);
            let free = |better: &Selected| better.class_id != class_id || better.bbox.iou(&bbox) <= max_iou;
            if bbox.is_finite() && self.selected.iter().all(free) {
                self.selected.push(Selected { class_id, rank: from_sortable(rank), bbox });
            }
        }
        self.candidates = heap.into_vec();
        &self.selected
    }
}

const SIGN: u32 = 1 << 31;

/// Bits that sort as unsigned integers the way the numbers sort: the sign bit is flipped, and of negative numbers all
/// bits are. `-0.0` becomes `0.0`, for the two are equal.
fn sortable(value: f32) -> u32 {
    let bits = (value + 0.0).to_bits();
    if bits & SIGN == 0 { bits | SIGN } else { !bits }
}

/// The inverse of [`sortable`].
fn from_sortable(bits: u32) -> f32 {
    f32::from_bits(if bits & SIGN == 0 { !bits } else { bits & !SIGN })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn sortable_bits_keep_order_and_value(a in -1e30f32..1e30, b in -1e30f32..1e30) {
            prop_assert_eq!(sortable(a).cmp(&sortable(b)), a.partial_cmp(&b).unwrap());
            prop_assert_eq!(from_sortable(sortable(a)), a);
        }

        #[test]
        fn what_is_selected_is_free_sorted_and_complete(candidates in candidates(), max_iou in 0.0f32..1.0, limit in 1usize..20) {
            let mut nms = Suppressor::default();
            for (anchor, &(rank, class_id, _)) in (0..).zip(&candidates) {
                nms.push(rank, class_id, anchor);
            }
            let selected = nms.select(max_iou, limit, |anchor| candidates[anchor as usize].2).to_vec();
            prop_assert!(selected.len() <= limit);
            prop_assert!(selected.is_sorted_by(|a, b| a.rank >= b.rank));
            for (i, a) in selected.iter().enumerate() {
                for b in &selected[..i] {
                    prop_assert!(a.class_id != b.class_id || a.bbox.iou(&b.bbox) <= max_iou);
                }
            }
            // Whoever is missing is worse than a full list, or overlaps with one of its class that is at least as good.
            for &(rank, class_id, bbox) in &candidates {
                let taken = selected.iter().any(|s| s.class_id == class_id && s.bbox == bbox);
                let crowded_out = selected.len() == limit && selected[limit - 1].rank >= rank;
                let suppressed =
                    selected.iter().any(|s| s.class_id == class_id && s.rank >= rank && s.bbox.iou(&bbox) > max_iou);
                prop_assert!(taken || crowded_out || suppressed);
            }
        }
    }

    fn candidates() -> impl Strategy<Value = Vec<(f32, u16, Rect)>> {
        let bbox = (0u8..8, 0u8..8, 1u8..6, 1u8..6).prop_map(|(x, y, w, h)| {
            let [x, y, w, h] = [x, y, w, h].map(f32::from);
            Rect { x_min: x, y_min: y, x_max: x + w, y_max: y + h }
        });
        proptest::collection::vec(((-9i8..9).prop_map(f32::from), 1u16..4, bbox), 0..60)
    }

    #[test]
    fn equal_ranks_go_to_the_lower_class_then_the_lower_anchor() {
        let mut nms = Suppressor::default();
        for (rank, class_id, anchor) in [(0.0, 2, 0), (-0.0, 1, 7), (0.0, 1, 3)] {
            nms.push(rank, class_id, anchor);
        }
        let far_apart = |anchor: u32| Rect { x_min: anchor as f32, y_min: 0.0, x_max: anchor as f32 + 0.5, y_max: 1.0 };
        let order: Vec<_> = nms.select(0.5, 9, far_apart).iter().map(|s| (s.class_id, s.bbox.x_min)).collect();
        assert_eq!(order, [(1, 3.0), (1, 7.0), (2, 0.0)]);
    }

    #[test]
    fn a_box_that_is_not_finite_neither_wins_nor_suppresses() {
        let mut nms = Suppressor::default();
        nms.push(9.0, 1, 0);
        nms.push(1.0, 1, 1);
        let bbox =
            |anchor| Rect { x_min: 0.0, y_min: 0.0, x_max: if anchor == 0 { f32::INFINITY } else { 1.0 }, y_max: 1.0 };
        assert_eq!(nms.select(0.5, 9, bbox).iter().map(|s| s.rank).collect::<Vec<_>>(), [1.0]);
    }
}
