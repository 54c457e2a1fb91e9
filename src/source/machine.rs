//! The life of a camera, as a state machine without threads and clocks.
//!
//! ```text
//!              first frame                no frame for a while
//!  ┌─────────▶ STARTING ──────▶ RUNNING ─────────────────────▶ STALLED ─┐
//!  │              │                │                                    │ pipeline is taken down
//!  │              │ no frame       │ error, end of a live stream        │ (late: STUCK, or left behind)
//!  │              ▼                ▼                                    ▼
//!  │           ┌───────────────────────────────────────────────────────────┐   can never work   ┌────────┐
//!  └───────────┤ RETRYING  0.5 s, 1 s, 2 s, 3 s, 3 s, ... (password: 30 s) ├───────────────────▶│ FAILED │
//!   time over  └───────────────────────────────────────────────────────────┘                    └────────┘
//!
//!  RUNNING ── the file ends ──▶ ENDED          any ── disable ──▶ DISABLED ── enable ──▶ STARTING
//! ```
//!
//! Only [`Machine::on`] changes the state. It answers with the [`Step`] to take, and is told of its outcome.

use super::{
    error::{Cure, Fault},
    uri::{AtEnd, SourceUri},
    watch::Seen,
};
use crate::camera::CameraState;
use std::time::{Duration, Instant};

/// How long each thing may take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Limits {
    /// From the start of an attempt to its first frame.
    pub first_frame: Duration,
    /// From one frame to the next.
    pub stall: Duration,
    /// For taking a pipeline down.
    pub close: Duration,
    /// The first pause after a fault; it doubles with each attempt in vain.
    pub shortest_pause: Duration,
    /// The longest pause after a fault.
    pub longest_pause: Duration,
    /// The pause after a refused password.
    pub refused_pause: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            first_frame: Duration::from_secs(10),
            stall: Duration::from_secs(3),
            close: Duration::from_secs(3),
            shortest_pause: Duration::from_millis(500),
            longest_pause: Duration::from_secs(3),
            refused_pause: Duration::from_secs(30),
        }
    }
}

/// What a source does when its stream ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// It is a camera: that is a fault.
    IsFault,
    /// It begins again.
    Rewinds,
    /// It is over.
    IsFinal,
}

impl Ending {
    /// What the end of `uri`'s stream means.
    pub fn of(uri: &SourceUri) -> Self {
        match uri {
            SourceUri::File { end: AtEnd::Loop, .. } => Self::Rewinds,
            SourceUri::File { .. } | SourceUri::Images { .. } => Self::IsFinal,
            _ => Self::IsFault,
        }
    }
}

/// What the machine is told.
#[derive(Clone, Debug)]
pub(super) enum Input {
    /// The first frame of this attempt is out.
    FirstFrame,
    /// The stream has ended.
    EndOfStream,
    /// The attempt can not go on.
    Fault(Fault),
    /// The pipeline is taken down.
    Closed,
    /// The owner wants the camera on.
    Enable,
    /// The owner wants the camera off.
    Disable,
    /// Time has passed.
    Tick(Seen),
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Begin an attempt.
    Open,
    /// Begin the file again.
    Rewind,
    /// Take the pipeline down.
    Close,
    /// Forget a pipeline whose taking down hangs; its thread is lost.
    Abandon,
}

/// A camera's state, and what it needs to go on from it.
#[derive(Debug)]
pub(super) struct Machine {
    limits: Limits,
    ending: Ending,
    /// A factor for pauses, around 1, so that many cameras do not come back at the same moment.
    jitter: fn() -> f64,
    phase: Phase,
    /// Attempts in vain since the last frame.
    failures: u32,
    /// Frames of this attempt at the last rewinding.
    frames_before_rewind: Option<u64>,
    frames: u64,
    restarts: u64,
    last_error: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
enum Phase {
    Starting { since: Instant },
    Running { since: Instant },
    Closing { by: Instant, shown: CameraState, then: Then },
    Pausing { until: Instant },
    Ended,
    Failed,
    Disabled,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    Pause(Duration),
    End,
    Fail,
    Disable,
}

impl Machine {
    /// A camera whose first attempt begins at `now`; [`Step::Open`] is to be taken for it.
    pub fn new(limits: Limits, ending: Ending, jitter: fn() -> f64, now: Instant) -> Self {
        Self {
            limits,
            ending,
            jitter,
            phase: Phase::Starting { since: now },
            failures: 0,
            frames_before_rewind: None,
            frames: 0,
            restarts: 0,
            last_error: None,
        }
    }

    /// The state as the API shows it.
    pub fn state(&self) -> CameraState {
        match self.phase {
            Phase::Starting { .. } => CameraState::Starting,
            Phase::Running { .. } => CameraState::Running,
            Phase::Closing { shown, .. } => shown,
            Phase::Pausing { .. } => CameraState::Retrying,
            Phase::Ended => CameraState::Ended,
            Phase::Failed => CameraState::Failed,
            Phase::Disabled => CameraState::Disabled,
        }
    }

