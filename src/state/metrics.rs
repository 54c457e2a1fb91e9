//! What is counted and measured of every scene.

use crate::{
    camera::CameraName,
    scene::{Scene, Timings},
};
use detector::StageTimings;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, histogram::Histogram},
    registry::{Registry, Unit},
};
use std::{sync::Arc, time::Duration};

/// Upper bounds of the buckets, in seconds: a fast CPU's stage takes a millisecond, a large network on a board without
/// its GPU several seconds.
const BUCKETS: [f64; 14] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Counters and histograms, kept from the start of the process.
#[derive(Debug)]
pub struct PipelineMetrics {
    stages: Family<StageLabel, Histogram, fn() -> Histogram>,
    capture_to_publish: Histogram,
    detections: Family<ClassLabel, Counter>,
    scenes: Family<CameraLabel, Counter>,
    failures: Family<CameraLabel, Counter>,
    /// Messages that subscribers were too slow for.
    pub messages_lost: Counter,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StageLabel {
    stage: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ClassLabel {
    label: Arc<str>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CameraLabel {
    camera: String,
}

impl From<&CameraName> for CameraLabel {
    fn from(camera: &CameraName) -> Self {
        Self { camera: camera.to_string() }
    }
}

/// A histogram of durations from half a millisecond to ten seconds.
pub fn seconds() -> Histogram {
    Histogram::new(BUCKETS)
}

impl Default for PipelineMetrics {
    fn default() -> Self {
        Self {
            stages: Family::new_with_constructor(seconds),
            capture_to_publish: seconds(),
            detections: Family::default(),
            scenes: Family::default(),
            failures: Family::default(),
            messages_lost: Counter::default(),
        }
    }
}

impl PipelineMetrics {
    /// Counts a scene that is being published.
    pub(super) fn scene(&self, scene: &Scene) {
        let Timings { capture, wait, stages: StageTimings { preprocess, infer, decode } } = scene.timings;
        for (stage, took) in
            [("capture", capture), ("wait", wait), ("preprocess", preprocess), ("infer", infer), ("decode", decode)]
        {
            // A frame in which nothing moved goes past most stages.
            if !took.is_zero() {
                self.stages.get_or_create(&StageLabel { stage }).observe(took.as_secs_f64());
            }
        }
        let age: Duration = scene.published.saturating_duration_since(scene.stamp.captured);
        self.capture_to_publish.observe(age.as_secs_f64());
        self.scenes.get_or_create(&(&scene.camera).into()).inc();
        for found in &scene.detections {
            self.detections.get_or_create(&ClassLabel { label: found.label.clone() }).inc();
        }
    }

    /// Counts a frame of `camera` on which the network failed.
    pub fn failed(&self, camera: &CameraName) {
        self.failures.get_or_create(&camera.into()).inc();
    }

    /// How many frames of `camera` the network has failed on.
    pub fn failures(&self, camera: &CameraName) -> u64 {
        self.failures.get_or_create(&camera.into()).get()
    }

    /// Shows everything in `registry`.
    pub fn register(&self, registry: &mut Registry) {
        let stages = "Time that one frame spent in a stage";
        registry.register_with_unit("stage_duration", stages, Unit::Seconds, self.stages.clone());
        let whole = "Time from the capture of a frame to the publication of its scene";
        registry.register_with_unit("capture_to_publish", whole, Unit::Seconds, self.capture_to_publish.clone());
        registry.register("scenes", "Scenes published: frames that were processed", self.scenes.clone());
        registry.register("detections", "Objects found, one for each frame that shows it", self.detections.clone());
        let lost = "Scenes and frames of video that clients were too slow for";
        registry.register("stream_messages_lost", lost, self.messages_lost.clone());
    }
}
