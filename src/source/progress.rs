//! What the supervisor sees of a running pipeline without asking it: when frames came.

use detector::sync::lock;
use std::{
    collections::VecDeque,
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

/// Written by the streaming threads, read by the supervisor.
#[derive(Debug, Default)]
pub(super) struct Progress {
    seen: Mutex<FrameTimes>,
    closing: AtomicBool,
}

/// When frames came out of a pipeline.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct FrameTimes {
    /// When the last one came, or was last seen waiting for the engine.
    pub last: Option<Instant>,
    /// When the last one came whose pixels were not those of the one before.
    pub changed: Option<Instant>,
    /// When coded data last came while its key frame is waited for.
    pub data: Option<Instant>,
    /// The time from one frame to the next, as it was seen: a mean in which a single gap counts little.
    pub interval: Option<Duration>,
    /// The same, as the stream's caps say.
    pub nominal: Option<Duration>,
}

impl Progress {
    /// A frame has come, or waits for the engine to have room for it: no stall.
    pub fn frame(&self, at: Instant) {
        let mut seen = self.lock();
        if let Some(last) = seen.last {
            let gap = at.saturating_duration_since(last);
            seen.interval = Some(seen.interval.map_or(gap, |mean| (mean * 7 + gap) / 8));
        }
        seen.last = Some(at);
    }

    /// The pixels have changed.
    pub fn change(&self, at: Instant) {
        self.lock().changed = Some(at);
    }

    /// What has been seen so far.
    pub fn seen(&self) -> FrameTimes {
        *self.lock()
    }

    /// Tells streaming threads that wait for the engine to give up.
    pub fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }

    /// Whether [`Progress::close`] was called.
    pub fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, FrameTimes> {
        lock(&self.seen)
    }
}

/// Frames per second over the last seconds, from a counter that is looked at now and then.
#[derive(Debug, Default)]
pub(super) struct Rate {
    looks: VecDeque<(Instant, u64)>,
}

impl Rate {
    /// How far back the mean goes.
    const WINDOW: Duration = Duration::from_secs(3);

    /// Takes note that there were `count` frames at `now`, and gives the mean rate of the last seconds.
    pub fn update(&mut self, now: Instant, count: u64) -> f32 {
        while self.looks.len() > 1 && self.looks.get(1).is_some_and(|(at, _)| now.duration_since(*at) >= Self::WINDOW) {
            self.looks.pop_front();
        }
        let rate = self.looks.front().map_or(0.0, |(at, then)| {
            let seconds = now.duration_since(*at).as_secs_f64();
            if seconds > 0.0 { (count - then) as f64 / seconds } else { 0.0 }
        });
        self.looks.push_back((now, count));
        rate as f32
    }

    /// Begins anew: nothing from before counts.
    pub fn reset(&mut self) {
        self.looks.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_follows_the_last_seconds() {
        let start = Instant::now();
        let mut rate = Rate::default();
        let mut at = |ms: u64, count| rate.update(start + Duration::from_millis(ms), count);
        assert_eq!(at(0, 0), 0.0);
        assert_eq!(at(500, 5), 10.0);
        for half_second in 2..20 {
            assert_eq!(at(half_second * 500, half_second * 5), 10.0);
        }
        // Ten seconds later at twice the rate, nothing of the first one is left.
        for half_second in 20..40 {
            at(half_second * 500, 100 + (half_second - 20) * 10);
        }
        assert_eq!(at(20_000, 300), 20.0);
    }
}
