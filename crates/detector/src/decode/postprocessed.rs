//! Networks with TensorFlow's post-processing inside: detections as such, best first.

use super::{
    outputs::{Candidate, DecodeError, tensor},
    thresholds::Thresholds,
};
use crate::{geometry::Rect, tensor::RawOutputs};

/// Values of one box: top, left, bottom, right.
const BOX: usize = 4;

/// Names of the outputs, and the class id of the first class.
#[derive(Debug)]
pub struct Postprocessed {
    boxes: String,
    classes: String,
    scores: String,
    count: String,
    first_class: u16,
}

impl Postprocessed {
    /// See [`crate::manifest::Decode::Postprocessed`].
    pub fn new(boxes: &str, classes: &str, scores: &str, count: &str, first_class: u16) -> Self {
        let [boxes, classes, scores, count] = [boxes, classes, scores, count].map(str::to_owned);
        Self { boxes, classes, scores, count, first_class }
    }

    /// Appends the detections of the last run to `candidates`, in their order. Classes that the model does not name are left
    /// out.
    pub fn find(
        &self,
        outputs: &dyn RawOutputs,
        thresholds: &Thresholds,
        candidates: &mut Vec<Candidate>,
    ) -> Result<(), DecodeError> {
        let scores = tensor(outputs, &self.scores, &[Some(1), None])?.data;
        let classes = tensor(outputs, &self.classes, &[Some(1), Some(scores.len())])?.data;
        let boxes = tensor(outputs, &self.boxes, &[Some(1), Some(scores.len()), Some(BOX)])?.data;
        let count = tensor(outputs, &self.count, &[Some(1)])?.data;
        let (boxes, _) = boxes.as_chunks::<BOX>();
        // Saturating: a count that is no number takes nothing.
        let count = count.first().map_or(0, |&count| count as usize);
        let all = scores.iter().zip(classes).zip(boxes).take(count);
        candidates.extend(all.filter_map(|((&score, &class), &[y_min, x_min, y_max, x_max])| {
            let class_id = (class as u16).checked_add(self.first_class).filter(|_| class >= 0.0)?;
            let bbox = Rect { x_min, y_min, x_max, y_max };
            let above = thresholds.score(class_id.into()).is_some_and(|wanted| score > wanted);
            (above && bbox.is_finite()).then_some(Candidate { class_id, score, bbox })
        }));
        candidates.truncate(thresholds.max_detections);
        Ok(())
    }
}
