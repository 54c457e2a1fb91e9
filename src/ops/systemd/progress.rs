//! Whether the daemon does its work, so that the watchdog may be fed.
//!
//! Every part is either moving (frames come, scenes follow) or in a named state that has a deadline of its own
//! (building an engine, waiting for a camera). A part that is in neither starves the watchdog, and systemd starts the
//! process anew. Pure: time is an argument.

use crate::camera::{CameraName, CameraState};
use detector::status::EnginePhase;
use std::{
    collections::BTreeMap,
    fmt,
    time::{Duration, Instant},
};

/// How long each state may last without a sign of life.
#[derive(Clone, Copy, Debug)]
pub struct Deadlines {
    /// Loading the runtime, building the engine, warming it up.
    pub engine: Duration,
    /// From a captured frame to the next scene of any camera.
    pub scene: Duration,
    /// From the moment when a running camera should have counted as stalled.
    pub frame: Duration,
    /// From one change of state or attempt to the next of a camera that does not run.
    pub camera: Duration,
}

/// What is known of the daemon at one moment.
#[derive(Clone, Debug)]
pub struct View {
    /// How far the engine is.
    pub phase: EnginePhase,
    /// Scenes published since the start, all cameras together.
    pub scenes: u64,
    /// Every camera.
    pub cameras: Vec<CameraView>,
}

/// What is known of one camera at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct CameraView {
    /// Its name.
    pub name: CameraName,
    /// Where it is in its life.
    pub state: CameraState,
    /// Frames captured since the start.
    pub frames: u64,
    /// How often its pipeline was built anew.
    pub restarts: u64,
    /// Frames per second.
    pub fps: f32,
    /// Its last fault.
    pub last_error: Option<String>,
    /// After how long without a frame it counts as stalled.
    pub stall_after: Duration,
}

/// Whether the watchdog may be fed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Everything moves, or is inside its deadline.
    Alive,
    /// This part has not moved within its deadline.
    Stuck(String),
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Alive => f.write_str("alive"),
            Self::Stuck(what) => write!(f, "stuck: {what}"),
        }
    }
}

/// Remembers when each part last moved.
#[derive(Debug)]
pub struct Progress {
    deadlines: Deadlines,
    phase: Option<Moved<std::mem::Discriminant<EnginePhase>>>,
    served: Option<Moved<Served>>,
    cameras: BTreeMap<CameraName, Moved<Marks>>,
}

/// A value, and since when it has been the same.
#[derive(Debug)]
struct Moved<T> {
    value: T,
    since: Instant,
}

/// What changes of a camera while it lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Marks {
    state: CameraState,
    frames: u64,
    restarts: u64,
}

/// Frames that came in and scenes that went out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Served {
    frames: u64,
    scenes: u64,
}

impl<T: PartialEq> Moved<T> {
    /// How long `value` has been the same.
    fn note(slot: &mut Option<Self>, value: T, at: Instant) -> Duration {
        match slot {
            Some(moved) if moved.value == value => at.saturating_duration_since(moved.since),
            _ => {
                *slot = Some(Self { value, since: at });
                Duration::ZERO
            }
        }
    }
}

impl Progress {
    /// Nothing seen yet.
    pub fn new(deadlines: Deadlines) -> Self {
        Self { deadlines, phase: None, served: None, cameras: BTreeMap::new() }
    }

    /// Looks at the daemon; to be called every few seconds.
    pub fn judge(&mut self, at: Instant, view: &View) -> Verdict {
        let engine = self.engine(at, view);
        let cameras = self.cameras(at, view);
        engine.or(cameras).map_or(Verdict::Alive, Verdict::Stuck)
    }

    fn engine(&mut self, at: Instant, view: &View) -> Option<String> {
        let lasted = Moved::note(&mut self.phase, std::mem::discriminant(&view.phase), at);
        match view.phase {
            EnginePhase::Failed { .. } => None, // the process is about to leave, with the reason in its exit code
            EnginePhase::Ready => self.serving(at, view),
            EnginePhase::LoadingRuntime | EnginePhase::Building { .. } | EnginePhase::WarmingUp => {
                self.served = None;
                let what = || format!("the engine has not become ready within {} s", self.deadlines.engine.as_secs());
                (lasted > self.deadlines.engine).then(what)
            }
        }
    }

    /// Scenes must follow frames.
    fn serving(&mut self, at: Instant, view: &View) -> Option<String> {
        let now = Served { frames: view.cameras.iter().map(|camera| camera.frames).sum(), scenes: view.scenes };
        let moved = self.served.get_or_insert(Moved { value: now, since: at });
        if now.scenes != moved.value.scenes || now.frames == moved.value.frames {
            *moved = Moved { value: now, since: at };
            return None;
        }
        let waited = at.saturating_duration_since(moved.since);
        let what = || format!("frames come in, and no scene was published for {} s", waited.as_secs());
        (waited > self.deadlines.scene).then(what)
    }

