//! Ends work that takes too long.
//!
//! ```text
//!  idle ──begin──▶ working ──ended in time──▶ idle
//!                     │ limit over: the run is told to terminate
//!                     ▼
//!                  warned ──came back──▶ the run fails with InferError::Deadline
//!                     │ grace over
//!                     ▼
//!                  stuck: the callback is called, which ends the process
//! ```
//!
//! A driver that hangs cannot be helped from within the process: it has to be restarted. One thread watches all
//! engines; beginning and ending a piece of work costs an engine two atomic stores.

use super::error::{InferError, Stuck, Work};
use crate::sync;
use ort::session::RunOptions;
use std::{
    fmt, io,
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// How often the deadlines are checked.
const INTERVAL: Duration = Duration::from_millis(250);

/// How long a run may take to come back after it was told to terminate.
const GRACE: Duration = Duration::from_secs(2);

/// Watches engines; cloning gives another handle. Its thread ends with the last handle.
#[derive(Clone)]
pub struct DeadlineMonitor {
    watches: Arc<Watches>,
}

/// All that is watched, and the origin of its times.
struct Watches {
    origin: Instant,
    all: Mutex<Vec<Weak<WatchedEngine>>>,
}

/// One engine's state.
struct WatchedEngine {
    work: Work,
    limit: Duration,
    /// When the work is due, in milliseconds from the origin; [`IDLE`] while there is none, and [`WARNED`] is set once
    /// the limit is over.
    due: AtomicU64,
    options: Option<Arc<RunOptions>>,
}

const IDLE: u64 = 0;
const WARNED: u64 = 1 << 63;

impl DeadlineMonitor {
    /// Starts the thread. `on_stuck` is called once for each piece of work that does not come back.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(on_stuck: impl Fn(Stuck) + Send + 'static) -> io::Result<Self> {
        let watches = Arc::new(Watches { origin: Instant::now(), all: Mutex::new(Vec::new()) });
        let seen = Arc::downgrade(&watches);
        thread::Builder::new().name("infer-deadline".to_owned()).spawn(move || {
            while let Some(watches) = seen.upgrade() {
                watches.check(&on_stuck);
                drop(watches);
                thread::sleep(INTERVAL);
            }
        })?;
        Ok(Self { watches })
    }

    /// Something to be watched whenever it works. `options` are told to terminate when the limit is over.
    pub(super) fn watch(&self, work: Work, limit: Duration, options: Option<Arc<RunOptions>>) -> Watch {
        let engine = Arc::new(WatchedEngine { work, limit, due: AtomicU64::new(IDLE), options });
        let mut all = sync::lock(&self.watches.all);
        all.retain(|engine| engine.strong_count() > 0);
        all.push(Arc::downgrade(&engine));
        Watch { engine, watches: self.watches.clone() }
    }
}

impl fmt::Debug for DeadlineMonitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeadlineMonitor").finish_non_exhaustive()
    }
}

impl Watches {
    /// Milliseconds from the origin; never [`IDLE`].
    fn now(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_millis()).map_or(WARNED - 1, |ms| ms + 1)
    }

    /// Warns what is overdue, and gives up what was warned.
    fn check(&self, on_stuck: &impl Fn(Stuck)) {
        let engines: Vec<Arc<WatchedEngine>> = sync::lock(&self.all).iter().filter_map(Weak::upgrade).collect();
        for engine in engines {
            let (due, now) = (engine.due.load(Ordering::Acquire), self.now());
            if due == IDLE || now < due & !WARNED {
                continue;
            }
            // Between the load and here the work may have ended: then the exchange fails and nothing happens.
            let next = if due & WARNED == 0 { (now + millis(GRACE)) | WARNED } else { IDLE };
            if engine.due.compare_exchange(due, next, Ordering::AcqRel, Ordering::Acquire).is_err() {
                continue;
            }
            let stuck = Stuck { work: engine.work, limit: engine.limit };
            match &engine.options {
                Some(options) if due & WARNED == 0 => {
                    tracing::error!("{stuck}: told to terminate");
                    if let Err(error) = options.terminate() {
                        tracing::error!("it could not be told to terminate: {error}");
                    }
                }
                None if due & WARNED == 0 => tracing::error!("{stuck}"),
                _ => on_stuck(stuck),
            }
        }
    }
}

/// One engine's side of the deadline.
pub(super) struct Watch {
    engine: Arc<WatchedEngine>,
    watches: Arc<Watches>,
}

/// The work took longer than it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Overdue(pub Stuck);

impl Watch {
    /// Runs `work` under the deadline.
    pub(super) fn during<T>(&self, work: impl FnOnce() -> T) -> Result<T, Overdue> {
        let WatchedEngine { work: kind, limit, due, .. } = &*self.engine;
        due.store(self.watches.now() + millis(*limit), Ordering::Release);
        let result = work();
        match due.swap(IDLE, Ordering::AcqRel) {
            at if at & WARNED == 0 && at != IDLE => Ok(result),
            _ => Err(Overdue(Stuck { work: *kind, limit: *limit })),
        }
    }
}

/// Does `work`, under the deadline where there is one.
pub(super) fn within<T>(watch: Option<&Watch>, work: impl FnOnce() -> Result<T, InferError>) -> Result<T, InferError> {
    match watch {
        Some(watch) => watch.during(work).map_err(|overdue| InferError::Deadline(overdue.0))?,
        None => work(),
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(WARNED >> 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn work_in_time_is_left_alone() {
        let deadline = DeadlineMonitor::start(|stuck| panic!("{stuck}")).unwrap();
        let watch = deadline.watch(Work::Run, Duration::from_secs(3600), None);
        assert_eq!(watch.during(|| 7), Ok(7));
        assert_eq!(watch.during(|| 8), Ok(8));
    }

    #[test]
    fn work_that_does_not_come_back_is_reported_and_late_work_fails() {
        let (tell, told) = mpsc::channel();
        let deadline = DeadlineMonitor::start(move |stuck| tell.send(stuck).unwrap()).unwrap();
        let watch = deadline.watch(Work::Build, Duration::from_millis(1), None);
        let stuck = Stuck { work: Work::Build, limit: Duration::from_millis(1) };
        // The work ends only once the deadline has given it up.
        assert_eq!(watch.during(|| assert_eq!(told.recv(), Ok(stuck))), Err(Overdue(stuck)));
        assert_eq!(stuck.to_string(), "making the session takes longer than runtime.build_deadline = 1ms");
    }
}
