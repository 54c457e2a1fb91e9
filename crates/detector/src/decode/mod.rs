//! From a network's raw output to detections. Pure: no I/O, no clock.
//!
//! [`Decoder`] knows the form of the output (from the manifest) and keeps all buffers, so that a frame allocates
//! nothing. Every form finds candidates, and `nms` chooses among them.

pub mod anchors;
mod corners;
mod detectnet;
mod merge;
mod nms;
mod outputs;
mod postprocessed;
mod ssd;
mod thresholds;

pub use crate::fraction::{BadFraction, Fraction};
pub use outputs::DecodeError;
pub use thresholds::{ClassRule, Config, Overlaps, Thresholds, UnknownClass};

use crate::{
    detection::Detection,
    manifest::{Decode, Manifest},
    tensor::RawOutputs,
};
use outputs::Candidate;
use std::sync::Arc;

/// Turns the outputs of one model into detections.
#[derive(Debug)]
pub struct Decoder {
    /// By class id.
    labels: Vec<Arc<str>>,
    form: Form,
    nms: nms::Suppressor,
    /// Of the last frame; kept for its buffer.
    candidates: Vec<Candidate>,
}

/// The forms of output that are known.
#[derive(Debug)]
enum Form {
    Ssd(ssd::Ssd),
    Corners(corners::Corners),
    Postprocessed(postprocessed::Postprocessed),
    DetectNet(detectnet::DetectNet),
}

impl Decoder {
    /// A decoder for the model that `manifest` describes.
    ///
    /// # Errors
    /// When the manifest's labels, anchors or scales make no sense.
    pub fn new(manifest: &Manifest) -> Result<Self, DecodeError> {
        let classes = manifest.labels.len();
        if !(2..=usize::from(u16::MAX)).contains(&classes) {
            return Err(DecodeError::Labels(classes));
        }
        let form = match &manifest.decode {
            Decode::Ssd { boxes, logits, activation, scales, anchors } => {
                Form::Ssd(ssd::Ssd::new(boxes, logits, *activation, *scales, anchors)?)
            }
            Decode::Corners { boxes, scores } => Form::Corners(corners::Corners::new(boxes, scores)),
            Decode::Postprocessed { boxes, classes, scores, count, first_class } => {
                let form = postprocessed::Postprocessed::new(boxes, classes, scores, count, *first_class);
                Form::Postprocessed(form)
            }
            Decode::Detectnet { coverage, boxes } => {
                Form::DetectNet(detectnet::DetectNet::new(coverage, boxes, manifest.input.size()))
            }
        };
        let labels = manifest.labels.iter().map(|label| Arc::from(label.as_str())).collect();
        Ok(Self { labels, form, nms: nms::Suppressor::default(), candidates: Vec::new() })
    }

    /// Puts the detections of the last run into `detections`, whose old content goes: by falling score, equal scores
    /// by class and then by anchor, boxes clipped to the frame (after suppression, as the TensorFlow Object Detection
    /// API does it).
    ///
    /// # Errors
    /// When an output is missing or has an unexpected shape, or `thresholds` are another model's; `detections` is
    /// then empty.
    pub fn decode(
        &mut self,
        outputs: &dyn RawOutputs,
        thresholds: &Thresholds,
        detections: &mut Vec<Detection>,
    ) -> Result<(), DecodeError> {
        detections.clear();
        let classes = self.labels.len();
        if thresholds.gates().len() != classes {
            return Err(DecodeError::Thresholds { found: thresholds.gates().len(), wanted: classes });
        }
        self.find(outputs, thresholds)?;
        detections.extend(self.candidates.iter().map(|candidate| Detection {
            class_id: candidate.class_id.into(),
            label: self.labels[usize::from(candidate.class_id)].clone(),
            score: candidate.score,
            bbox: candidate.bbox.clipped(),
        }));
        Ok(())
    }

    /// Fills `candidates`, best first.
    fn find(&mut self, outputs: &dyn RawOutputs, thresholds: &Thresholds) -> Result<(), DecodeError> {
        let Self { form, nms, candidates, .. } = self;
        nms.clear();
        candidates.clear();
        match form {
            Form::Ssd(form) => form.find(outputs, thresholds, nms, candidates)?,
            Form::Corners(form) => form.find(outputs, thresholds, nms, candidates)?,
            Form::Postprocessed(form) => form.find(outputs, thresholds, candidates)?,
            Form::DetectNet(form) => form.find(outputs, thresholds, candidates)?,
        }
        if thresholds.overlaps == Overlaps::Merge {
            merge::merge(candidates);
        }
        if thresholds.overlaps == Overlaps::Merge || matches!(form, Form::DetectNet(_)) {
            candidates.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.class_id.cmp(&b.class_id)));
            candidates.truncate(thresholds.max_detections);
        }
        Ok(())
    }
}

#[cfg(test)]
mod form_tests;
#[cfg(test)]
mod tests;
