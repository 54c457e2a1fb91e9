//! Cameras in simulated time.

use super::*;

/// A camera in simulated time, in milliseconds.
struct Simulation {
    state_machine: CameraStateMachine,
    start: Instant,
    /// When the last frame came, and when its pixels last changed.
    seen: FrameTimes,
}

fn limits() -> Limits {
    Limits { contact: Some(Duration::from_secs(2)), frozen: Some(Duration::from_secs(30)), ..Limits::default() }
}

impl Simulation {
    fn new(ending: Ending, driver: Driver) -> Self {
        let start = Instant::now();
        Self {
            state_machine: CameraStateMachine::new(limits(), ending, driver, || 1.0, start),
            start,
            seen: FrameTimes::default(),
        }
    }

    fn camera() -> Self {
        Self::new(Ending::IsFault, Driver::PerPipeline)
    }

    fn at(&mut self, ms: u64, input: Input) -> (CameraState, Option<Action>) {
        let action = self.state_machine.on(input, self.start + Duration::from_millis(ms));
        (self.state_machine.state(), action)
    }

    fn tick(&mut self, ms: u64) -> (CameraState, Option<Action>) {
        self.at(ms, Input::Tick(self.seen))
    }

    fn frame(&mut self, ms: u64) {
        let at = Some(self.start + Duration::from_millis(ms));
        self.seen = FrameTimes { last: at, changed: at, ..self.seen };
    }
}

fn passing() -> Input {
    Input::Fault(Fault::passing("broken"))
}

#[test]
fn a_camera_starts_runs_stalls_and_comes_back() {
    let mut camera = Simulation::camera();
    assert_eq!(camera.tick(1_999), (CameraState::Starting, None));
    assert_eq!(camera.at(1_999, Input::Contact), (CameraState::Starting, None));
    assert_eq!(camera.tick(5_000), (CameraState::Starting, None));
    camera.frame(5_500);
    assert_eq!(camera.at(5_500, Input::FirstFrame), (CameraState::Running, None));
    camera.frame(8_000);
    assert_eq!(camera.tick(10_999), (CameraState::Running, None));
    assert_eq!(camera.tick(11_000), (CameraState::Stalled, Some(Action::Close)));
    assert_eq!(camera.state_machine.last_error(), Some("no frame came for 3s (timeouts.stall_ms raises this limit)"));
    assert_eq!(camera.at(11_100, Input::Closed), (CameraState::Retrying, None));
    assert_eq!(camera.tick(11_500), (CameraState::Retrying, None));
    assert_eq!(camera.tick(11_600), (CameraState::Starting, Some(Action::Open)));
    assert_eq!((camera.state_machine.restarts(), camera.state_machine.recoveries()), (1, 0));
    assert_eq!(camera.at(11_700, Input::FirstFrame), (CameraState::Running, None));
    assert_eq!((camera.state_machine.restarts(), camera.state_machine.recoveries()), (1, 1));
}

#[test]
fn no_answer_and_no_frame_end_an_attempt() {
    let mut camera = Simulation::camera();
    assert_eq!(camera.tick(2_000), (CameraState::Stalled, Some(Action::Close)));
    let mut camera = Simulation::camera();
    camera.at(500, Input::Contact);
    assert_eq!(camera.tick(9_999), (CameraState::Starting, None));
    assert_eq!(camera.tick(10_000), (CameraState::Stalled, Some(Action::Close)));
}

#[test]
fn the_same_pixels_for_long_are_a_stall() {
    let mut camera = Simulation::camera();
    camera.frame(0);
    camera.at(0, Input::FirstFrame);
    camera.seen.last = Some(camera.start + Duration::from_millis(29_999));
    assert_eq!(camera.tick(30_000), (CameraState::Running, None));
    camera.seen.last = Some(camera.start + Duration::from_millis(30_000));
    assert_eq!(camera.tick(30_000), (CameraState::Stalled, Some(Action::Close)));
}

#[test]
fn pauses_grow_to_three_seconds_and_begin_anew_after_a_frame() {
    let mut camera = Simulation::camera();
    let mut now = 0;
    for pause in [500, 1_000, 2_000, 3_000, 3_000] {
        assert_eq!(camera.at(now, passing()), (CameraState::Retrying, Some(Action::Close)));
        camera.at(now, Input::Closed);
        assert_eq!(camera.tick(now + pause - 1).1, None);
        assert_eq!(camera.tick(now + pause).1, Some(Action::Open));
        now += pause;
    }
    camera.at(now, Input::FirstFrame);
    camera.at(now, passing());
    camera.at(now, Input::Closed);
    assert_eq!(camera.tick(now + 500).1, Some(Action::Open));
}

#[test]
fn a_refused_password_waits_long() {
    let mut camera = Simulation::camera();
    camera.at(0, Input::Fault(Fault { retry: RetryPolicy::RetrySeldom, text: "refused".into() }));
    camera.at(0, Input::Closed);
    assert_eq!(camera.tick(29_999), (CameraState::Retrying, None));
    assert_eq!(camera.tick(30_000).1, Some(Action::Open));
}

#[test]
fn what_can_never_work_fails() {
    let mut camera = Simulation::camera();
    assert_eq!(camera.at(0, Input::Fault(Fault::lasting("no"))), (CameraState::Failed, Some(Action::Close)));
    assert_eq!(camera.at(10, Input::Closed), (CameraState::Failed, None));
    assert_eq!(camera.tick(1_000_000), (CameraState::Failed, None));
}

