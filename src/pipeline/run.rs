//! The inference loop: one thread, one detector at a time, all cameras in turn.

use super::{stages::Stages, thresholds::LiveThresholds};
use crate::{
    channels::latest_frames::{LatestFrames, Next},
    scene::Scene,
    state::DaemonState,
};
use detector::{DetectorError, infer::Remedy};
use std::time::{Duration, Instant};

/// How long the loop waits for a frame before it checks for a pending model swap.
const TIMEOUT: Duration = Duration::from_secs(1);

/// After this many failed runs in a row the engine is given up.
const FAILURES_IN_A_ROW: u32 = 10;

/// Takes frames until `latest_frames` closes: the latest of each camera in turn becomes a scene, which is published, and
/// single pictures, which have one turn among the cameras, are answered.
///
/// # Errors
/// When the network fails ten times in a row, or once in a way that only a restart of the process can
/// heal; other single failures are logged and cost one frame.
pub fn run(
    latest_frames: &mut LatestFrames,
    stages: &mut Stages,
    thresholds: &LiveThresholds,
    state: &DaemonState,
) -> Result<(), DetectorError> {
    let mut failures = 0;
    let mut rate_limiter = RateLimiter::default();
    loop {
        latest_frames.rest(rate_limiter.left(Instant::now(), *state.status.limit_fps.borrow()));
        let next = latest_frames.next(TIMEOUT);
        stages.apply_pending(thresholds);
        let (taken, thresholds) = (Instant::now(), thresholds.load_full());
        stages.follow(&thresholds);
        let outcome = match next {
            Next::Frame(camera, frame) => {
                let Some(thresholds) = thresholds.cameras.get(&camera) else { continue }; // removed in the meantime
                let scene = stages.process(camera.clone(), &frame, thresholds);
                let scene = scene.inspect_err(|error| {
                    tracing::error!(%camera, seq = frame.stamp.seq, "frame lost: {error}");
                    state.metrics.failed(&camera);
                });
                scene.map(|scene| state.publish(Scene { notes: state.status.notes(), ..scene }))
            }
            Next::Still(still) => {
                let answered = stages.answer(still, &thresholds.stills);
                answered.inspect_err(|error| tracing::error!("no detection in a single picture: {error}"))
            }
            Next::Idle => continue,
            Next::Closed => return Ok(()),
        };
        rate_limiter.taken = Some(taken);
        match outcome {
            Ok(()) => failures = 0,
            Err(error) => {
                failures += 1;
                if failures == FAILURES_IN_A_ROW || needs_restart(&error) {
                    return Err(error);
                }
            }
        }
    }
}

/// Whether no later frame can fare better in this process.
fn needs_restart(error: &DetectorError) -> bool {
    matches!(error, DetectorError::Infer(error) if error.remedy() == Remedy::Restart)
}

/// Holds the loop back to a frame rate.
#[derive(Debug, Default)]
struct RateLimiter {
    /// When the last frame was taken.
    taken: Option<Instant>,
}

impl RateLimiter {
    /// How long to wait until the next frame may be taken.
    fn left(&self, now: Instant, limit_fps: Option<f32>) -> Duration {
        let (Some(taken), Some(fps)) = (self.taken, limit_fps) else { return Duration::ZERO };
        // A limit of 0 or less would be a wait without end; the governor's least is far above.
        let period = Duration::try_from_secs_f32(1.0 / fps).unwrap_or(Duration::ZERO);
        (taken + period).saturating_duration_since(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pace_is_that_of_the_limit() {
        let now = Instant::now();
        let rate_limiter = RateLimiter { taken: Some(now) };
        assert_eq!(rate_limiter.left(now, None), Duration::ZERO);
        assert_eq!(rate_limiter.left(now, Some(4.0)), Duration::from_millis(250));
        assert_eq!(rate_limiter.left(now + Duration::from_millis(200), Some(4.0)), Duration::from_millis(50));
        assert_eq!(rate_limiter.left(now + Duration::from_secs(1), Some(4.0)), Duration::ZERO);
        assert_eq!(RateLimiter::default().left(now, Some(4.0)), Duration::ZERO);
        assert_eq!(rate_limiter.left(now, Some(0.0)), Duration::ZERO);
    }
}