    /// How often the pipeline was built anew after a fault.
    pub fn restarts(&self) -> u64 {
        self.restarts
    }

    /// The last fault in words.
    pub fn last_error(&self) -> Option<&str> {
        self.last_error.as_deref()
    }

    /// Takes `input` at `now`, and says what is to be done.
    pub fn on(&mut self, input: Input, now: Instant) -> Option<Step> {
        match (input, &self.phase) {
            (Input::Enable, Phase::Disabled | Phase::Ended | Phase::Failed) => self.open(now),
            (Input::Disable, Phase::Starting { .. } | Phase::Running { .. }) => {
                self.close(CameraState::Disabled, Then::Disable, now)
            }
            (Input::Disable, Phase::Closing { by, .. }) => {
                self.phase = Phase::Closing { by: *by, shown: CameraState::Disabled, then: Then::Disable };
                None
            }
            (Input::Disable, _) => {
                self.phase = Phase::Disabled;
                None
            }
            (Input::FirstFrame, Phase::Starting { .. }) => {
                self.phase = Phase::Running { since: now };
                self.failures = 0;
                None
            }
            (Input::EndOfStream, Phase::Starting { .. } | Phase::Running { .. }) => self.ended(now),
            (Input::Fault(fault), Phase::Starting { .. } | Phase::Running { .. }) => {
                self.fault(&fault, CameraState::Retrying, now)
            }
            (Input::Closed, Phase::Closing { then, .. }) => {
                self.phase = self.after(*then, now);
                None
            }
            (Input::Tick(seen), _) => self.tick(seen, now),
            _ => None,
        }
    }

    fn tick(&mut self, seen: Seen, now: Instant) -> Option<Step> {
        self.frames = seen.frames;
        match self.phase {
            Phase::Starting { since } if now >= since + self.limits.first_frame => {
                let fault = Fault::passing(format!("no frame came within {:?}", self.limits.first_frame));
                self.fault(&fault, CameraState::Stalled, now)
            }
            Phase::Running { since } if now >= seen.last.unwrap_or(since).max(since) + self.limits.stall => {
                let fault = Fault::passing(format!("no frame came for {:?}", self.limits.stall));
                self.fault(&fault, CameraState::Stalled, now)
            }
            Phase::Closing { by, then, .. } if now >= by => {
                self.phase = self.after(then, now);
                Some(Step::Abandon)
            }
            Phase::Pausing { until } if now >= until => {
                self.restarts += 1;
                self.open(now)
            }
            _ => None,
        }
    }

    fn open(&mut self, now: Instant) -> Option<Step> {
        self.phase = Phase::Starting { since: now };
        self.frames_before_rewind = None;
        self.frames = 0;
        Some(Step::Open)
    }

    fn ended(&mut self, now: Instant) -> Option<Step> {
        match self.ending {
            Ending::IsFault => self.fault(&Fault::passing("the stream has ended"), CameraState::Retrying, now),
            Ending::IsFinal if matches!(self.phase, Phase::Running { .. }) => {
                self.close(CameraState::Ended, Then::End, now)
            }
            Ending::Rewinds if matches!(self.phase, Phase::Running { .. }) => Some(Step::Rewind),
            Ending::Rewinds | Ending::IsFinal => {
                self.fault(&Fault::lasting("the file has no video frame"), CameraState::Failed, now)
            }
        }
    }

    fn fault(&mut self, fault: &Fault, shown: CameraState, now: Instant) -> Option<Step> {
        self.last_error = Some(fault.text.clone());
        match fault.cure {
            Cure::Reconfigure => self.close(CameraState::Failed, Then::Fail, now),
            Cure::RetrySeldom => self.close(shown, Then::Pause(self.limits.refused_pause), now),
            Cure::Retry => {
                let doubled = self.limits.shortest_pause * 2u32.saturating_pow(self.failures.min(16));
                self.failures = self.failures.saturating_add(1);
                let pause = doubled.mul_f64((self.jitter)()).min(self.limits.longest_pause);
                self.close(shown, Then::Pause(pause), now)
            }
        }
    }

    fn close(&mut self, shown: CameraState, then: Then, now: Instant) -> Option<Step> {
        self.phase = Phase::Closing { by: now + self.limits.close, shown, then };
        Some(Step::Close)
    }

    fn after(&self, then: Then, now: Instant) -> Phase {
        match then {
            Then::Pause(pause) => Phase::Pausing { until: now + pause },
            Then::End => Phase::Ended,
            Then::Fail => Phase::Failed,
            Then::Disable => Phase::Disabled,
        }
    }
}
