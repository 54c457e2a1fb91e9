//! The thread that looks after one camera: runs its [`Machine`], takes the steps it asks for, publishes its state.

use super::{
    Outlet,
    machine::{Input, Machine, Step},
    pipeline::{Attempt, Happening, Plan},
    uri::SourceUri,
    watch::{Rate, Seen},
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
    /// Something happened in the attempt of this number.
    Attempt(u64, Happening),
    /// The owner wants the camera on.
    Enable,
    /// The owner wants the camera off.
    Disable,
    /// The owner wants it gone.
    Stop,
}

/// Everything the thread owns.
pub(super) struct Supervisor {
    plan: Arc<Plan>,
    outlet: Outlet,
    machine: Machine,
    signals: mpsc::Receiver<Signal>,
    /// For the attempts; weak in spirit: the owner's handle decides when to stop.
    tell: mpsc::Sender<Signal>,
    attempt: Option<Attempt>,
    /// The number of the attempt, and its pipeline.
    number: u64,
    text: String,
    rate: Rate,
    reported: Instant,
}

impl Supervisor {
    pub fn new(
        plan: Arc<Plan>,
        outlet: Outlet,
        machine: Machine,
        tell: mpsc::Sender<Signal>,
        signals: mpsc::Receiver<Signal>,
    ) -> Self {
        Self {
            plan,
            outlet,
            machine,
            signals,
            tell,
            attempt: None,
            number: 0,
            text: String::new(),
            rate: Rate::default(),
            reported: Instant::now(),
        }
    }

    /// Runs until told to stop; the pipeline is down then.
    pub fn run(mut self) {
        self.take(Step::Open);
        self.report();
        loop {
            match self.signals.recv_timeout(TICK) {
                Ok(Signal::Stop) | Err(mpsc::RecvTimeoutError::Disconnected) => break,
                Ok(Signal::Enable) => self.feed(Input::Enable),
                Ok(Signal::Disable) => self.feed(Input::Disable),
                Ok(Signal::Attempt(number, Happening::Described(text))) if number == self.number => {
                    tracing::info!(camera = %self.outlet.camera, pipeline = %text, "starting");
                    self.text = text;
                    self.report();
                }
                Ok(Signal::Attempt(number, happening)) if number == self.number => self.feed(match happening {
                    Happening::Described(_) => continue, // above
                    Happening::Contact => Input::Contact,
                    Happening::FirstFrame => Input::FirstFrame,
                    Happening::EndOfStream => Input::EndOfStream,
                    Happening::Fault(fault) => Input::Fault(fault),
                    Happening::Closed => Input::Closed,
                }),
                Ok(Signal::Attempt(..)) => {} // from a pipeline that was left behind
                Err(mpsc::RecvTimeoutError::Timeout) => {}
            }
            self.feed(Input::Tick(self.seen()));
            if self.reported.elapsed() >= REPORT {
                self.report();
            }
        }
        self.shut();
    }

    fn seen(&self) -> Seen {
        self.attempt.as_ref().map(|attempt| attempt.progress.seen()).unwrap_or_default()
    }

    /// Gives `input` to the machine, takes its step, and tells everyone when the state has changed.
    fn feed(&mut self, input: Input) {
        let (before, closed) = (self.machine.state(), matches!(input, Input::Closed));
        if closed {
            self.attempt = None;
        }
        if let Some(step) = self.machine.on(input, Instant::now()) {
            self.take(step);
        }
        let after = self.machine.state();
        if before != after {
            self.log(after);
            self.report();
        }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Open => self.open(),
            Step::Rewind => self.attempt.iter().for_each(Attempt::rewind),
            Step::Close => match &self.attempt {
                Some(attempt) => attempt.close(),
                None => self.feed(Input::Closed),
            },
            Step::Abandon => {
                let camera = &self.outlet.camera;
                tracing::error!(%camera, "the pipeline does not come down; its thread is left behind");
                self.attempt = None;
            }
            Step::GiveUp => self.give_up(),
        }
    }

    /// Asks for a restart of Argus' daemon, where that is wanted; the process is replaced by whoever watches the state.
    fn give_up(&mut self) {
        self.attempt = None;
        let camera = &self.outlet.camera;
        let config = &self.plan.config;
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
        let tell = move |happening| {
            let _ = tell.send(Signal::Attempt(number, happening)); // the supervisor may be gone
        };
        let name = thread_name("pipe", self.outlet.camera.as_str());
        match Attempt::start(name, self.plan.clone(), &self.outlet, tell) {
            Ok(attempt) => self.attempt = Some(attempt),
            Err(error) => self.feed(Input::Fault(super::error::Fault::passing(format!("no thread: {error}")))),
        }
    }

    /// Takes the pipeline down and waits for it; whoever waits for this thread has the deadline.
    fn shut(&mut self) {
        let Some(attempt) = self.attempt.take() else { return };
        attempt.close();
        while let Ok(signal) = self.signals.recv() {
            if matches!(signal, Signal::Attempt(number, Happening::Closed) if number == self.number) {
                return;
            }
        }
    }

    fn log(&self, state: CameraState) {
        let (camera, error) = (&self.outlet.camera, self.machine.last_error().unwrap_or_default());
        match state {
            CameraState::Starting => {} // the pipeline is logged when it is known
            CameraState::Running => {
                tracing::info!(%camera, size = self.plan.tap.size().map(tracing::field::display), "running");
            }
            CameraState::Stalled | CameraState::Retrying => tracing::warn!(%camera, error, "{state}"),
            CameraState::Failed | CameraState::Stuck => tracing::error!(%camera, error, "{state}"),
            CameraState::Ended | CameraState::Disabled => tracing::info!(%camera, "{state}"),
        }
    }

    fn report(&mut self) {
        self.reported = Instant::now();
        let (state, frames, size) = (self.machine.state(), self.plan.tap.frames(), self.plan.tap.size());
        let fps = self.rate.look(self.reported, frames);
        self.outlet.status.send_modify(|status| {
            status.state = state;
            status.fps = if state == CameraState::Running { fps } else { 0.0 };
            status.size = size.or(status.size);
            status.frames = frames;
            status.restarts = self.machine.restarts();
            status.recoveries = self.machine.recoveries();
            status.last_error = self.machine.last_error().map(Into::into);
            status.pipeline.clone_from(&self.text);
        });
    }
}

/// A thread's name: Linux keeps 15 bytes of it.
pub(super) fn thread_name(kind: &str, camera: &str) -> String {
    let room = 15 - kind.len() - 1;
    format!("{kind}-{}", camera.get(..room).unwrap_or(camera))
}
