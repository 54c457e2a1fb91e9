//! The inference loop: one thread, one network at a time, all cameras in turn.

mod memory;
mod model_swap;

pub use model_swap::{ModelSwap, SwapError};

use crate::{
    camera::CameraName,
    frame::{Frame, Motion},
    latest_frames::{LatestFrames, Next},
    publish::bus::Bus,
    scene::{Scene, Timings},
    still::{DetectResult, Still},
};
use arc_swap::ArcSwap;
use detector::{
    Detector, DetectorError,
    decode::{DecodeError, Thresholds},
    detection::Detection,
    geometry::Size,
    infer::{Engine, Remedy},
    manifest::Manifest,
};
use memory::Memory;
use model_swap::SwapReceiver;
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// How long the loop waits for a frame before it looks whether it is still alone.
const TIMEOUT: Duration = Duration::from_secs(1);

/// After this many failed runs in a row the engine is given up.
const FAILURES_IN_A_ROW: u32 = 10;

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

/// The stages between latest_frames and bus, with the buffers they reuse from frame to frame.
pub struct Stages {
    detector: Detector,
    detections: Vec<Detection>,
    memory: Memory,
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
            memory: Memory::default(),
            swap_requests: SwapReceiver::default(),
        })
    }

    /// Through which another network takes the place of this one while the loop runs.
    pub fn model_swap(&self) -> ModelSwap {
        self.swap_requests.model_swap()
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
            && let Some(found) = self.memory.recall(&camera)
        {
            let timings = Timings { wait: taken - frame.arrived, ..Timings::default() };
            return Ok(self.scene(camera, frame, timings, found));
        }
        let stages = self.detector.detect(&frame.pixels, thresholds, &mut self.detections)?;
        let timings = Timings { wait: taken - frame.arrived, stages, ..Timings::default() };
        if frame.motion != Motion::Unmeasured {
            self.memory.keep(&camera, &self.detections);
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

/// Serves the latest_frames until it closes: the latest frame of each camera in turn becomes a scene on the bus, and single
/// pictures, which have one turn among the cameras, are answered.
///
/// # Errors
/// When the network fails ten times in a row, or once in a way that only a restart of the process can
/// heal; other single failures are logged and cost one frame.
pub fn run(
    latest_frames: &mut LatestFrames,
    stages: &mut Stages,
    thresholds: &LiveThresholds,
    bus: &Bus,
) -> Result<(), DetectorError> {
    let mut failures = 0;
    let mut rate_limiter = RateLimiter::default();
    loop {
        latest_frames.rest(rate_limiter.left(Instant::now(), *bus.limit_fps.borrow()));
        let next = latest_frames.next(TIMEOUT);
        stages.apply_pending(thresholds);
        let (taken, thresholds) = (Instant::now(), thresholds.load());
        let outcome = match next {
            Next::Frame(camera, frame) => {
                let Some(thresholds) = thresholds.cameras.get(&camera) else { continue }; // removed in the meantime
                let scene = stages.process(camera.clone(), &frame, thresholds);
                let scene = scene.inspect_err(|error| {
                    tracing::error!(%camera, seq = frame.stamp.seq, "frame lost: {error}");
                    bus.counts.failed(&camera);
                });
                scene.map(|scene| bus.publish(Scene { notes: bus.notes(), ..scene }))
            }
            Next::Still(still) => {
                let answered = stages.answer(still, &thresholds.stills);
                answered.inspect_err(|error| tracing::error!("a single picture was not looked at: {error}"))
            }
            Next::Idle => continue,
            Next::Closed => return Ok(()),
        };
        rate_limiter.taken = Some(taken);
        match outcome {
            Ok(()) => failures = 0,
            Err(error) => {
                failures += 1;
                if failures == FAILURES_IN_A_ROW || needs_restart(&error) {
                    return Err(error);
                }
            }
        }
    }
}

/// Whether no later frame can fare better in this process.
fn needs_restart(error: &DetectorError) -> bool {
    matches!(error, DetectorError::Infer(error) if error.remedy() == Remedy::Restart)
}

/// Holds the loop back to a frame rate.
#[derive(Debug, Default)]
struct RateLimiter {
    /// When the last frame was taken.
    taken: Option<Instant>,
}

impl RateLimiter {
    /// How long to wait until the next frame may be taken.
    fn left(&self, now: Instant, limit_fps: Option<f32>) -> Duration {
        let (Some(taken), Some(fps)) = (self.taken, limit_fps) else { return Duration::ZERO };
        // A limit of 0 or less would be a wait without end; the governor's least is far above.
        let period = Duration::try_from_secs_f32(1.0 / fps).unwrap_or(Duration::ZERO);
        (taken + period).saturating_duration_since(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pace_is_that_of_the_limit() {
        let now = Instant::now();
        let rate_limiter = RateLimiter { taken: Some(now) };
        assert_eq!(rate_limiter.left(now, None), Duration::ZERO);
        assert_eq!(rate_limiter.left(now, Some(4.0)), Duration::from_millis(250));
        assert_eq!(rate_limiter.left(now + Duration::from_millis(200), Some(4.0)), Duration::from_millis(50));
        assert_eq!(rate_limiter.left(now + Duration::from_secs(1), Some(4.0)), Duration::ZERO);
        assert_eq!(RateLimiter::default().left(now, Some(4.0)), Duration::ZERO);
        assert_eq!(rate_limiter.left(now, Some(0.0)), Duration::ZERO);
    }
}
