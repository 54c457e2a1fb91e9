//! Single-shot detectors: box offsets to anchors, and a logit for each class at each anchor.
//!
//! A box of offsets `t`, anchor `a` and scales `s`: centre `t / s * a.size + a.centre`, size `exp(t / s) * a.size`.

use super::{
    anchors::{self, Anchor},
    nms::Suppressor,
    outputs::{Candidate, DecodeError, sigmoid, tensor},
    thresholds::Thresholds,
};
use crate::{
    geometry::Rect,
    manifest::{Activation, Anchors},
    tensor::RawOutputs,
};

/// Values of one box in the output: ty, tx, th, tw.
const BOX: usize = 4;

/// What is known of an SSD's outputs.
#[derive(Debug)]
pub struct Ssd {
    boxes: String,
    logits: String,
    activation: Activation,
    /// Divisors of ty, tx, th, tw.
    scales: [f32; BOX],
    anchors: Vec<Anchor>,
}

impl Ssd {
    /// See [`crate::manifest::Decode::Ssd`].
    pub fn new(
        boxes: &str,
        logits: &str,
        activation: Activation,
        scales: [f32; BOX],
        anchors: &Anchors,
    ) -> Result<Self, DecodeError> {
        if scales.iter().any(|&scale| !(scale > 0.0 && scale.is_finite())) {
            return Err(DecodeError::Scales(scales));
        }
        let anchors = anchors::generate(anchors)?;
        Ok(Self { boxes: boxes.into(), logits: logits.into(), activation, scales, anchors })
    }

    /// Appends the detections of the last run to `candidates`, best first, boxes not clipped.
    pub fn find(
        &self,
        outputs: &dyn RawOutputs,
        thresholds: &Thresholds,
        nms: &mut Suppressor,
        candidates: &mut Vec<Candidate>,
    ) -> Result<(), DecodeError> {
        let classes = thresholds.gates().len();
        let boxes = tensor(outputs, &self.boxes, &[Some(1), Some(self.anchors.len()), Some(BOX)])?.data;
        let logits = tensor(outputs, &self.logits, &[Some(1), Some(self.anchors.len()), Some(classes)])?.data;
        let activation = self.activation;
        match activation {
            Activation::Sigmoid => scan_sigmoid(logits, thresholds, nms),
            Activation::Softmax => scan_softmax(logits, thresholds, nms),
        }
        let (boxes, _) = boxes.as_chunks::<BOX>();
        let bbox = |anchor: u32| self.bbox(&boxes[anchor as usize], &self.anchors[anchor as usize]);
        let selected = nms.select(thresholds.max_iou, thresholds.max_detections, bbox);
        candidates.extend(selected.iter().map(|selected| Candidate {
            class_id: selected.class_id,
            score: match activation {
                Activation::Sigmoid => sigmoid(selected.rank),
                Activation::Softmax => selected.rank,
            },
            bbox: selected.bbox,
        }));
        Ok(())
    }

    /// The box of `anchor`, not clipped.
    fn bbox(&self, offsets: &[f32; BOX], anchor: &Anchor) -> Rect {
        let [ty, tx, th, tw] = std::array::from_fn(|i| offsets[i] / self.scales[i]);
        let (y, x) = (ty * anchor.h + anchor.y, tx * anchor.w + anchor.x);
        let (h, w) = (th.exp() * anchor.h, tw.exp() * anchor.w);
        Rect { x_min: x - w / 2.0, y_min: y - h / 2.0, x_max: x + w / 2.0, y_max: y + h / 2.0 }
    }
}

/// Candidates ranked by logit, which grows with the score and needs no exponential.
fn scan_sigmoid(logits: &[f32], thresholds: &Thresholds, nms: &mut Suppressor) {
    let gates = thresholds.gates();
    for (anchor, row) in (0..).zip(logits.chunks_exact(gates.len())) {
        if any_above(row, gates, 0.0) {
            for (class_id, (&logit, &gate)) in (0..).zip(row.iter().zip(gates)) {
                if logit > gate {
                    nms.push(logit, class_id, anchor);
                }
            }
        }
    }
}

/// Candidates ranked by score. A class's softmax is at most the sigmoid of its distance to the background's logit, so
/// most anchors need no exponential.
fn scan_softmax(logits: &[f32], thresholds: &Thresholds, nms: &mut Suppressor) {
    let gates = thresholds.gates();
    for (anchor, row) in (0..).zip(logits.chunks_exact(gates.len())) {
        let background = row[0];
        if !any_above(row, gates, background) {
            continue;
        }
        let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let sum: f32 = row.iter().map(|logit| (logit - largest).exp()).sum();
        for (class_id, &logit) in (0..).zip(row) {
            let score = (logit - largest).exp() / sum;
            if thresholds.score(class_id.into()).is_some_and(|wanted| score > wanted) {
                nms.push(score, class_id, anchor);
            }
        }
    }
}

/// Whether any value of `row` is above its gate, all gates raised by `shift`. Without a branch, so that the compiler
/// makes vector code of it: the scan reads every logit of every frame.
fn any_above(row: &[f32], gates: &[f32], shift: f32) -> bool {
    row.iter().zip(gates).fold(false, |any, (value, gate)| any | (*value > gate + shift))
}
