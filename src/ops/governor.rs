//! The governor: lowers the frame rate before the kernel lowers clocks, and raises it again.
//!
//! ```text
//!            margin < lower, every STEP                  margin > raise, every STEP
//!   free ───────────────────────────────▶ limited ───────────────────────────────────▶ limited, higher
//!     ▲                                    │ rate × 3/4, not below the least             │ rate × 5/4
//!     └────────────────────────────────────┴── the limit is above what it was lowered from ─┘
//! ```
//!
//! Between the two margins nothing changes (hysteresis). Pure: time and readings are arguments.

use super::telemetry::Config;
use crate::board::BoardStatus;
use std::time::{Duration, Instant};

/// How long a change is given to show in the temperature.
const STEP: Duration = Duration::from_secs(10);

const LOWER: f32 = 0.75;
const RAISE: f32 = 1.25;

/// Decides how many frames per second the engine may take, all cameras together.
#[derive(Clone, Debug)]
pub struct Governor {
    lower_within: f32,
    raise_beyond: f32,
    min_fps: f32,
    limited: Option<Limited>,
}

/// A rate that was lowered.
#[derive(Clone, Copy, Debug)]
struct Limited {
    fps: f32,
    /// The rate it was before it was lowered.
    free_fps: f32,
    changed: Instant,
}

impl Governor {
    /// A governor that has not limited anything yet.
    pub fn new(config: &Config) -> Self {
        let lower_within = config.lower_within_celsius.celsius();
        Self {
            lower_within,
            raise_beyond: config.raise_beyond_celsius.celsius().max(lower_within + 1.0),
            min_fps: config.min_fps.get(),
            limited: None,
        }
    }

    /// Looks at one reading; `fps` is the rate at which the engine runs now. Gives the limit from now on, if any.
    /// Without a sensor that has a trip point nothing is ever limited.
    pub fn step(&mut self, at: Instant, fps: f32, status: &BoardStatus) -> Option<f32> {
        let Some((_, margin)) = status.least_margin() else { return self.limit() };
        let due = self.limited.is_none_or(|limited| at.saturating_duration_since(limited.changed) >= STEP);
        if due && margin < self.lower_within && fps > 0.0 {
            self.lower(at, fps);
        } else if due && margin > self.raise_beyond {
            self.raise(at);
        }
        self.limit()
    }

    /// The limit in force, in frames per second.
    pub fn limit(&self) -> Option<f32> {
        self.limited.map(|limited| limited.fps)
    }

    fn lower(&mut self, at: Instant, fps: f32) {
        let (from, free_fps) = self.limited.map_or((fps, fps), |limited| (limited.fps, limited.free_fps));
        let lowered = (from * LOWER).max(self.min_fps);
        if lowered < from {
            self.limited = Some(Limited { fps: lowered, free_fps, changed: at });
        }
    }

    fn raise(&mut self, at: Instant) {
        let Some(limited) = self.limited else { return };
        let raised = limited.fps * RAISE;
        self.limited = (raised < limited.free_fps).then_some(Limited { fps: raised, changed: at, ..limited });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::ThermalZone;

    fn at_celsius(celsius: f32) -> BoardStatus {
        let zone = ThermalZone {
            name: "CPU-therm".into(),
            celsius,
            passive_celsius: Some(97.0),
            critical_celsius: Some(102.0),
        };
        BoardStatus { thermal_zones: vec![zone], ..BoardStatus::default() }
    }

    fn governor() -> Governor {
        Governor::new(&Config::default())
    }

    #[test]
    fn a_cool_board_runs_free() {
        let mut governor = governor();
        for second in 0..100 {
            assert_eq!(governor.step(Instant::now() + Duration::from_secs(second), 30.0, &at_celsius(60.0)), None);
        }
    }

    #[test]
    fn a_hot_board_is_lowered_step_by_step_down_to_the_least() {
        let (mut governor, start) = (governor(), Instant::now());
        let hot = at_celsius(90.0);
        assert_eq!(governor.step(start, 16.0, &hot), Some(12.0));
        assert_eq!(governor.step(start + Duration::from_secs(9), 12.0, &hot), Some(12.0), "too early for the next");
        assert_eq!(governor.step(start + Duration::from_secs(10), 12.0, &hot), Some(9.0));
        for second in 11..300 {
            governor.step(start + Duration::from_secs(second), 2.0, &hot);
        }
        assert_eq!(governor.limit(), Some(2.0));
    }

    #[test]
    fn between_the_margins_nothing_changes() {
        let (mut governor, start) = (governor(), Instant::now());
        governor.step(start, 16.0, &at_celsius(90.0));
        for second in 1..100 {
            let limit = governor.step(start + Duration::from_secs(second), 12.0, &at_celsius(85.0));
            assert_eq!(limit, Some(12.0));
        }
    }

    #[test]
    fn a_board_that_cooled_down_is_raised_until_it_is_free() {
        let (mut governor, start) = (governor(), Instant::now());
        governor.step(start, 16.0, &at_celsius(90.0));
        let cool = at_celsius(70.0);
        assert_eq!(governor.step(start + Duration::from_secs(10), 12.0, &cool), Some(15.0));
        assert_eq!(governor.step(start + Duration::from_secs(20), 15.0, &cool), None);
    }

    #[test]
    fn a_machine_without_trip_points_is_left_alone() {
        let mut status = at_celsius(120.0);
        status.thermal_zones[0].passive_celsius = None;
        assert_eq!(governor().step(Instant::now(), 30.0, &status), None);
    }

    #[test]
    fn a_board_that_does_nothing_is_not_lowered() {
        assert_eq!(governor().step(Instant::now(), 0.0, &at_celsius(95.0)), None);
    }
}
