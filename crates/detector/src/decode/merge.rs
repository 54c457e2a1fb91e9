//! Merging of boxes, as jetson-inference's detectNet does it instead of suppression.

use super::outputs::Candidate;

/// The share of the larger box that both must cover (jetson-inference's default clustering threshold).
const SHARE: f32 = 0.75;

/// Goes through `candidates` in its order: a box is merged into the first earlier one of its class with which it shares
/// more than [`SHARE`] of the larger of both areas. The merged box covers both, its score is the larger.
pub fn merge(candidates: &mut Vec<Candidate>) {
    let mut kept = 0;
    for i in 0..candidates.len() {
        let new = candidates[i];
        let overlaps = |old: &Candidate| {
            let larger = old.bbox.area().max(new.bbox.area());
            old.class_id == new.class_id && old.bbox.intersection(&new.bbox) / larger > SHARE
        };
        match candidates[..kept].iter_mut().find(|old| overlaps(old)) {
            Some(old) => {
                old.bbox = old.bbox.union(&new.bbox);
                old.score = old.score.max(new.score);
            }
            None => {
                candidates[kept] = new;
                kept += 1;
            }
        }
    }
    candidates.truncate(kept);
}
