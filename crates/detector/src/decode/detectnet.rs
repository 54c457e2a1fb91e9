//! DetectNet: a grid of cells, each with a coverage for every class and one box.
//!
//! A cell is `input / cells` pixels wide, by integer division; its box is relative to its corner, in pixels of the
//! input. Cells are taken class by class and row by row; a box is merged into the first earlier one of its class that
//! it touches, and the first cell's coverage stays the score (jetson-inference, `detectNet::clusterDetections`).

use super::{
    outputs::{Candidate, DecodeError, tensor},
    thresholds::Thresholds,
};
use crate::{
    geometry::{Rect, Size},
    tensor::RawOutputs,
};

/// Values of one box: left, top, right, bottom.
const BOX: usize = 4;

/// Names of the outputs, and the size of the input.
#[derive(Debug)]
pub struct DetectNet {
    coverage: String,
    boxes: String,
    input: Size,
}

impl DetectNet {
    /// See [`crate::manifest::Decode::Detectnet`].
    pub fn new(coverage: &str, boxes: &str, input: Size) -> Self {
        Self { coverage: coverage.into(), boxes: boxes.into(), input }
    }

    /// Appends the merged detections of the last run to `candidates`, in the order of their first cells. Coverage is no
    /// probability: scores are cut to 0..1.
    pub fn find(
        &self,
        outputs: &dyn RawOutputs,
        thresholds: &Thresholds,
        candidates: &mut Vec<Candidate>,
    ) -> Result<(), DecodeError> {
        let classes = thresholds.gates().len() - 1;
        let coverage = tensor(outputs, &self.coverage, &[Some(1), Some(classes), None, None])?;
        let (rows, columns) = (coverage.shape[2], coverage.shape[3]);
        let boxes = tensor(outputs, &self.boxes, &[Some(1), Some(BOX), Some(rows), Some(columns)])?.data;
        let cells = rows * columns;
        if cells == 0 {
            return Ok(());
        }
        let cell = [self.input.width as usize / columns, self.input.height as usize / rows];
        // Class 0 is the background, which DetectNet does not have.
        for (class_id, coverage) in (1_u16..).zip(coverage.data.chunks_exact(cells)) {
            let Some(wanted) = thresholds.score(class_id.into()) else {
                continue;
            };
            for (i, &score) in coverage.iter().enumerate().filter(|&(_, &score)| score >= wanted) {
                let corner = [i % columns * cell[0], i / columns * cell[1]];
                let bbox = self.bbox(std::array::from_fn(|side| boxes[side * cells + i]), corner);
                if bbox.is_finite() {
                    merge(candidates, Candidate { class_id, score: score.clamp(0.0, 1.0), bbox });
                }
            }
        }
        Ok(())
    }

    /// In units of the frame: the box relative to a cell's corner, all in pixels of the input.
    fn bbox(&self, [left, top, right, bottom]: [f32; BOX], [x, y]: [usize; 2]) -> Rect {
        let (width, height) = (self.input.width as f32, self.input.height as f32);
        let (x, y) = (x as f32, y as f32);
        Rect {
            x_min: (left + x) / width,
            y_min: (top + y) / height,
            x_max: (right + x) / width,
            y_max: (bottom + y) / height,
        }
    }
}

/// Merges `new` into the first box of its class that it touches, or appends it.
fn merge(candidates: &mut Vec<Candidate>, new: Candidate) {
    match candidates.iter_mut().find(|old| old.class_id == new.class_id && old.bbox.touches(&new.bbox)) {
        Some(old) => old.bbox = old.bbox.union(&new.bbox),
        None => candidates.push(new),
    }
}
