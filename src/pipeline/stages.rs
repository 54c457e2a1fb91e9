//! From a frame, or a single picture, to its detections.

use super::{
    model_swap::{ModelSwap, SwapError, SwapReceiver, SwapRequest},
    thresholds::{AllThresholds, LiveThresholds},
};
use crate::{
    camera::CameraName,
    channels::still::{DetectResult, Still},
    frame::{Frame, Motion},
    scene::{Scene, Timings},
};
use detector::{
    Detector, DetectorError,
    decode::{DecodeError, Thresholds},
    detection::Detection,
    geometry::Size,
    infer::Engine,
    manifest::Manifest,
};
use std::{collections::BTreeMap, mem, sync::Arc, time::Instant};

/// What the pipeline keeps of one camera from frame to frame; there as long as the camera, and its thresholds, are.
#[derive(Debug, Default)]
struct CameraPipelineState {
    /// What was last found where something moved: it still holds while nothing does.
    last_detections: Option<Vec<Detection>>,
}

/// The stages from a frame to its scene, with the buffers they reuse from frame to frame.
pub struct Stages {
    detector: Detector,
    detections: Vec<Detection>,
    cameras: BTreeMap<CameraName, CameraPipelineState>,
    /// Those that `cameras` were last brought in line with.
    thresholds: Option<Arc<AllThresholds>>,
    swap_requests: SwapReceiver,
}

impl Stages {
    /// The stages for `engine`, which runs the model that `manifest` describes.
    ///
    /// # Errors
    /// When the manifest's decoder cannot be built.
    pub fn new(engine: Box<dyn Engine>, manifest: &Manifest) -> Result<Self, DecodeError> {
        Ok(Self {
            detector: Detector::new(engine, manifest)?,
            detections: Vec::new(),
            cameras: BTreeMap::new(),
            thresholds: None,
            swap_requests: SwapReceiver::default(),
        })
    }

    /// Through which another network takes the place of this one while the loop runs.
    pub fn model_swap(&self) -> ModelSwap {
        self.swap_requests.model_swap()
    }

    /// Drops what is kept of cameras that are gone, or whose thresholds have changed.
    pub(super) fn follow(&mut self, thresholds: &Arc<AllThresholds>) {
        if self.thresholds.as_ref().is_some_and(|known| Arc::ptr_eq(known, thresholds)) {
            return;
        }
        if let Some(old) = self.thresholds.replace(thresholds.clone()) {
            let unchanged = |camera: &CameraName| {
                let new = thresholds.cameras.get(camera);
                new.is_some() && new == old.cameras.get(camera)
            };
            self.cameras.retain(|camera, _| unchanged(camera));
        }
    }

    /// Takes one frame of `camera` through all stages; a frame in which nothing moved goes past the network.
    ///
    /// # Errors
    /// When the frame has not the model's size, the network fails, or its output has not the form the manifest says.
    pub fn process(
        &mut self,
        camera: CameraName,
        frame: &Frame,
        thresholds: &Thresholds,
    ) -> Result<Scene, DetectorError> {
        let taken = Instant::now();
        if frame.motion == Motion::Still
            && let Some(detections) = self.cameras.get(&camera).and_then(|state| state.last_detections.clone())
        {
            let timings = Timings { wait: taken - frame.arrived, ..Timings::default() };
            return Ok(self.scene(camera, frame, timings, detections));
        }
        let stages = self.detector.detect(&frame.pixels, thresholds, &mut self.detections)?;
        let timings = Timings { wait: taken - frame.arrived, stages, ..Timings::default() };
        if frame.motion != Motion::Unmeasured {
            let state = self.cameras.entry(camera.clone()).or_default();
            state.last_detections.get_or_insert_default().clone_from(&self.detections);
        }
        Ok(self.scene(camera, frame, timings, self.detections.clone()))
    }

    /// Takes a single picture through all stages and answers who waits for it; nothing is done when nobody does any
    /// more.
    ///
    /// # Errors
    /// When the network fails, or its output has not the form the manifest says. The one who waits then gets nothing.
    pub fn answer(&mut self, still: Still, thresholds: &Thresholds) -> Result<(), DetectorError> {
        let taken = Instant::now();
        let Still { picture, score, decoding, arrived, answer } = still;
        if answer.is_closed() {
            return Ok(());
        }
        let lowered = score.map(|score| thresholds.at(score));
        let thresholds = lowered.as_ref().unwrap_or(thresholds);
        let stages = self.detector.detect_still(&picture, thresholds, &mut self.detections)?;
        let seen = DetectResult {
            size: Size::new(picture.width(), picture.height()),
            decoding,
            timings: Timings { wait: taken - arrived, stages, ..Timings::default() },
            provider: self.detector.provider().clone(),
            model: self.detector.info().model.clone(),
            detections: self.detections.clone(),
        };
        let _ = answer.send(seen); // an error means that the caller has gone
        Ok(())
    }

    /// Puts a new detector in place of the running one, if one waits. Costs next to nothing when none does.
    pub(super) fn apply_pending(&mut self, thresholds: &LiveThresholds) {
        let Some(request) = self.swap_requests.pending() else { return };
        let SwapRequest { detector, thresholds: new_thresholds, answer } = request;
        let (running, new) = (self.detector.input().size(), detector.input().size());
        let outcome = if running == new {
            thresholds.store(Arc::new(new_thresholds));
            tracing::info!(from = %self.detector.info().model, to = %detector.info().model, "the model changes");
            self.cameras.clear();
            Ok(mem::replace(&mut self.detector, detector))
        } else {
            Err(SwapError::OtherSize { running, new })
        };
        // An error means that nobody waits for the answer any more; then the detector is freed here.
        let _ = answer.send(outcome);
    }

    fn scene(&self, camera: CameraName, frame: &Frame, timings: Timings, detections: Vec<Detection>) -> Scene {
        let capture = frame.arrived.saturating_duration_since(frame.stamp.captured);
        Scene {
            camera,
            stamp: frame.stamp,
            frame_size: frame.source_size,
            published: Instant::now(),
            timings: Timings { capture, ..timings },
            provider: self.detector.provider().clone(),
            model: self.detector.info().model.clone(),
            detections,
            motion: frame.motion,
            is_damaged: frame.is_damaged,
            notes: Vec::new(),
        }
    }
}
