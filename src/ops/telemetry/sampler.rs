//! The thread that reads the board once a second.

use super::{
    config::Config,
    read::{MIN_VOLTS, read},
    tree::Tree,
};
use crate::{
    board::{BoardNote, BoardStatus},
    ops::governor::Governor,
};
use std::{
    io,
    path::PathBuf,
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};
use tokio::sync::watch;

/// Reading a sleeping GPU's load wakes it, so no more often.
const PERIOD: Duration = Duration::from_secs(1);

/// What the sampler reads and writes.
pub struct Ports {
    /// Where a reading goes.
    pub board: watch::Sender<Option<Arc<BoardStatus>>>,
    /// How many frames per second the engine may take, all cameras together; none for as many as come.
    pub limit_fps: watch::Sender<Option<f32>>,
    /// How many scenes have been published since the start.
    pub scenes: Box<dyn Fn() -> u64 + Send>,
}

/// A running thread; dropping it ends the thread.
pub struct Sampler {
    _stop: mpsc::Sender<()>,
}

impl Sampler {
    /// Starts reading; `data` is a path on the file system whose room is reported.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(config: &Config, data: PathBuf, ports: Ports) -> io::Result<Self> {
        let (stop, stopped) = mpsc::channel::<()>();
        let tree = Tree::new(&config.root);
        let mut monitor = BoardMonitor {
            governor: config.govern.then(|| Governor::new(config)),
            rate: Rate { at: Instant::now(), scenes: (ports.scenes)() },
            notes: Vec::new(),
            ports,
        };
        thread::Builder::new().name("telemetry".into()).spawn(move || {
            loop {
                monitor.take(Instant::now(), read(&tree, &data));
                if stopped.recv_timeout(PERIOD) != Err(mpsc::RecvTimeoutError::Timeout) {
                    return;
                }
            }
        })?;
        Ok(Self { _stop: stop })
    }
}

/// What is remembered from one reading to the next.
struct BoardMonitor {
    governor: Option<Governor>,
    rate: Rate,
    notes: Vec<BoardNote>,
    ports: Ports,
}

/// For the rate of scenes: how many there were at a time.
struct Rate {
    at: Instant,
    scenes: u64,
}

impl Rate {
    /// Scenes per second since the last call.
    #[expect(clippy::cast_precision_loss, reason = "a few thousand at most")]
    fn until(&mut self, at: Instant, scenes: u64) -> f32 {
        let seconds = at.saturating_duration_since(self.at).as_secs_f32();
        let fps = if seconds > 0.0 { scenes.saturating_sub(self.scenes) as f32 / seconds } else { 0.0 };
        *self = Self { at, scenes };
        fps
    }
}

impl BoardMonitor {
    fn take(&mut self, at: Instant, mut status: BoardStatus) {
        let fps = self.rate.until(at, (self.ports.scenes)());
        if let Some(governor) = &mut self.governor {
            let limit = governor.step(at, fps, &status);
            if limit.is_some() {
                status.notes.push(BoardNote::RateLowered);
            }
            let changed = self.ports.limit_fps.send_if_modified(|old| std::mem::replace(old, limit) != limit);
            if changed {
                log_limit(limit, &status);
            }
        }
        self.log_notes(&status);
        self.ports.board.send_replace(Some(Arc::new(status)));
    }

    /// One line when something begins to hold the work back, one when it ends.
    fn log_notes(&mut self, status: &BoardStatus) {
        for note in &status.notes {
            if !self.notes.contains(note) {
                tracing::warn!(note = note.name(), "{}", begun(*note, status));
            }
        }
        for note in self.notes.iter().filter(|note| !status.notes.contains(note)) {
            tracing::info!(note = note.name(), "over: {note}");
        }
        self.notes.clone_from(&status.notes);
    }
}

fn begun(note: BoardNote, status: &BoardStatus) -> String {
    match note {
        BoardNote::Throttled => match status.least_margin() {
            Some((zone, _)) => format!(
                "the board is hot and lowers its clocks ({} is at {:.1} °C): give it air or a fan, or set board.govern",
                zone.name, zone.celsius
            ),
            None => "the board is hot and lowers its clocks: give it air or a fan".into(),
        },
        BoardNote::BrownOut => {
            let volts = status.power.as_ref().and_then(|power| power.volts).unwrap_or_default();
            format!(
                "the supply gives {volts:.2} V, the board needs {:.2} V: use a 5 V 4 A supply on the barrel jack (J48)",
                MIN_VOLTS
            )
        }
        BoardNote::RateLowered => "the frame rate is held down so that the board does not throttle".into(),
    }
}

fn log_limit(limit: Option<f32>, status: &BoardStatus) {
    let (zone, celsius) = status.least_margin().map_or(("none", 0.0), |(zone, _)| (zone.name.as_str(), zone.celsius));
    match limit {
        Some(fps) => tracing::info!(zone, celsius, "frame rate limited to {fps:.1} frames/s"),
        None => tracing::info!(zone, celsius, "frame rate no longer limited"),
    }
}
