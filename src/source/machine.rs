//! The life of a camera, as a state machine without threads and clocks.
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
    /// From the start of an attempt to the camera's first answer, for a camera on the network.
    pub contact: Option<Duration>,
    /// From the start of an attempt to its first frame.
    pub first_frame: Duration,
    /// From one frame to the next.
    pub stall: Duration,
    /// With the same pixels again and again.
    pub frozen: Option<Duration>,
    /// For taking a pipeline down.
    pub close: Duration,
    /// The first pause after a fault; it doubles with each attempt in vain.
    pub shortest_pause: Duration,
    /// The longest pause after a fault.
    pub longest_pause: Duration,
    /// The pause after a refused password.
    pub refused_pause: Duration,
    /// Without a frame, for all attempts together, before a camera behind Argus counts as stuck.
    pub stuck: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            contact: None,
            first_frame: Duration::from_secs(10),
            stall: Duration::from_secs(3),
            frozen: None,
            close: Duration::from_secs(3),
            shortest_pause: Duration::from_millis(500),
            longest_pause: Duration::from_secs(3),
            refused_pause: Duration::from_secs(30),
            stuck: Duration::from_secs(60),
        }
    }
}

/// How many pipelines may be left behind before the process must be replaced: each holds threads and memory.
const LEFT_BEHIND: u32 = 3;
/// How many attempts in vain show that it is not just one that went wrong.
const ATTEMPTS: u32 = 5;

/// Whether the driver lives on in this process, so that building the pipeline anew may not help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Driver {
    /// Each pipeline has its own.
    PerPipeline,
    /// One for the whole process, which never recovers once it has lost its daemon: Argus.
    PerProcess,
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
    /// The camera has answered.
    Contact,
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
    /// Ask for what only a new process, or a restart of Argus' daemon, brings.
    GiveUp,
}

