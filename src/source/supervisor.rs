//! The thread that looks after one camera: runs its [`CameraStateMachine`], takes the actions it asks
//! for, publishes its state.

use super::{
    error::Fault,
    gst::thread_name,
    outages::{Lost, Outages},
    outputs::SourceOutputs,
    pipeline::{PipelineEvent, PipelineRun, PipelineSpec},
    progress::{FrameTimes, Rate},
    state_machine::{Action, CameraStateMachine, Input},
    uri::SourceUri,
};
use crate::camera::CameraState;
use std::{
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

/// How often the supervisor looks at the clock while nothing happens.
const TICK: Duration = Duration::from_millis(100);
/// How often the state is published while it stays the same.
const REPORT: Duration = Duration::from_millis(500);

/// What reaches the supervisor.
#[derive(Debug)]
pub(super) enum Signal {
    /// Something happened in the run of this number.
    PipelineRun(u64, PipelineEvent),
    /// The owner wants it gone.
    Stop,
}

/// Everything the thread owns.
pub(super) struct Supervisor {
    spec: Arc<PipelineSpec>,
    outputs: SourceOutputs,
    state_machine: CameraStateMachine,
    signals: mpsc::Receiver<Signal>,
    /// Cloned for each run. As it keeps the channel open, only [`Signal::Stop`] ends the thread.
    tell: mpsc::Sender<Signal>,
    run: Option<PipelineRun>,
    /// The number of the run, and its pipeline.
    number: u64,
    text: String,
    rate: Rate,
    outages: Outages,
    reported: Instant,
}

impl Supervisor {
    pub fn new(
        spec: Arc<PipelineSpec>,
        outputs: SourceOutputs,
        state_machine: CameraStateMachine,
        tell: mpsc::Sender<Signal>,
        signals: mpsc::Receiver<Signal>,
    ) -> Self {
        Self {
            spec,
            outputs,
            state_machine,
            signals,
            tell,
            run: None,
            number: 0,
            text: String::new(),
            rate: Rate::default(),
            outages: Outages::default(),
            reported: Instant::now(),
        }
    }

    /// Runs until told to stop; the pipeline is down then.
    pub fn run(mut self) {
        self.take(Action::Open);
        self.report();
        loop {
            match self.signals.recv_timeout(TICK) {
                Ok(Signal::Stop) | Err(mpsc::RecvTimeoutError::Disconnected) => break,
                Ok(Signal::PipelineRun(number, PipelineEvent::Described(text))) if number == self.number => {
                    tracing::debug!(camera = %self.outputs.camera, pipeline = %text, "starting");
                    self.text = text;
                    self.report();
                }
                Ok(Signal::PipelineRun(number, event)) if number == self.number => self.feed(match event {
                    PipelineEvent::Described(_) => continue, // above
                    PipelineEvent::Contact => Input::Contact,
                    PipelineEvent::FirstFrame => Input::FirstFrame,
                    PipelineEvent::EndOfStream => Input::EndOfStream,
                    PipelineEvent::Fault(fault) => Input::Fault(fault),
                    PipelineEvent::Closed => Input::Closed,
                }),
                Ok(Signal::PipelineRun(..)) => {} // from a pipeline that was left behind
                Err(mpsc::RecvTimeoutError::Timeout) => {}
            }
            self.feed(Input::Tick(self.seen()));
            if let Some(lost) = self.outages.due(Instant::now()) {
                self.warn(lost);
            }
            if self.reported.elapsed() >= REPORT {
                self.report();
            }
        }
        self.shut();
    }

    fn seen(&self) -> FrameTimes {
        let seen = self.run.as_ref().map(|run| run.progress.seen()).unwrap_or_default();
        FrameTimes { nominal: self.spec.tap.interval(), data: self.spec.tap.keys().data_without_key(), ..seen }
    }

    /// Gives `input` to the state machine, takes its action, and tells everyone when the state has changed.
    fn feed(&mut self, input: Input) {
        let (before, closed) = (self.state_machine.state(), matches!(input, Input::Closed));
        if closed {
            self.run = None;
        }
        if let Some(action) = self.state_machine.on(input, Instant::now()) {
            self.take(action);
        }
        let after = self.state_machine.state();
        if before != after {
            self.log(after);
            self.report();
        }
    }

    fn take(&mut self, action: Action) {
        match action {
            Action::Open => self.open(),
            Action::Rewind => self.run.iter().for_each(PipelineRun::rewind),
            Action::Close => match &self.run {
                Some(run) => run.close(),
                None => self.feed(Input::Closed),
            },
            Action::Abandon => {
                let camera = &self.outputs.camera;
                tracing::error!(%camera, "the pipeline does not come down; its thread is left behind");
                self.run = None;
            }
            Action::GiveUp => self.give_up(),
        }
    }

    /// Asks for a restart of Argus' daemon, where that is wanted; the process is replaced by whoever watches the state.
    fn give_up(&mut self) {
        self.run = None;
        let camera = &self.outputs.camera;
        let config = &self.spec.config;
        let (SourceUri::Csi { .. }, Some(path)) = (&config.uri, &config.argus_restart_request) else { return };
        match std::fs::write(path, format!("{camera}\n")) {
            Ok(()) => tracing::warn!(%camera, path = %path.display(), "asked for a restart of nvargus-daemon"),
            Err(error) => tracing::error!(%camera, path = %path.display(), "no restart of nvargus-daemon: {error}"),
        }
    }

    fn open(&mut self) {
        self.number += 1;
        self.rate.reset();
        let (number, tell) = (self.number, self.tell.clone());
        let tell = move |event| {
            let _ = tell.send(Signal::PipelineRun(number, event)); // the supervisor may be gone
        };
        let name = thread_name("pipe", self.outputs.camera.as_str());
        match PipelineRun::start(name, self.spec.clone(), &self.outputs, tell) {
            Ok(run) => self.run = Some(run),
            Err(error) => self.feed(Input::Fault(Fault::passing(format!("no thread: {error}")))),
        }
    }

    /// Takes the pipeline down and waits for it; whoever waits for this thread has the deadline.
    fn shut(&mut self) {
        let Some(run) = self.run.take() else { return };
        run.close();
        while let Ok(signal) = self.signals.recv() {
            if matches!(signal, Signal::PipelineRun(number, PipelineEvent::Closed) if number == self.number) {
                return;
            }
        }
    }

    fn log(&mut self, state: CameraState) {
        let now = Instant::now();
        match state {
            CameraState::Running => {
                let (camera, size) = (&self.outputs.camera, self.spec.tap.size().map(tracing::field::display));
                match self.outages.is_back(now) {
                    Some(lost) => tracing::info!(%camera, size, "running again after {:.1} s", lost.as_secs_f64()),
                    None if self.state_machine.recoveries() > 0 => tracing::debug!(%camera, size, "running again"),
                    None => tracing::info!(%camera, size, "running"),
                }
            }
            CameraState::Stalled | CameraState::Retrying if self.state_machine.is_closing() => {
                if let Some(lost) = self.outages.failed(now) {
                    self.warn(lost);
                }
            }
            _ => self.log_end(state),
        }
    }

    /// The line of a camera that is lost.
    fn warn(&self, lost: Lost) {
        let (camera, error) = (&self.outputs.camera, self.state_machine.last_error().unwrap_or_default());
        match lost.since.as_secs() / 60 {
            0 => tracing::warn!(%camera, error, "no frames; it is tried again and again"),
            minutes => {
                let attempts = lost.failures;
                tracing::warn!(%camera, error, attempts, "no frames for {minutes} min");
            }
        }
    }

    /// The line of a state that the camera does not leave by itself.
    fn log_end(&self, state: CameraState) {
        let (camera, error) = (&self.outputs.camera, self.state_machine.last_error().unwrap_or_default());
        match state {
            CameraState::Starting | CameraState::Running | CameraState::Stalled | CameraState::Retrying => {}
            CameraState::Failed | CameraState::Stuck => tracing::error!(%camera, error, "{state}"),
            CameraState::Ended | CameraState::Disabled => tracing::info!(%camera, "{state}"),
        }
    }

    fn report(&mut self) {
        self.reported = Instant::now();
        let (state, frames, size) = (self.state_machine.state(), self.spec.tap.frames(), self.spec.tap.size());
        let keys = self.spec.tap.keys();
        let fps = self.rate.update(self.reported, frames);
        self.outputs.status.send_modify(|status| {
            status.state = state;
            status.stall_after = self.state_machine.stall_limit();
            status.fps = if state == CameraState::Running { fps } else { 0.0 };
            status.size = size.or(status.size);
            status.frames = frames;
            status.restarts = self.state_machine.restarts();
            status.recoveries = self.state_machine.recoveries();
            status.corrupt = keys.corrupt();
            let waits_for = keys.waits_for().filter(|_| matches!(state, CameraState::Starting | CameraState::Running));
            status.last_error = waits_for.or(self.state_machine.last_error()).map(Into::into);
            status.pipeline.clone_from(&self.text);
        });
    }
}
