//! A camera's states, as a state machine without threads and clocks.
//!
//! ```text
//!              first frame              no frame, or the same pixels, for too long
//!  ┌─────────▶ STARTING ──────▶ RUNNING ───────────────────────────────▶ STALLED ─┐
//!  │              │                │                                              │ the pipeline is taken down
//!  │              │ no answer,     │ error, or end of a camera's stream           │ (if that hangs, it is left behind)
//!  │              │ no frame       │                                              │
//!  │              ▼                ▼                                              ▼
//!  │           ┌───────────────────────────────────────────────────────────────────┐  can never work  ┌────────┐
//!  └───────────┤ RETRYING  0.5 s, 1 s, 2 s, 3 s, 3 s, ... (refused password: 30 s) ├─────────────────▶│ FAILED │
//!   time over  └─────────────────────────────────┬─────────────────────────────────┘                  └────────┘
//!                                                │ Argus is stuck, or too many pipelines hang
//!                                                ▼
//!                                              STUCK: only a new process helps
//!
//!  RUNNING ── the file ends ──▶ ENDED
//! ```
//!
//! What can never work is known by its never having worked: once a frame has come, every fault may pass, as when a
//! looping file is written anew. A file that plays once is not begun again.
//!
//! Only [`CameraStateMachine::on`] changes the state. It answers with the [`Action`] to take, and is told of its outcome.

mod rules;
#[cfg(test)]
mod tests;

pub(super) use rules::{Driver, Ending, Limits};

use super::{
    error::{Fault, RetryPolicy},
    progress::FrameTimes,
};
use crate::camera::CameraState;
use rules::{ATTEMPTS, INTERVALS, LEFT_BEHIND, MAX_STALL};
use std::{
    mem,
    time::{Duration, Instant},
};

/// What the state machine is told.
#[derive(Clone, Debug)]
pub(super) enum Input {
    /// The camera has answered.
    Contact,
    /// The first frame of this run is out.
    FirstFrame,
    /// The stream has ended.
    EndOfStream,
    /// The run cannot go on.
    Fault(Fault),
    /// The pipeline is taken down.
    Closed,
    /// Time has passed.
    Tick(FrameTimes),
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Start a run.
    Open,
    /// Begin the file again.
    Rewind,
    /// Take the pipeline down.
    Close,
    /// Forget a pipeline whose taking down hangs; its thread is lost.
    Abandon,
    /// Ask for what only a new process, or a restart of Argus' daemon, brings.
    GiveUp,
}

/// A camera's state, and what it needs to go on from it.
#[derive(Debug)]
pub(super) struct CameraStateMachine {
    limits: Limits,
    ending: Ending,
    driver: Driver,
    /// A factor for pauses, around 1, so that many cameras do not come back at the same moment.
    jitter: fn() -> f64,
    phase: Phase,
    /// Attempts in vain since the last frame, and when the first of them began.
    failures: u32,
    dark_since: Instant,
    /// Pipelines that hung when they were to come down, in the life of the process.
    left_behind: u32,
    restarts: u64,
    recoveries: u64,
    /// Whether no frame has come since the last fault.
    in_fault: bool,
    /// Whether a frame has ever come: what has worked once can work again.
    has_run: bool,
    last_error: Option<String>,
    /// How long the stream may be silent, as far as it has shown; and whether this run has gone on after a frame.
    learned_stall: Duration,
    has_gone_on: bool,
}

#[derive(Clone, Debug, PartialEq)]
enum Phase {
    Starting { since: Instant, contact: bool },
    Running { since: Instant },
    Closing { by: Instant, shown: CameraState, then: Then },
    Pausing { until: Instant },
    Ended,
    Failed,
    Stuck,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    Pause(Duration),
    End,
    Fail,
}

impl CameraStateMachine {
    /// A camera whose first run begins at `now`; [`Action::Open`] is to be taken for it.
    pub fn new(limits: Limits, ending: Ending, driver: Driver, jitter: fn() -> f64, now: Instant) -> Self {
        Self {
            limits,
            ending,
            driver,
            jitter,
            phase: Phase::Starting { since: now, contact: false },
            failures: 0,
            dark_since: now,
            left_behind: 0,
            restarts: 0,
            recoveries: 0,
            in_fault: false,
            has_run: false,
            last_error: None,
            learned_stall: Duration::ZERO,
            has_gone_on: false,
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
            Phase::Stuck => CameraState::Stuck,
        }
    }

    /// How often the pipeline was built anew after a fault.
    pub fn restarts(&self) -> u64 {
        self.restarts
    }

    /// How often frames came again after a fault.
    pub fn recoveries(&self) -> u64 {
        self.recoveries
    }

    /// The time without a frame after which the camera counts as lost: at least what the configuration says, more for a
    /// stream whose frames are far apart.
    pub fn stall_limit(&self) -> Duration {
        self.limits.stall.max(self.learned_stall)
    }

    /// Whether a pipeline is being taken down.
    pub fn is_closing(&self) -> bool {
        matches!(self.phase, Phase::Closing { .. })
    }

    /// The last fault in words.
    pub fn last_error(&self) -> Option<&str> {
        self.last_error.as_deref()
    }

    /// Takes `input` at `now`, and says what is to be done.
    pub fn on(&mut self, input: Input, now: Instant) -> Option<Action> {
        match (input, &self.phase) {
            (Input::Contact, Phase::Starting { since, .. }) => {
                self.phase = Phase::Starting { since: *since, contact: true };
                None
            }
            (Input::FirstFrame, Phase::Starting { .. }) => {
                self.phase = Phase::Running { since: now };
                self.has_gone_on = false;
                self.failures = 0;
                self.has_run = true;
                self.recoveries += u64::from(mem::take(&mut self.in_fault));
                None
            }
            (Input::EndOfStream, Phase::Starting { .. } | Phase::Running { .. }) => self.ended(now),
            (Input::Fault(fault), Phase::Starting { .. } | Phase::Running { .. }) => {
                self.fault(&fault, CameraState::Retrying, now)
            }
            (Input::Closed, Phase::Closing { then, .. }) => self.after(*then, now),
            (Input::Tick(seen), _) => self.tick(seen, now),
            _ => None,
        }
    }