#[test]
fn what_has_worked_once_is_tried_again_whatever_happens() {
    for (ending, after) in [
        (Ending::IsFault, CameraState::Retrying),
        (Ending::Rewinds, CameraState::Retrying),
        (Ending::IsFinal, CameraState::Failed),
    ] {
        let mut camera = Simulation::new(ending, Driver::PerPipeline);
        camera.at(0, Input::FirstFrame);
        assert_eq!(camera.at(1, Input::Fault(Fault::lasting("no"))), (after, Some(Action::Close)), "{ending:?}");
        assert_eq!(camera.at(2, Input::Closed), (after, None));
        let again = (ending != Ending::IsFinal).then_some(Action::Open);
        assert_eq!(camera.tick(502).1, again, "{ending:?}");
        // Not even then is it given up.
        assert_eq!(camera.at(503, Input::Fault(Fault::lasting("no"))).0, after, "{ending:?}");
    }
}

#[test]
fn an_end_means_what_the_source_says() {
    for (ending, running, action) in [
        (Ending::IsFault, CameraState::Retrying, Action::Close),
        (Ending::IsFinal, CameraState::Ended, Action::Close),
        (Ending::Rewinds, CameraState::Running, Action::Rewind),
    ] {
        let mut camera = Simulation::new(ending, Driver::PerPipeline);
        camera.at(0, Input::FirstFrame);
        assert_eq!(camera.at(1, Input::EndOfStream), (running, Some(action)));
    }
    for ending in [Ending::IsFinal, Ending::Rewinds] {
        let mut camera = Simulation::new(ending, Driver::PerPipeline);
        assert_eq!(camera.at(1, Input::EndOfStream), (CameraState::Failed, Some(Action::Close)));
    }
}

#[test]
fn a_pipeline_that_hangs_is_left_behind_and_the_third_is_too_many() {
    let mut camera = Simulation::camera();
    let mut now = 0;
    for _ in 0..2 {
        camera.at(now, passing());
        assert_eq!(camera.tick(now + 3_000), (CameraState::Retrying, Some(Action::Abandon)));
        assert_eq!(camera.tick(now + 6_000).1, Some(Action::Open));
        now += 6_000;
    }
    camera.at(now, passing());
    assert_eq!(camera.tick(now + 3_000), (CameraState::Stuck, Some(Action::GiveUp)));
    assert_eq!(camera.tick(now + 60_000), (CameraState::Stuck, None));
}

#[test]
fn argus_is_given_up_when_it_hangs_or_stays_dark_for_a_minute() {
    let mut camera = Simulation::new(Ending::IsFault, Driver::PerProcess);
    camera.at(0, passing());
    assert_eq!(camera.tick(3_000), (CameraState::Stuck, Some(Action::GiveUp)));

    let mut camera = Simulation::new(Ending::IsFault, Driver::PerProcess);
    let mut now = 0;
    while now < 120_000 {
        camera.at(now, Input::EndOfStream);
        let (state, action) = camera.at(now, Input::Closed);
        if state == CameraState::Stuck {
            assert_eq!(action, Some(Action::GiveUp));
            break;
        }
        now += 3_000;
        assert_eq!(camera.tick(now).1, Some(Action::Open));
    }
    assert_eq!(now, 60_000);
}

#[test]
fn the_stall_limit_follows_the_stream() {
    let mut camera = Simulation::camera();
    camera.at(0, Input::FirstFrame);
    assert_eq!(camera.state_machine.stall_limit(), Duration::from_secs(3));
    camera.seen.nominal = Some(Duration::from_secs(2));
    camera.tick(1);
    assert_eq!(camera.state_machine.stall_limit(), Duration::from_secs(8), "four times what the caps say");
    camera.seen.interval = Some(Duration::from_secs(5));
    camera.tick(2);
    assert_eq!(camera.state_machine.stall_limit(), Duration::from_secs(20), "four times what comes");
    camera.seen.interval = Some(Duration::from_secs(50));
    camera.tick(3);
    assert_eq!(camera.state_machine.stall_limit(), Duration::from_secs(60), "at most");
    (camera.seen.interval, camera.seen.nominal) = (Some(Duration::from_millis(40)), None);
    camera.tick(4);
    assert_eq!(camera.state_machine.stall_limit(), Duration::from_secs(3), "back to the configuration's");
}

#[test]
fn a_camera_that_sends_a_frame_every_five_seconds_is_lost_once() {
    let mut camera = Simulation::camera();
    camera.at(0, Input::FirstFrame);
    assert_eq!(camera.tick(2_999), (CameraState::Running, None));
    assert_eq!(camera.tick(3_000), (CameraState::Stalled, Some(Action::Close)));
    assert!(camera.state_machine.last_error().unwrap().contains("timeouts.stall_ms"));
    camera.at(3_100, Input::Closed);
    assert_eq!(camera.tick(4_000).1, Some(Action::Open));
    camera.at(4_100, Input::FirstFrame);
    assert_eq!(camera.tick(9_000), (CameraState::Running, None), "6 s now");
    camera.seen.interval = Some(Duration::from_secs(5));
    for second in (9..100).step_by(5) {
        camera.frame(second * 1_000);
        assert_eq!(camera.tick(second * 1_000 + 4_999), (CameraState::Running, None));
    }
}
