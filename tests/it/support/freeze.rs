//! The inference thread of a running daemon, stopped as a debugger stops it.

use nix::{
    sys::{
        ptrace,
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::Pid,
};
use std::{
    fs, thread,
    time::{Duration, Instant},
};

/// The number of the kernel's `futex`, in which a thread waits for a condition.
const FUTEX: &str = if cfg!(target_arch = "aarch64") { "98 " } else { "202 " };

/// Where the thread is to be stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FreezePoint {
    /// While it waits for a frame.
    Waiting,
    /// While it computes.
    Computing,
}

/// A thread that is stopped; only the thread of the test that stopped it can let it go.
pub struct Frozen(Pid);

impl Frozen {
    /// Stops the inference thread of the process `daemon` at `place`.
    ///
    /// # Errors
    /// Where the system does not let one process stop another.
    pub fn inference(daemon: u32, place: FreezePoint) -> nix::Result<Self> {
        let is_inference = |task: &fs::DirEntry| {
            fs::read_to_string(task.path().join("comm")).is_ok_and(|name| name.trim() == "inference")
        };
        let mut tasks = fs::read_dir(format!("/proc/{daemon}/task")).unwrap().map(Result::unwrap);
        let task = tasks.find(is_inference).unwrap();
        let thread = Pid::from_raw(task.file_name().to_str().unwrap().parse().unwrap());
        loop {
            ptrace::seize(thread, ptrace::Options::empty())?;
            ptrace::interrupt(thread)?;
            waitpid(thread, Some(WaitPidFlag::__WALL))?;
            let waits = fs::read_to_string(task.path().join("syscall")).unwrap().starts_with(FUTEX);
            if waits == (place == FreezePoint::Waiting) {
                return Ok(Self(thread));
            }
            ptrace::detach(thread, None)?;
            thread::sleep(Duration::from_millis(3));
        }
    }

    /// Lets it go on.
    pub fn let_go(self) {
        ptrace::detach(self.0, None).unwrap();
    }

    /// Whether its process ends within `timeout`, while it is still stopped.
    pub fn is_ended_within(&self, timeout: Duration) -> bool {
        let start = Instant::now();
        let flags = WaitPidFlag::__WALL | WaitPidFlag::WNOHANG;
        while waitpid(self.0, Some(flags)) == Ok(WaitStatus::StillAlive) {
            if start.elapsed() > timeout {
                return false;
            }
            thread::sleep(Duration::from_millis(20));
        }
        true
    }
}