/// A camera's state, and what it needs to go on from it.
#[derive(Debug)]
pub(super) struct Machine {
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
    last_error: Option<String>,
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
            Phase::Stuck => CameraState::Stuck,
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
            (Input::Contact, Phase::Starting { since, .. }) => {
                self.phase = Phase::Starting { since: *since, contact: true };
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
            (Input::Closed, Phase::Closing { then, .. }) => self.after(*then, now),
            (Input::Tick(seen), _) => self.tick(seen, now),
            _ => None,
        }
    }

    fn tick(&mut self, seen: Seen, now: Instant) -> Option<Step> {
        let limits = self.limits;
        match self.phase {
            Phase::Starting { since, contact: false } if limits.contact.is_some_and(|limit| now >= since + limit) => {
                self.stalled(&format!("the camera does not answer within {:?}", now - since), now)
            }
            Phase::Starting { since, .. } if now >= since + limits.first_frame => {
                self.stalled(&format!("no frame came within {:?}", limits.first_frame), now)
            }
            Phase::Running { since } => {
                let last = seen.last.unwrap_or(since).max(since);
                let same = last.saturating_duration_since(seen.changed.unwrap_or(since).max(since));
                self.dark_since = last;
                if now >= last + limits.stall {
                    self.stalled(&format!("no frame came for {:?}", limits.stall), now)
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
                Some(Step::Abandon)
            }
            Phase::Pausing { until } if now >= until => {
                self.restarts += 1;
                self.open(now)
            }
            _ => None,
        }
    }

    fn stalled(&mut self, text: &str, now: Instant) -> Option<Step> {
        self.fault(&Fault::passing(text), CameraState::Stalled, now)
    }

    fn open(&mut self, now: Instant) -> Option<Step> {
        self.phase = Phase::Starting { since: now, contact: false };
        Some(Step::Open)
    }

    fn give_up(&mut self) -> Option<Step> {
        self.phase = Phase::Stuck;
        Some(Step::GiveUp)
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

    /// Goes on when a pipeline is down, or left behind.
    fn after(&mut self, then: Then, now: Instant) -> Option<Step> {
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
            Then::Disable => Phase::Disabled,
        };
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine in simulated time, in milliseconds.
    struct Life {
        machine: Machine,
        start: Instant,
        /// When the last frame came, and when its pixels last changed.
        seen: Seen,
    }

    fn limits() -> Limits {
        Limits { contact: Some(Duration::from_secs(2)), frozen: Some(Duration::from_secs(30)), ..Limits::default() }
    }

    impl Life {
        fn new(ending: Ending, driver: Driver) -> Self {
            let start = Instant::now();
            Self { machine: Machine::new(limits(), ending, driver, || 1.0, start), start, seen: Seen::default() }
        }

        fn camera() -> Self {
            Self::new(Ending::IsFault, Driver::PerPipeline)
        }

        fn at(&mut self, ms: u64, input: Input) -> (CameraState, Option<Step>) {
            let step = self.machine.on(input, self.start + Duration::from_millis(ms));
            (self.machine.state(), step)
        }

        fn tick(&mut self, ms: u64) -> (CameraState, Option<Step>) {
            self.at(ms, Input::Tick(self.seen))
        }

        fn frame(&mut self, ms: u64) {
            let at = Some(self.start + Duration::from_millis(ms));
            self.seen = Seen { last: at, changed: at };
        }
    }

    fn passing() -> Input {
        Input::Fault(Fault::passing("broken"))
    }

    #[test]
    fn a_camera_starts_runs_stalls_and_comes_back() {
        let mut life = Life::camera();
        assert_eq!(life.tick(1_999), (CameraState::Starting, None));
        assert_eq!(life.at(1_999, Input::Contact), (CameraState::Starting, None));
        assert_eq!(life.tick(5_000), (CameraState::Starting, None));
        life.frame(5_500);
        assert_eq!(life.at(5_500, Input::FirstFrame), (CameraState::Running, None));
        life.frame(8_000);
        assert_eq!(life.tick(10_999), (CameraState::Running, None));
        assert_eq!(life.tick(11_000), (CameraState::Stalled, Some(Step::Close)));
        assert_eq!(life.machine.last_error(), Some("no frame came for 3s"));
        assert_eq!(life.at(11_100, Input::Closed), (CameraState::Retrying, None));
        assert_eq!(life.tick(11_500), (CameraState::Retrying, None));
        assert_eq!(life.tick(11_600), (CameraState::Starting, Some(Step::Open)));
        assert_eq!(life.machine.restarts(), 1);
    }

    #[test]
    fn no_answer_and_no_frame_end_an_attempt() {
        let mut life = Life::camera();
        assert_eq!(life.tick(2_000), (CameraState::Stalled, Some(Step::Close)));
        let mut life = Life::camera();
        life.at(500, Input::Contact);
        assert_eq!(life.tick(9_999), (CameraState::Starting, None));
        assert_eq!(life.tick(10_000), (CameraState::Stalled, Some(Step::Close)));
    }

    #[test]
    fn the_same_pixels_for_long_are_a_stall() {
        let mut life = Life::camera();
        life.frame(0);
        life.at(0, Input::FirstFrame);
        life.seen.last = Some(life.start + Duration::from_millis(29_999));
        assert_eq!(life.tick(30_000), (CameraState::Running, None));
        life.seen.last = Some(life.start + Duration::from_millis(30_000));
        assert_eq!(life.tick(30_000), (CameraState::Stalled, Some(Step::Close)));
    }

    #[test]
    fn pauses_grow_to_three_seconds_and_begin_anew_after_a_frame() {
        let mut life = Life::camera();
        let mut now = 0;
        for pause in [500, 1_000, 2_000, 3_000, 3_000] {
            assert_eq!(life.at(now, passing()), (CameraState::Retrying, Some(Step::Close)));
            life.at(now, Input::Closed);
            assert_eq!(life.tick(now + pause - 1).1, None);
            assert_eq!(life.tick(now + pause).1, Some(Step::Open));
            now += pause;
        }
        life.at(now, Input::FirstFrame);
        life.at(now, passing());
        life.at(now, Input::Closed);
        assert_eq!(life.tick(now + 500).1, Some(Step::Open));
    }

    #[test]
    fn a_refused_password_waits_long() {
        let mut life = Life::camera();
        life.at(0, Input::Fault(Fault { cure: Cure::RetrySeldom, text: "refused".into() }));
        life.at(0, Input::Closed);
        assert_eq!(life.tick(29_999), (CameraState::Retrying, None));
        assert_eq!(life.tick(30_000).1, Some(Step::Open));
    }

    #[test]
    fn what_can_never_work_fails_until_it_is_enabled_again() {
        let mut life = Life::camera();
        assert_eq!(life.at(0, Input::Fault(Fault::lasting("no"))), (CameraState::Failed, Some(Step::Close)));
        assert_eq!(life.at(10, Input::Closed), (CameraState::Failed, None));
        assert_eq!(life.tick(1_000_000), (CameraState::Failed, None));
        assert_eq!(life.at(1_000_000, Input::Enable), (CameraState::Starting, Some(Step::Open)));
    }

    #[test]
    fn an_end_means_what_the_source_says() {
        for (ending, running, step) in [
            (Ending::IsFault, CameraState::Retrying, Step::Close),
            (Ending::IsFinal, CameraState::Ended, Step::Close),
            (Ending::Rewinds, CameraState::Running, Step::Rewind),
        ] {
            let mut life = Life::new(ending, Driver::PerPipeline);
            life.at(0, Input::FirstFrame);
            assert_eq!(life.at(1, Input::EndOfStream), (running, Some(step)));
        }
        for ending in [Ending::IsFinal, Ending::Rewinds] {
            let mut life = Life::new(ending, Driver::PerPipeline);
            assert_eq!(life.at(1, Input::EndOfStream), (CameraState::Failed, Some(Step::Close)));
        }
    }

    #[test]
    fn a_camera_can_be_switched_off_at_any_time() {
        let mut life = Life::camera();
        assert_eq!(life.at(0, Input::Disable), (CameraState::Disabled, Some(Step::Close)));
        assert_eq!(life.at(1, Input::Closed), (CameraState::Disabled, None));
        assert_eq!(life.at(2, Input::Enable), (CameraState::Starting, Some(Step::Open)));
        life.at(3, passing());
        assert_eq!(life.at(4, Input::Disable), (CameraState::Disabled, None));
        assert_eq!(life.at(5, Input::Closed), (CameraState::Disabled, None));
        assert_eq!(life.tick(100_000), (CameraState::Disabled, None));
    }

    #[test]
    fn a_pipeline_that_hangs_is_left_behind_and_the_third_is_too_many() {
        let mut life = Life::camera();
        let mut now = 0;
        for _ in 0..2 {
            life.at(now, passing());
            assert_eq!(life.tick(now + 3_000), (CameraState::Retrying, Some(Step::Abandon)));
            assert_eq!(life.tick(now + 6_000).1, Some(Step::Open));
            now += 6_000;
        }
        life.at(now, passing());
        assert_eq!(life.tick(now + 3_000), (CameraState::Stuck, Some(Step::GiveUp)));
        assert_eq!(life.tick(now + 60_000), (CameraState::Stuck, None));
    }

    #[test]
    fn argus_is_given_up_when_it_hangs_or_stays_dark_for_a_minute() {
        let mut life = Life::new(Ending::IsFault, Driver::PerProcess);
        life.at(0, passing());
        assert_eq!(life.tick(3_000), (CameraState::Stuck, Some(Step::GiveUp)));

        let mut life = Life::new(Ending::IsFault, Driver::PerProcess);
        let mut now = 0;
        while now < 120_000 {
            life.at(now, Input::EndOfStream);
            let (state, step) = life.at(now, Input::Closed);
            if state == CameraState::Stuck {
                assert_eq!(step, Some(Step::GiveUp));
                break;
            }
            now += 3_000;
            assert_eq!(life.tick(now).1, Some(Step::Open));
        }
        assert_eq!(now, 60_000);
    }
}
