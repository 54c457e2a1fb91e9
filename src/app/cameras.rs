//! All cameras: started, watched, stopped together.

use super::{
    Failure,
    plan::{Plan, PlannedCamera},
};
use crate::{
    camera::{CameraState, CameraStatus},
    geometry::Size,
    mailbox::Desk,
    publish::bus::{Bus, CameraFeed},
    source::{self, Outlet},
};
use futures_util::future::{join_all, select_all};
use std::{sync::Arc, time::Instant};
use tokio::task::spawn_blocking;

/// The running cameras.
pub(super) struct Cameras {
    running: Vec<(Arc<CameraFeed>, source::Handle)>,
}

impl Cameras {
    /// Starts every camera of the plan.
    pub(super) fn start(plan: &Plan, bus: &Bus, desk: &Desk) -> Result<Self, Failure> {
        let input = plan.model.manifest.input.size();
        let running =
            plan.cameras.iter().map(|camera| start(camera, input, bus, desk)).collect::<Result<Vec<_>, Failure>>()?;
        Ok(Self { running })
    }

    /// Waits until the cameras leave nothing to do: one that needs a new process, or none that can ever work.
    pub(super) async fn given_up(&self) -> Failure {
        let mut watches: Vec<_> = self.running.iter().map(|(feed, _)| feed.status.subscribe()).collect();
        loop {
            if let Some(failure) = self.verdict() {
                return failure;
            }
            select_all(watches.iter_mut().map(|watch| Box::pin(watch.changed()))).await.0.ok();
        }
    }

    fn verdict(&self) -> Option<Failure> {
        let failed: Vec<_> = self.running.iter().filter_map(|(feed, _)| complaint(feed, CameraState::Failed)).collect();
        let stuck = self.running.iter().find_map(|(feed, _)| complaint(feed, CameraState::Stuck));
        match stuck {
            Some(stuck) => Some(Failure::Temporary(anyhow::anyhow!(stuck))),
            None if failed.len() == self.running.len() => Some(Failure::Config(anyhow::anyhow!(failed.join("\n")))),
            None => None,
        }
    }

    /// Stops all at once, until `deadline`.
    pub(super) async fn stop(self, deadline: Instant) {
        let stops = self.running.into_iter().map(|(_, handle)| spawn_blocking(move || handle.stop(deadline)));
        for stopped in join_all(stops).await {
            match stopped {
                Ok(Ok(())) => {}
                Ok(Err(late)) => tracing::warn!("{late}"),
                Err(panicked) => tracing::error!("a camera's stop: {panicked}"),
            }
        }
    }
}

fn start(
    camera: &PlannedCamera,
    input: Size,
    bus: &Bus,
    desk: &Desk,
) -> Result<(Arc<CameraFeed>, source::Handle), Failure> {
    let feed = bus.add_camera(&camera.name, CameraStatus::new(camera.source.uri.to_string()));
    let outlet = Outlet {
        camera: camera.name.clone(),
        frames: desk.open(&camera.name),
        pictures: feed.pictures.clone(),
        status: feed.status.clone(),
    };
    let handle = source::spawn(camera.source.clone(), input, outlet)
        .map_err(|error| Failure::Config(anyhow::anyhow!("camera {}: {error}", camera.name)))?;
    Ok((feed, handle))
}

/// What the camera says of itself, if it is in `state`.
fn complaint(feed: &CameraFeed, state: CameraState) -> Option<String> {
    let status = feed.status.borrow();
    let why = status.last_error.as_deref().unwrap_or("no reason given");
    (status.state == state).then(|| format!("camera {} ({}): {why}", feed.name, status.source))
}
