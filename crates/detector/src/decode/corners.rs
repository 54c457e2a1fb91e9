//! Networks that decode their boxes themselves (pytorch-ssd): corners and scores for every prior.

use super::{
    nms::Suppressor,
    outputs::{Candidate, DecodeError, tensor},
    thresholds::{Overlaps, Thresholds},
};
use crate::{geometry::Rect, tensor::RawOutputs};

/// Values of one box: left, top, right, bottom.
const BOX: usize = 4;

/// Names of the outputs.
#[derive(Debug)]
pub struct Corners {
    boxes: String,
    scores: String,
}

impl Corners {
    /// See [`crate::manifest::Decode::Corners`].
    pub fn new(boxes: &str, scores: &str) -> Self {
        Self { boxes: boxes.into(), scores: scores.into() }
    }

    /// Appends the detections of the last run to `candidates`, boxes not clipped: after suppression best first; where boxes
    /// are to be merged, in the order of the priors and of each only its best class, as detectNet takes them.
    pub fn find(
        &self,
        outputs: &dyn RawOutputs,
        thresholds: &Thresholds,
        nms: &mut Suppressor,
        candidates: &mut Vec<Candidate>,
    ) -> Result<(), DecodeError> {
        let classes = thresholds.gates().len();
        let scores = tensor(outputs, &self.scores, &[Some(1), None, Some(classes)])?;
        let priors = scores.data.len() / classes;
        let boxes = tensor(outputs, &self.boxes, &[Some(1), Some(priors), Some(BOX)])?;
        let (boxes, _) = boxes.data.as_chunks::<BOX>();
        let rows = scores.data.chunks_exact(classes).map(|row| wanted(row, thresholds));
        match thresholds.overlaps {
            Overlaps::Merge => candidates.extend(rows.zip(boxes).filter_map(|(row, corners)| {
                let best = row.reduce(|a, b| if b.1 > a.1 { b } else { a })?;
                let bbox = Some(rect(corners)).filter(Rect::is_finite)?;
                Some(Candidate { class_id: best.0, score: best.1, bbox })
            })),
            Overlaps::Suppress => {
                for (prior, row) in (0..).zip(rows) {
                    row.for_each(|(class_id, score)| nms.push(score, class_id, prior));
                }
                let bbox = |prior: u32| rect(&boxes[prior as usize]);
                let selected = nms.select(thresholds.max_iou, thresholds.max_detections, bbox);
                candidates.extend(selected.iter().map(|s| Candidate {
                    class_id: s.class_id,
                    score: s.rank,
                    bbox: s.bbox,
                }));
            }
        }
        Ok(())
    }
}

/// The classes of a prior that are wanted and above their thresholds, with their scores.
fn wanted(row: &[f32], thresholds: &Thresholds) -> impl Iterator<Item = (u16, f32)> {
    (0_u16..)
        .zip(row)
        .filter(|&(class_id, &score)| thresholds.score(class_id.into()).is_some_and(|t| score > t))
        .map(|(class_id, &score)| (class_id, score))
}

fn rect(&[x_min, y_min, x_max, y_max]: &[f32; BOX]) -> Rect {
    Rect { x_min, y_min, x_max, y_max }
}
