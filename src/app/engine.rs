//! The thread that owns the engine: loads the runtime, opens the model, takes the latest frames.

use super::{
    failure::Failure,
    reload::{Reloader, Running},
};
use crate::{
    channels::latest_frames::LatestFrames,
    pipeline::{self, LiveThresholds, Stages},
    state::DaemonState,
};
use detector::{
    DetectorError,
    infer::{self, DeadlineMonitor, Runtime, Stuck},
    manifest::Model,
    status::EnginePhase,
};
use std::{sync::Arc, thread, time::Duration};
use tokio::{sync::oneshot, time::timeout};

/// The running thread.
pub(super) struct EngineThread {
    outcome: oneshot::Receiver<Result<(), Failure>>,
    ended: bool,
}

/// What the thread works with.
pub(super) struct Work {
    pub(super) config: infer::Config,
    pub(super) model: Model,
    pub(super) thresholds: Arc<LiveThresholds>,
    pub(super) latest_frames: LatestFrames,
    pub(super) state: Arc<DaemonState>,
    pub(super) reloader: Reloader,
}

impl EngineThread {
    pub(super) fn start(work: Work) -> Result<Self, Failure> {
        let (tell, outcome) = oneshot::channel();
        thread::Builder::new()
            .name("inference".into())
            .spawn(move || {
                let state = work.state.clone();
                let outcome = serve(work);
                if let Err(failure) = &outcome {
                    state.status.phase.send_replace(EnginePhase::Failed { reason: failure.to_string() });
                }
                let _ = tell.send(outcome); // an error means that the process is already leaving
            })
            .map_err(|error| Failure::Other(error.into()))?;
        Ok(Self { outcome, ended: false })
    }

    /// Waits for the thread to end by itself.
    pub(super) async fn ended(&mut self) -> Result<(), Failure> {
        let outcome = (&mut self.outcome).await;
        self.ended = true;
        outcome.unwrap_or_else(|_| Err(Failure::Other(anyhow::anyhow!("the inference thread panicked"))))
    }

    /// Waits for the thread, whose frames are closed, for at most `deadline`.
    pub(super) async fn join(mut self, deadline: Duration) {
        if !self.ended && timeout(deadline, self.ended()).await.is_err() {
            tracing::warn!("the inference thread did not end in time");
        }
    }
}

fn serve(mut work: Work) -> Result<(), Failure> {
    let state = &work.state;
    let watchdog = DeadlineMonitor::start(leave).map_err(|error| Failure::Other(error.into()))?;
    let runtime = Runtime::load(&work.config)?.watched(watchdog);
    let progress = |phase| {
        state.status.phase.send_replace(phase);
    };
    let engine = runtime.open(&work.config, &work.model, &progress)?;
    state.status.engine.send_replace(Some(Arc::new(engine.info().clone())));
    let mut stages = Stages::new(engine, &work.model.manifest).map_err(|error| Failure::Config(error.into()))?;
    state.status.phase.send_replace(EnginePhase::Ready);
    work.reloader.engine_runs(Running { runtime, model_swap: stages.model_swap() });
    pipeline::run(&mut work.latest_frames, &mut stages, &work.thresholds, state).map_err(|error| match error {
        DetectorError::Infer(error) => error.into(),
        other => Failure::Other(other.into()),
    })
}

/// Ends the process, since a thread of it hangs in a driver and cannot be stopped: systemd starts it anew.
fn leave(stuck: Stuck) {
    let failure = Failure::Temporary(anyhow::anyhow!("{stuck} and cannot be ended: leaving, to be restarted"));
    tracing::error!("{failure}");
    infer::end_process(failure.exit_code());
}
