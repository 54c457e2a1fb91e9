//! What systemd hears while the daemon runs: a status line, and a fed watchdog while there is progress.

use crate::{
    camera::CameraStatus,
    ops::systemd::{self, CameraView, Deadlines, Progress, Verdict, View},
    state::{CameraFeed, DaemonState},
};
use detector::infer;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// How often the status line is made anew where no watchdog sets the pace.
const PERIOD: Duration = Duration::from_secs(5);

/// How much later than the deadlines of the parts themselves ours are, where no watchdog says it.
const GRACE: Duration = Duration::from_secs(60);

/// Looks at the daemon every few seconds and tells systemd, until it is dropped.
pub(super) async fn run(state: Arc<DaemonState>, engine: infer::Config) {
    let watchdog = systemd::watchdog_limit();
    let mut progress = Progress::new(deadlines(&engine));
    let (mut said, mut stuck) = (String::new(), None);
    let mut ticks = tokio::time::interval(watchdog.map_or(PERIOD, |limit| (limit / 3).min(PERIOD)));
    loop {
        ticks.tick().await;
        let (now, view) = (Instant::now(), view(&state));
        match progress.judge(now, &view) {
            Verdict::Alive => {
                stuck = None;
                if watchdog.is_some() {
                    systemd::feed_watchdog();
                }
            }
            Verdict::Stuck(what) if stuck.is_none() => {
                tracing::error!("no progress, the watchdog is not fed: {what}");
                stuck = Some(what);
            }
            Verdict::Stuck(_) => {}
        }
        let provider = state.status.engine.borrow().as_ref().map(|info| info.active_provider().to_owned());
        let text = match &stuck {
            Some(what) => format!("no progress: {what}"),
            None => systemd::summary(now, &view, provider.as_deref()),
        };
        if text != said {
            systemd::status(&text);
            said = text;
        }
    }
}

/// How long each part may take, a little longer than it allows itself.
pub(super) fn deadlines(engine: &infer::Config) -> Deadlines {
    let grace = systemd::watchdog_limit().unwrap_or(GRACE);
    Deadlines {
        engine: engine.build_deadline.get() + grace,
        scene: engine.deadline.get() + grace,
        frame: grace,
        camera: grace * 10,
    }
}

pub(super) fn view(state: &DaemonState) -> View {
    let cameras = state.cameras.all().iter().map(|feed| camera_view(feed)).collect();
    View { phase: state.status.phase.borrow().clone(), scenes: state.scenes.published(), cameras }
}

fn camera_view(feed: &CameraFeed) -> CameraView {
    let CameraStatus { state, frames, restarts, fps, last_error, stall_after, .. } = feed.status.borrow().clone();
    CameraView { name: feed.name.clone(), state, frames, restarts, fps, last_error, stall_after }
}
