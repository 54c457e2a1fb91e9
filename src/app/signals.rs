//! SIGTERM and Ctrl-C: the first stops in order, the second at once. SIGHUP asks for another look at the
//! configuration.

use super::failure::Failure;
use detector::infer;
use std::time::Duration;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::sleep,
};

const ECHO: Duration = Duration::from_millis(100);

/// SIGHUP, heard from now on.
pub(super) fn hangup() -> Result<Signal, Failure> {
    signal(SignalKind::hangup()).map_err(|error| Failure::Other(error.into()))
}

/// Both signals, heard from now on.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    pub(super) fn new() -> Result<Self, Failure> {
        let hear = |kind| signal(kind).map_err(|error| Failure::Other(error.into()));
        Ok(Self { terminate: hear(SignalKind::terminate())?, interrupt: hear(SignalKind::interrupt())? })
    }

    /// The next one.
    pub(super) async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    /// Ends the process at the next one, without ceremony. A supervisor that signals the process and its group sends
    /// the first one twice, so those that come within [`ECHO`] count as one.
    pub(super) async fn end_at_once(mut self) {
        let echo = sleep(ECHO);
        tokio::pin!(echo);
        loop {
            tokio::select! {
                () = &mut echo => break,
                () = self.next() => {}
            }
        }
        self.next().await;
        tracing::warn!("asked again: ending at once");
        infer::end_process(1);
    }
}