    fn tick(&mut self, seen: FrameTimes, now: Instant) -> Option<Action> {
        let limits = self.limits;
        match self.phase {
            Phase::Starting { since, contact: false } if limits.contact.is_some_and(|limit| now >= since + limit) => {
                let limit = limits.contact.unwrap_or_default();
                let text = format!("the camera does not answer within {limit:?} (network.connect_timeout_ms)");
                self.stalled(&text, now)
            }
            Phase::Starting { since, .. } | Phase::Running { since } if limits.waits_for_key(&seen, since, now) => None,
            Phase::Starting { since, .. } if now >= since + limits.first_frame => {
                self.stalled(&format!("no frame came within {:?}{}", limits.first_frame, limits.no_frame_hint), now)
            }
            Phase::Running { since } => {
                let last = seen.last.unwrap_or(since).max(since);
                let same = last.saturating_duration_since(seen.changed.unwrap_or(since).max(since));
                self.dark_since = last;
                self.learn(seen);
                let stall = self.stall_limit();
                if now >= last + stall {
                    if !self.has_gone_on {
                        self.learned_stall = (stall * 2).min(MAX_STALL);
                    }
                    self.stalled(&format!("no frame came for {stall:?} (timeouts.stall_ms raises this limit)"), now)
                } else if let Some(limit) = limits.frozen.filter(|limit| same >= *limit) {
                    self.stalled(&format!("the picture has not changed by one pixel for {limit:?}"), now)
                } else {
                    None
                }
            }
            Phase::Closing { by, then, .. } if now >= by => {
                self.left_behind += 1;
                let stuck = self.driver == Driver::PerProcess || self.left_behind >= LEFT_BEHIND;
                if stuck && matches!(then, Then::Pause(_)) {
                    return self.give_up();
                }
                let _ = self.after(then, now);
                Some(Action::Abandon)
            }
            Phase::Pausing { until } if now >= until => {
                self.restarts += 1;
                self.open(now)
            }
            _ => None,
        }
    }

    /// Takes note of how far apart this run's frames are. A stream that stalls after its first frame may just be slow: the
    /// limit doubles with each such run, until a second frame comes.
    fn learn(&mut self, seen: FrameTimes) {
        let limit = |interval: Option<Duration>| (interval.unwrap_or_default() * INTERVALS).min(MAX_STALL);
        if seen.interval.is_some() {
            self.has_gone_on = true;
            self.learned_stall = limit(seen.interval);
        }
        self.learned_stall = self.learned_stall.max(limit(seen.nominal));
    }

    fn stalled(&mut self, text: &str, now: Instant) -> Option<Action> {
        self.fault(&Fault::passing(text), CameraState::Stalled, now)
    }

    fn open(&mut self, now: Instant) -> Option<Action> {
        self.phase = Phase::Starting { since: now, contact: false };
        Some(Action::Open)
    }

    fn give_up(&mut self) -> Option<Action> {
        self.phase = Phase::Stuck;
        Some(Action::GiveUp)
    }

    fn ended(&mut self, now: Instant) -> Option<Action> {
        match self.ending {
            Ending::IsFault => self.fault(&Fault::passing("the stream has ended"), CameraState::Retrying, now),
            Ending::IsFinal if matches!(self.phase, Phase::Running { .. }) => {
                self.close(CameraState::Ended, Then::End, now)
            }
            Ending::Rewinds if matches!(self.phase, Phase::Running { .. }) => Some(Action::Rewind),
            Ending::Rewinds | Ending::IsFinal => {
                self.fault(&Fault::lasting("the file has no video frame"), CameraState::Retrying, now)
            }
        }
    }

    fn fault(&mut self, fault: &Fault, shown: CameraState, now: Instant) -> Option<Action> {
        self.last_error = Some(fault.text.clone());
        self.in_fault = true;
        let may_recover = self.has_run && self.ending != Ending::IsFinal;
        match fault.retry {
            RetryPolicy::Reconfigure if !may_recover => self.close(CameraState::Failed, Then::Fail, now),
            RetryPolicy::RetrySeldom => self.close(shown, Then::Pause(self.limits.refused_pause), now),
            RetryPolicy::Reconfigure | RetryPolicy::Retry => {
                let doubled = self.limits.min_backoff * 2u32.saturating_pow(self.failures.min(16));
                self.failures = self.failures.saturating_add(1);
                let pause = doubled.mul_f64((self.jitter)()).min(self.limits.max_backoff);
                self.close(shown, Then::Pause(pause), now)
            }
        }
    }

    fn close(&mut self, shown: CameraState, then: Then, now: Instant) -> Option<Action> {
        self.phase = Phase::Closing { by: now + self.limits.close, shown, then };
        Some(Action::Close)
    }

    /// Goes on when a pipeline is down, or left behind.
    fn after(&mut self, then: Then, now: Instant) -> Option<Action> {
        let dark = now.saturating_duration_since(self.dark_since);
        self.phase = match then {
            Then::Pause(_)
                if self.driver == Driver::PerProcess && self.failures >= ATTEMPTS && dark >= self.limits.stuck =>
            {
                return self.give_up();
            }
            Then::Pause(pause) => Phase::Pausing { until: now + pause },
            Then::End => Phase::Ended,
            Then::Fail => Phase::Failed,
        };
        None
    }
}
