//! What counts as a detection, on each camera and on single pictures.

use crate::camera::CameraName;
use arc_swap::ArcSwap;
use detector::decode::Thresholds;
use std::collections::BTreeMap;

/// What counts as a detection.
#[derive(Clone, Debug)]
pub struct AllThresholds {
    /// By camera.
    pub cameras: BTreeMap<CameraName, Thresholds>,
    /// On single pictures.
    pub stills: Thresholds,
}

/// [`AllThresholds`] that may be replaced while the loop runs.
pub type LiveThresholds = ArcSwap<AllThresholds>;