    fn cameras(&mut self, at: Instant, view: &View) -> Option<String> {
        self.cameras.retain(|name, _| view.cameras.iter().any(|camera| camera.name == *name));
        let deadlines = self.deadlines;
        let mut stuck = None;
        for camera in &view.cameras {
            let marks = Marks { state: camera.state, frames: camera.frames, restarts: camera.restarts };
            let mut slot = self.cameras.remove(&camera.name);
            let lasted = Moved::note(&mut slot, marks, at);
            self.cameras.extend(slot.map(|moved| (camera.name.clone(), moved)));
            let allowed = match camera.state {
                CameraState::Running => camera.stall_after + deadlines.frame,
                CameraState::Starting | CameraState::Stalled | CameraState::Retrying => deadlines.camera,
                // Its end is known, or somebody wanted it.
                _ => continue,
            };
            if lasted > allowed && stuck.is_none() {
                let what = format!("camera {} gave no sign of life for {} s", camera.name, lasted.as_secs());
                stuck = Some(what);
            }
        }
        stuck
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEADLINES: Deadlines = Deadlines {
        engine: Duration::from_secs(1800),
        scene: Duration::from_secs(30),
        frame: Duration::from_secs(60),
        camera: Duration::from_secs(300),
    };

    fn view(phase: EnginePhase, state: CameraState, frames: u64, scenes: u64) -> View {
        let camera = CameraView {
            name: "front".parse().unwrap(),
            state,
            frames,
            restarts: 0,
            fps: 30.0,
            last_error: None,
            stall_after: Duration::ZERO,
        };
        View { phase, scenes, cameras: vec![camera] }
    }

    /// Judges once a second from second 0; `view` is asked for each second. Gives the first second that was stuck.
    fn first_stuck(seconds: u64, view: impl Fn(u64) -> View) -> Option<(u64, String)> {
        let (mut progress, start) = (Progress::new(DEADLINES), Instant::now());
        (0..seconds).find_map(|second| match progress.judge(start + Duration::from_secs(second), &view(second)) {
            Verdict::Alive => None,
            Verdict::Stuck(what) => Some((second, what)),
        })
    }

    #[test]
    fn frames_that_become_scenes_are_alive() {
        assert_eq!(first_stuck(4000, |s| view(EnginePhase::Ready, CameraState::Running, s * 30, s * 10)), None);
    }

    #[test]
    fn frames_without_scenes_are_stuck() {
        let (second, what) =
            first_stuck(100, |s| view(EnginePhase::Ready, CameraState::Running, s * 30, s.min(10))).unwrap();
        assert_eq!(second, 41);
        assert_eq!(what, "frames come in, and no scene was published for 31 s");
    }

    #[test]
    fn a_running_camera_without_frames_is_stuck() {
        let (second, what) = first_stuck(100, |_| view(EnginePhase::Ready, CameraState::Running, 5, 5)).unwrap();
        assert_eq!((second, what.as_str()), (61, "camera front gave no sign of life for 61 s"));
    }

    #[test]
    fn building_has_its_own_deadline() {
        let building = |_| {
            let phase = EnginePhase::Building { since: Instant::now(), usual: None };
            view(phase, CameraState::Disabled, 0, 0)
        };
        assert_eq!(first_stuck(1801, building), None);
        assert_eq!(first_stuck(1900, building).unwrap().0, 1801);
    }

    #[test]
    fn frames_may_pass_unseen_while_the_engine_is_built() {
        let phase = |s| if s < 100 { EnginePhase::WarmingUp } else { EnginePhase::Ready };
        assert_eq!(first_stuck(125, |s| view(phase(s), CameraState::Running, s * 30, 0)), None);
    }

    #[test]
    fn a_camera_that_is_tried_again_and_again_is_alive() {
        let retrying = |s| {
            let mut view = view(EnginePhase::Ready, CameraState::Retrying, 0, 0);
            view.cameras[0].restarts = s / 200;
            view
        };
        assert_eq!(first_stuck(4000, retrying), None);
        let stopped = |_| view(EnginePhase::Ready, CameraState::Retrying, 0, 0);
        assert_eq!(first_stuck(400, stopped).unwrap().0, 301);
    }

    #[test]
    fn a_camera_of_few_frames_has_its_own_deadline() {
        let rare = |s| {
            let mut view = view(EnginePhase::Ready, CameraState::Running, s / 400, s / 400);
            view.cameras[0].stall_after = Duration::from_secs(400);
            view
        };
        assert_eq!(first_stuck(4000, rare), None);
    }

    #[test]
    fn cameras_that_are_off_or_over_ask_for_nothing() {
        for state in [CameraState::Disabled, CameraState::Failed] {
            assert_eq!(first_stuck(4000, |_| view(EnginePhase::Ready, state, 7, 7)), None, "{state:?}");
        }
    }
}
