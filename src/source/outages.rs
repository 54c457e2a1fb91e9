//! When a lost camera is worth a line in the log: once when it is lost, once when it is back, and now and then between.

use std::time::{Duration, Instant};

/// How often a camera that stays lost is told of.
const REMINDER: Duration = Duration::from_secs(600);
/// How soon after the last line a camera that is lost again is told of: some come and go every few seconds.
const AGAIN: Duration = Duration::from_secs(60);

/// What has been told of a camera's outages.
#[derive(Debug, Default)]
pub(super) struct Outages {
    /// Since when there are no frames; none while there are.
    lost: Option<Instant>,
    /// Whether the log says that it is lost.
    is_told: bool,
    /// When the log last said so.
    told: Option<Instant>,
    /// Attempts that failed since then.
    failures: u32,
}

/// A line that is due: the camera is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lost {
    /// For how long.
    pub since: Duration,
    /// Attempts that failed since the last such line, with this one.
    pub failures: u32,
}

impl Outages {
    /// An attempt has failed at `now`.
    pub fn failed(&mut self, now: Instant) -> Option<Lost> {
        if self.lost.is_none() {
            self.lost = Some(now);
            self.is_told = false;
        }
        self.failures += 1;
        self.due(now)
    }

    /// Whether the line of a lost camera is due at `now`.
    pub fn due(&mut self, now: Instant) -> Option<Lost> {
        let lost = self.lost?;
        let pause = if self.is_told { REMINDER } else { AGAIN };
        if self.told.is_some_and(|told| now.saturating_duration_since(told) < pause) {
            return None;
        }
        self.told = Some(now);
        self.is_told = true;
        Some(Lost { since: now.saturating_duration_since(lost), failures: std::mem::take(&mut self.failures) })
    }

    /// Frames have come at `now`: for how long there were none, where the log says that the camera was lost.
    pub fn is_back(&mut self, now: Instant) -> Option<Duration> {
        let lost = self.lost.take()?;
        self.is_told.then(|| now.saturating_duration_since(lost))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_camera_that_stays_lost_is_told_of_every_ten_minutes() {
        let start = Instant::now();
        let mut outages = Outages::default();
        let mut lines = Vec::new();
        for second in (0..1_900).step_by(3) {
            lines.extend(outages.failed(start + Duration::from_secs(second)));
        }
        let lost = |since, failures| Lost { since: Duration::from_secs(since), failures };
        assert_eq!(lines, [lost(0, 1), lost(600, 200), lost(1_200, 200), lost(1_800, 200)]);
        assert_eq!(outages.is_back(start + Duration::from_secs(1_900)), Some(Duration::from_secs(1_900)));
        assert_eq!(outages.is_back(start + Duration::from_secs(1_901)), None);
    }

    #[test]
    fn a_camera_that_comes_and_goes_is_told_of_once_a_minute() {
        let start = Instant::now();
        let mut outages = Outages::default();
        let (mut lost, mut back) = (0, 0);
        for second in (0..600).step_by(4) {
            lost += u32::from(outages.failed(start + Duration::from_secs(second)).is_some());
            back += u32::from(outages.is_back(start + Duration::from_secs(second + 2)).is_some());
        }
        assert_eq!((lost, back), (10, 10));
    }
}
