//! How one model takes the place of another while the loop runs: between two frames, together with the thresholds
//! for its classes.
//!
//! ```text
//!  another thread                        the loop
//!  opens and warms up the new detector
//!  swap ──detector, thresholds────────▶ between two frames: replaces detector and thresholds
//!  frees the old detector ◀──old────────
//! ```

use super::thresholds::AllThresholds;
use detector::{Detector, geometry::Size};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// A detector that is to take over, and where the answer goes: the old detector, or why it stays.
pub(super) struct SwapRequest {
    pub detector: Detector,
    pub thresholds: AllThresholds,
    pub answer: SyncSender<Result<Detector, SwapError>>,
}

/// Why the old detector stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SwapError {
    /// The cameras deliver pixels of the old detector's size.
    #[error("the new model sees {new} pixels, the running cameras deliver {running}: restart sightd with it")]
    OtherSize {
        /// The running detector's input.
        running: Size,
        /// The new detector's input.
        new: Size,
    },
    /// The loop has ended.
    #[error("the inference loop has ended")]
    Ended,
}

/// The way into the running loop. May be cloned and kept anywhere.
#[derive(Clone)]
pub struct ModelSwap {
    requests: SyncSender<SwapRequest>,
}

impl ModelSwap {
    /// Puts `detector` in the place of the running one and waits until that has happened, which takes as long as a
    /// frame, or a second while no frames come. The old detector is freed here, so that the loop need not wait for it.
    ///
    /// # Errors
    /// When the old detector stays; `detector` is then freed.
    pub fn swap(&self, detector: Detector, thresholds: AllThresholds) -> Result<(), SwapError> {
        let (answer, answered) = sync_channel(1);
        let ended = |_| SwapError::Ended;
        self.requests.send(SwapRequest { detector, thresholds, answer }).map_err(|_| SwapError::Ended)?;
        answered.recv().map_err(ended)?.map(drop)
    }
}

/// The loop's end of the way.
pub(super) struct SwapReceiver {
    sender: SyncSender<SwapRequest>,
    receiver: Receiver<SwapRequest>,
}

impl Default for SwapReceiver {
    fn default() -> Self {
        let (sender, receiver) = sync_channel(1);
        Self { sender, receiver }
    }
}

impl SwapReceiver {
    /// The request that waits, if there is one.
    pub(super) fn pending(&self) -> Option<SwapRequest> {
        self.receiver.try_recv().ok()
    }

