//! Where frames are dropped: `identity` elements that pass or drop each buffer, as a probe on their sink pad decides.
//!
//! A probe must not drop the buffer itself: before GStreamer 1.18, the binding and GStreamer both release it, and each
//! one prints a critical warning. `identity` drops what its property `drop-probability` says, which is set to 0 or 1
//! before each buffer. At 1, one buffer in some 30 million passes all the same (it compares `rand()` in single
//! precision): what lies behind can take it.

use super::{
    config::Fps,
    error::Fault,
    gst::{named, sink_pad},
};
use detector::sync::lock;
use gstreamer::{self as gst, prelude::*};
use std::sync::{
    Mutex,
    atomic::{AtomicBool, Ordering},
};

/// Lets frames through the element `name` of `pipeline` only while `is_open`, which is asked for each.
pub(super) fn keep(
    pipeline: &gst::Pipeline,
    name: &str,
    is_open: impl Fn() -> bool + Send + Sync + 'static,
) -> Result<(), Fault> {
    let gate = Gate::new(named(pipeline, name)?);
    sink_pad(&named::<gst::Element>(pipeline, name)?)?.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
        gate.set(is_open());
        gst::PadProbeReturn::Ok
    });
    Ok(())
}

/// Lets at most `fps` frames a second through the element `name` of `pipeline`. `keeper` is the element whose clock and
/// base time say when a frame comes due.
pub(super) fn limit(pipeline: &gst::Pipeline, name: &str, keeper: &gst::Element, fps: Fps) -> Result<(), Fault> {
    let Ok(interval) = gst::ClockTime::try_from(fps.interval()) else { return Ok(()) };
    let gate = Gate::new(named(pipeline, name)?);
    let limit = Mutex::new(RateLimit { interval, segment: None, not_before: None });
    let keeper = keeper.downgrade();
    let kinds = gst::PadProbeType::BUFFER | gst::PadProbeType::EVENT_DOWNSTREAM;
    sink_pad(&named::<gst::Element>(pipeline, name)?)?.add_probe(kinds, move |_, info| {
        let mut limit = lock(&limit);
        if let Some(gst::EventView::Segment(segment)) = info.event().map(|event| event.view()) {
            limit.segment = segment.segment().downcast_ref::<gst::ClockTime>().cloned();
        } else if let (Some(keeper), Some(buffer)) = (keeper.upgrade(), info.buffer()) {
            gate.set(limit.passes(&keeper, buffer));
        }
        gst::PadProbeReturn::Ok
    });
    Ok(())
}

/// An `identity` that drops all or nothing.
struct Gate {
    identity: gst::glib::WeakRef<gst::Element>,
    is_open: AtomicBool,
}

impl Gate {
    fn new(identity: gst::Element) -> Self {
        Self { identity: identity.downgrade(), is_open: AtomicBool::new(true) }
    }

    fn set(&self, is_open: bool) {
        if self.is_open.swap(is_open, Ordering::Relaxed) != is_open
            && let Some(identity) = self.identity.upgrade()
        {
            identity.set_property("drop-probability", if is_open { 0.0_f32 } else { 1.0 });
        }
    }
}

/// Takes one frame of each interval, by the time at which they come due.
struct RateLimit {
    interval: gst::ClockTime,
    segment: Option<gst::FormattedSegment<gst::ClockTime>>,
    /// The time on the pipeline's clock before which no frame is taken.
    not_before: Option<gst::ClockTime>,
}

impl RateLimit {
    fn passes(&mut self, keeper: &gst::Element, buffer: &gst::BufferRef) -> bool {
        let running = match (buffer.pts(), &self.segment) {
            (Some(pts), Some(segment)) => segment.to_running_time(pts),
            (pts, _) => pts,
        };
        let now = || keeper.clock().map(|clock| clock.time());
        let due = match running.zip(keeper.base_time()) {
            Some((running, base)) => Some(base + running),
            None => now(),
        };
        due.is_none_or(|due| self.passes_at(due))
    }

    fn passes_at(&mut self, due: gst::ClockTime) -> bool {
        // A little early is on time: cameras jitter. Far too early is another clock or a jump back: begin anew.
        let from = self.not_before.filter(|from| due + self.interval * 2 > *from).unwrap_or(due);
        if due + self.interval / 8 < from {
            return false;
        }
        self.not_before = Some(if due > from + self.interval { due } else { from } + self.interval);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passed(interval_ms: u64, dues_ms: &[u64]) -> Vec<u64> {
        let interval = gst::ClockTime::from_mseconds(interval_ms);
        let mut limit = RateLimit { interval, segment: None, not_before: None };
        let passes = |due: &&u64| limit.passes_at(gst::ClockTime::from_mseconds(**due));
        dues_ms.iter().filter(passes).copied().collect()
    }

    #[test]
    fn one_frame_of_each_interval_passes() {
        let at_30: Vec<u64> = (0..30).map(|frame| frame * 1000 / 30).collect();
        assert_eq!(passed(200, &at_30), [0, 200, 400, 600, 800]);
        assert_eq!(passed(200, &[0, 190, 350, 380, 700, 800, 900]), [0, 190, 380, 700, 800], "jitter and a gap");
        assert_eq!(passed(200, &[9000, 9100, 10, 100, 210]), [9000, 10, 210], "a jump back");
    }
}
