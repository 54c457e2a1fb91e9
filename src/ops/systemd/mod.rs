//! What systemd is told: READY, STATUS, WATCHDOG, RELOADING and STOPPING. Without systemd every call does nothing.

mod progress;
mod summary;

pub use progress::{CameraView, Deadlines, Progress, Verdict, View};
pub use summary::summary;

use sd_notify::NotifyState;
use std::time::Duration;

/// The configuration is valid and the listener is bound.
pub fn ready() {
    tell(&[NotifyState::Ready]);
}

/// The ordered stop has begun.
pub fn stopping() {
    tell(&[NotifyState::Stopping, NotifyState::Status("stopping")]);
}

/// One line for `systemctl status`.
pub fn status(text: &str) {
    tell(&[NotifyState::Status(text)]);
}

/// The process does its work.
pub fn feed_watchdog() {
    tell(&[NotifyState::Watchdog]);
}

/// After how long without food for the watchdog systemd ends the process; none when there is no watchdog.
pub fn watchdog_limit() -> Option<Duration> {
    sd_notify::watchdog_enabled()
}

fn tell(state: &[NotifyState]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!("systemd could not be told {state:?}: {error}");
    }
}
