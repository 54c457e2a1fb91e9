//! All cameras: brought to what the plan says, watched, stopped together.

use super::{failure::Failure, plan::PlannedCamera};
use crate::{
    camera::{CameraName, CameraState, CameraStatus},
    channels::latest_frames::FramesHandle,
    source::{self, SourceOutputs},
    state::{CameraFeed, DaemonState},
};
use futures_util::future::{join_all, select_all};
use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::task::spawn_blocking;

/// How long each part of an ordered stop may take; three parts, so less than 2 s in all.
pub(super) const STOP_DEADLINE: Duration = Duration::from_millis(600);

/// The running cameras.
pub(super) struct Cameras {
    state: Arc<DaemonState>,
    frames_handle: FramesHandle,
    running: BTreeMap<CameraName, Running>,
}

struct Running {
    planned: PlannedCamera,
    feed: Arc<CameraFeed>,
    /// None while the camera is disabled.
    handle: Option<source::Handle>,
}

impl Cameras {
    /// No cameras yet, whose frames will go to `frames_handle` and whose state to `state`.
    pub(super) fn new(state: Arc<DaemonState>, frames_handle: FramesHandle) -> Self {
        Self { state, frames_handle, running: BTreeMap::new() }
    }

    /// Starts, stops and restarts cameras until they are as `planned`; those that have not changed are not touched.
    /// One that cannot be started is shown as failed.
    pub(super) async fn apply(&mut self, planned: Vec<PlannedCamera>) {
        let gone = |name: &CameraName| !planned.iter().any(|camera| camera.name == *name);
        let removed: Vec<_> = self.running.keys().filter(|name| gone(name)).cloned().collect();
        for name in &removed {
            self.take_down(name).await;
            self.frames_handle.remove(name);
            self.state.cameras.remove(name);
            tracing::info!(camera = %name, "removed");
        }
        for camera in planned {
            let known = self.running.get(&camera.name);
            if known.is_some_and(|running| running.planned == camera) {
                continue;
            }
            self.take_down(&camera.name).await;
            let running = self.start(camera);
            self.running.insert(running.planned.name.clone(), running);
        }
    }

    fn start(&self, planned: PlannedCamera) -> Running {
        let shown = planned.source.uri.to_string();
        let feed = self.state.cameras.add(&planned.name, CameraStatus::new(shown.clone()));
        feed.status.send_modify(|status| status.source = shown);
        let outputs = SourceOutputs {
            camera: planned.name.clone(),
            frames: self.frames_handle.open(&planned.name),
            pictures: feed.pictures.clone(),
            video: feed.video.clone(),
            status: feed.status.clone(),
        };
        let started =
            planned.enabled.then(|| source::spawn(planned.source.clone(), planned.input, outputs)).transpose();
        let handle = started.unwrap_or_else(|error| {
            tracing::error!(camera = %planned.name, "cannot be started: {error}");
            feed.status.send_modify(|status| {
                status.state = CameraState::Failed;
                status.last_error = Some(error.to_string());
            });
            None
        });
        if !planned.enabled {
            feed.status.send_modify(|status| status.state = CameraState::Disabled);
        }
        Running { planned, feed, handle }
    }

    /// Stops a camera's source, if it runs.
    async fn take_down(&mut self, name: &CameraName) {
        if let Some(handle) = self.running.remove(name).and_then(|running| running.handle) {
            stop_all([handle], Instant::now() + STOP_DEADLINE).await;
        }
    }

    /// Waits until the cameras leave nothing to do: one that needs a new process, or none that can ever work.
    pub(super) async fn given_up(&self) -> Failure {
        let mut watches: Vec<_> = self.running.values().map(|camera| camera.feed.status.subscribe()).collect();
        loop {
            if let Some(failure) = self.verdict() {
                return failure;
            }
            select_all(watches.iter_mut().map(|watch| Box::pin(watch.changed()))).await.0.ok();
        }
    }

    fn verdict(&self) -> Option<Failure> {
        let in_state = |state| self.running.values().filter_map(move |camera| complaint(&camera.feed, state));
        if let Some(stuck) = in_state(CameraState::Stuck).next() {
            return Some(Failure::Temporary(anyhow::anyhow!(stuck)));
        }
        let failed: Vec<_> = in_state(CameraState::Failed).collect();
        let wanted = self.running.values().filter(|camera| camera.planned.enabled).count();
        (wanted > 0 && failed.len() == wanted).then(|| Failure::Config(anyhow::anyhow!(failed.join("\n"))))
    }

    /// Stops all at once, until `deadline`.
    pub(super) async fn stop(self, deadline: Instant) {
        stop_all(self.running.into_values().filter_map(|camera| camera.handle), deadline).await;
    }
}

async fn stop_all(handles: impl IntoIterator<Item = source::Handle>, deadline: Instant) {
    let stops = handles.into_iter().map(|handle| spawn_blocking(move || handle.stop(deadline)));
    for stopped in join_all(stops).await {
        match stopped {
            Ok(Ok(())) => {}
            Ok(Err(late)) => tracing::warn!("{late}"),
            Err(panicked) => tracing::error!("a camera's stop: {panicked}"),
        }
    }
}

/// What the camera says of itself, if it is in `state`.
fn complaint(feed: &CameraFeed, state: CameraState) -> Option<String> {
    let status = feed.status.borrow();
    let why = status.last_error.as_deref().unwrap_or("no reason given");
    (status.state == state).then(|| format!("camera {} ({}): {why}", feed.name, status.source))
}