    pub(super) fn model_swap(&self) -> ModelSwap {
        ModelSwap { requests: self.sender.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        camera::{CameraName, CameraStatus},
        channels::latest_frames::LatestFrames,
        frame::{Frame, Motion, Stamp},
        pipeline::{Stages, run},
        state::{DaemonState, PublishedScene},
    };
    use arc_swap::ArcSwap;
    use bytes::Bytes;
    use detector::{
        decode::{Fraction, Thresholds},
        infer::replay::{Prepared, Replay},
        manifest::{Activation, Anchors, Channels, Decode, Input, Interpolated, Manifest},
        pixels::Pixels,
    };
    use std::{collections::BTreeMap, sync::Arc, thread, time::Instant};

    /// A detector with a single anchor and one class.
    fn manifest(name: &str, side: u32) -> Manifest {
        let anchors = Anchors {
            layers: vec![[1, 1]],
            min_scale: 0.5,
            max_scale: 0.9,
            ratios: vec![1.0],
            reduce_lowest_layer: false,
            interpolated: Interpolated::None,
        };
        Manifest {
            name: name.into(),
            sha256: None,
            licence: None,
            source: None,
            labels: vec!["background".into(), "thing".into()],
            input: Input {
                name: "image".into(),
                width: side,
                height: side,
                channels: Channels::Rgb,
                scale: 1.0,
                offset: [0.0; 3],
            },
            decode: Decode::Ssd {
                boxes: "boxes".into(),
                logits: "logits".into(),
                activation: Activation::Sigmoid,
                scales: [10.0, 10.0, 5.0, 5.0],
                anchors,
            },
        }
    }

    fn engine(manifest: &Manifest) -> Box<Replay> {
        let output = |name: &str, shape: [usize; 3]| Prepared {
            name: name.into(),
            shape: shape.into(),
            data: vec![0.0; shape.iter().product()],
        };
        let outputs = vec![output("boxes", [1, 1, 4]), output("logits", [1, 1, 2])];
        Box::new(Replay::new(&manifest.name, manifest.input.len(), vec![Ok(outputs)]))
    }

    fn detector(manifest: &Manifest) -> Detector {
        Detector::new(engine(manifest), manifest).unwrap()
    }

    fn frame(seq: u64, side: u32) -> Frame {
        let size = Size::new(side, side);
        let now = Instant::now();
        let stamp = Stamp { seq, captured_at: jiff::Timestamp::UNIX_EPOCH, captured: now };
        let data = Bytes::from(vec![0; (side * side * 4) as usize]);
        let pixels = Pixels { size, stride_bytes: side as usize * 4, data };
        Frame { stamp, source_size: size, pixels, motion: Motion::Unmeasured, is_damaged: false, arrived: now }
    }

    fn thresholds(camera: &CameraName, score: f32) -> AllThresholds {
        let fraction = |value: f32| Fraction::try_from(value).unwrap();
        let stills = Thresholds::uniform(fraction(score), 2, fraction(0.6), 10);
        AllThresholds { cameras: BTreeMap::from([(camera.clone(), stills.clone())]), stills }
    }

    #[test]
    fn a_new_model_takes_over_between_two_frames_with_its_thresholds() {
        let camera: CameraName = "front".parse().unwrap();
        let (mut latest_frames, frames_handle) = LatestFrames::new();
        let sender = frames_handle.open(&camera);
        let state = Arc::new(DaemonState::default());
        state.cameras.add(&camera, CameraStatus::new("test://".into()));
        let mut scenes = state.scenes.subscribe();
        let mut next = |seq: u64| -> Arc<PublishedScene> {
            sender.put(frame(seq, 4));
            scenes.blocking_recv().unwrap()
        };
        let old = manifest("old", 4);
        let mut stages = Stages::new(engine(&old), &old).unwrap();
        let model_swap = stages.model_swap();
        // A score is 0.5 here: the old thresholds let it through, the new ones do not.
        let limits = Arc::new(ArcSwap::from_pointee(thresholds(&camera, 0.4)));
        let the_loop = thread::spawn({
            let (state, limits) = (state.clone(), limits.clone());
            move || run(&mut latest_frames, &mut stages, &limits, &state)
        });

        let seen = |scene: &PublishedScene| (scene.scene.model.to_string(), scene.scene.detections.len());
        assert_eq!(seen(&next(1)), ("old".into(), 1));
        let refused = model_swap.swap(detector(&manifest("large", 8)), thresholds(&camera, 0.9));
        assert_eq!(refused, Err(SwapError::OtherSize { running: Size::new(4, 4), new: Size::new(8, 8) }));
        assert_eq!(seen(&next(2)), ("old".into(), 1));
        assert_eq!(model_swap.swap(detector(&manifest("new", 4)), thresholds(&camera, 0.6)), Ok(()));
        assert_eq!(seen(&next(3)), ("new".into(), 0));

        frames_handle.close();
        the_loop.join().unwrap().unwrap();
        let late = model_swap.swap(detector(&manifest("late", 4)), thresholds(&camera, 0.6));
        assert_eq!(late, Err(SwapError::Ended));
    }

    #[test]
    fn a_still_frame_goes_past_the_network_until_another_takes_over() {
        let camera: CameraName = "front".parse().unwrap();
        let manifest = manifest("m", 4);
        let output = |name: &str, data: Vec<f32>| Prepared { name: name.into(), shape: vec![1, 1, data.len()], data };
        // One run in two finds something: a run that is left out shows.
        let found = vec![output("boxes", vec![0.0; 4]), output("logits", vec![0.0; 2])];
        let nothing = vec![output("boxes", vec![0.0; 4]), output("logits", vec![-9.0; 2])];
        let engine = Box::new(Replay::new("m", manifest.input.len(), vec![Ok(found), Ok(nothing)]));
        let mut stages = Stages::new(engine, &manifest).unwrap();
        let limits = Arc::new(thresholds(&camera, 0.4));
        stages.follow(&limits);
        let look = |stages: &mut Stages, motion| {
            let scene =
                stages.process(camera.clone(), &Frame { motion, ..frame(1, 4) }, &limits.cameras[&camera]).unwrap();
            assert_eq!(scene.motion, motion);
            scene.detections.len()
        };
        assert_eq!(look(&mut stages, Motion::Moving), 1);
        assert_eq!([Motion::Still; 3].map(|motion| look(&mut stages, motion)), [1, 1, 1]);
        assert_eq!(look(&mut stages, Motion::Moving), 0);
        assert_eq!(look(&mut stages, Motion::Still), 0);
        stages.follow(&Arc::new(thresholds(&camera, 0.3)));
        assert_eq!(
            look(&mut stages, Motion::Still),
            1,
            "other thresholds: what was found under the old ones no longer holds"
        );
    }
}
