//! Files at their pace: the element `pace` lets each frame through when it is due, also after the file was rewound.

use super::{
    config::{Config, Fps},
    error::Fault,
    gst::{named, sink_pad},
    images,
    uri::{AtEnd, Pace, SourceUri},
};
use detector::sync::lock;
use gstreamer::{self as gst, prelude::*};
use std::sync::{
    Mutex,
    atomic::{AtomicBool, Ordering},
};

/// Calls `primed` when the first buffer waits before the pace-maker; sets its speed; and after each rewinding lets the first
/// buffer come due when the last frame's time is over, or at once if it comes later than that.
pub(super) fn keep(
    pace: &gst::Element,
    config: &Config,
    primed: impl Fn() + Send + Sync + 'static,
) -> Result<(), Fault> {
    let speed = match &config.uri {
        SourceUri::File { pace: Pace::Times(speed), .. } => *speed,
        _ => 1.0,
    };
    let rewinds = matches!(config.uri, SourceUri::File { end: AtEnd::Loop, .. });
    let is_primed = AtomicBool::new(false);
    let still = config.fps.map_or(images::INTERVAL, Fps::interval);
    let rewinder =
        Mutex::new(Rewinder { still: still.try_into().unwrap_or(gst::ClockTime::SECOND), ..Rewinder::default() });
    let kinds = gst::PadProbeType::BUFFER | gst::PadProbeType::EVENT_DOWNSTREAM | gst::PadProbeType::EVENT_FLUSH;
    let keeper = pace.downgrade();
    sink_pad(pace)?.add_probe(kinds, move |_, info| {
        let mut rewinder = lock(&rewinder);
        if let Some(buffer) = info.buffer() {
            if !is_primed.swap(true, Ordering::Relaxed) {
                primed();
            }
            if rewinds && let Some(keeper) = keeper.upgrade() {
                rewinder.buffer(&keeper, buffer);
            }
        } else if let Some(event) = info.event_mut() {
            match event.view() {
                gst::EventView::FlushStop(_) => rewinder.rewound(),
                gst::EventView::Segment(segment) => {
                    if let Some(mut segment) = segment.segment().downcast_ref::<gst::ClockTime>().cloned() {
                        segment.set_rate(speed);
                        *event = gst::event::Segment::new(&segment);
                        rewinder.segment = Some(segment);
                    }
                }
                _ => {}
            }
        }
        gst::PadProbeReturn::Ok
    });
    Ok(())
}

/// Moves the pace-maker's base time at each beginning anew.
#[derive(Debug, Default)]
struct Rewinder {
    segment: Option<gst::FormattedSegment<gst::ClockTime>>,
    /// How long the frame of a file with only one is shown: as a picture is.
    still: gst::ClockTime,
    /// Running time of this round's last frame, and the time from the one before to it.
    last: Option<(gst::ClockTime, gst::ClockTime)>,
    anew: bool,
}

impl Rewinder {
    fn rewound(&mut self) {
        self.anew = true;
    }

    fn buffer(&mut self, keeper: &gst::Element, buffer: &gst::Buffer) {
        let Some(running) =
            self.segment.as_ref().zip(buffer.pts()).and_then(|(segment, pts)| segment.to_running_time(pts))
        else {
            return;
        };
        let now = keeper.clock().map(|clock| clock.time());
        if self.anew
            && let Some((now, base)) = now.zip(keeper.base_time())
        {
            let due = self.last.take().map_or(now, |(last, interval)| base + last + interval).max(now);
            keeper.set_base_time(due.saturating_sub(running));
            self.anew = false;
        }
        let interval = self.last.map_or(self.still, |(last, _)| running.saturating_sub(last));
        self.last = Some((running, interval));
    }
}

/// Plays the file from its beginning again. The seek goes up from the pace-maker, once: sent to the pipeline, it would
/// come from each of the two sinks, and the first frames would come twice.
pub(super) fn rewind(pipeline: &gst::Pipeline) -> Result<(), Fault> {
    let seek = gst::event::Seek::new(
        1.0,
        gst::SeekFlags::FLUSH | gst::SeekFlags::KEY_UNIT,
        gst::SeekType::Set,
        gst::ClockTime::ZERO,
        gst::SeekType::None,
        gst::ClockTime::NONE,
    );
    if sink_pad(&named::<gst::Element>(pipeline, "pace")?)?.push_event(seek) {
        Ok(())
    } else {
        Err(Fault::passing("the file cannot be played from its beginning again"))
    }
}
