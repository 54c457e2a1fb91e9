//! What was last found where something moved: it still holds while nothing does.

use crate::camera::CameraName;
use detector::detection::Detection;
use std::collections::BTreeMap;

/// The last detections of each camera that has a motion gate.
#[derive(Debug, Default)]
pub(super) struct Memory {
    found: BTreeMap<CameraName, Vec<Detection>>,
}

impl Memory {
    /// Keeps what was found.
    pub(super) fn keep(&mut self, camera: &CameraName, found: &[Detection]) {
        let kept = self.found.entry(camera.clone()).or_default();
        kept.clear();
        kept.extend_from_slice(found);
    }

    /// What was kept last; nothing if nothing was, since the network last changed.
    pub(super) fn recall(&self, camera: &CameraName) -> Option<Vec<Detection>> {
        self.found.get(camera).cloned()
    }

    /// Forgets all: another network may find something else.
    pub(super) fn forget(&mut self) {
        self.found.clear();
    }
}
