//! Numbers and times of frames, given once before the branches part and found again behind each of them.

use super::keyframes::{KeyFrames, Quality};
use crate::frame::Stamp;
use detector::geometry::Size;
use detector::sync::lock;
use gstreamer::{self as gst, prelude::*};
use jiff::Timestamp;
use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// How many stamps are kept: more than frames can be under way between the tap and the slowest branch.
const KEPT: usize = 64;

/// Where frames are numbered: on the sink pad of the tee. One for each camera; it outlives the pipelines, so that
/// numbers never go back.
#[derive(Debug)]
pub(super) struct Tap {
    seq: AtomicU64,
    keys: Arc<KeyFrames>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    segment: Option<gst::FormattedSegment<gst::ClockTime>>,
    size: Option<Size>,
    /// The time from one frame to the next, as the caps say.
    interval: Option<Duration>,
    last_pts: Option<gst::ClockTime>,
    stamps: VecDeque<(gst::ClockTime, Tapped)>,
}

/// What is known of a frame that has passed the tap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tapped {
    pub stamp: Stamp,
    /// The size of its full picture.
    pub size: Size,
    /// Whether something that it refers to was missing.
    pub is_damaged: bool,
}

impl Tap {
    /// A tap that counts on from `seq`; `keys` says which frames are whole.
    pub fn new(seq: u64, keys: Arc<KeyFrames>) -> Self {
        Self { seq: AtomicU64::new(seq), keys, state: Mutex::default() }
    }

    /// The number of the newest frame: how many there have been.
    pub fn frames(&self) -> u64 {
        self.seq.load(Ordering::Relaxed)
    }

    /// The size of the full picture, once known.
    pub fn size(&self) -> Option<Size> {
        self.lock().size
    }

    /// The time from one frame to the next, where the stream says it.
    pub fn interval(&self) -> Option<Duration> {
        self.lock().interval
    }

    /// Forgets what belongs to the pipeline before this one; the numbers go on.
    pub fn reset(&self) {
        *self.lock() = State::default();
        self.keys.reset();
    }

    /// The watch over this camera's key frames.
    pub fn keys(&self) -> &Arc<KeyFrames> {
        &self.keys
    }

    /// The frame with this presentation time; none when it is older than those that are kept, or its key frame is missing.
    pub fn find(&self, pts: gst::ClockTime) -> Option<Tapped> {
        self.lock().stamps.iter().rev().find(|(of, _)| *of == pts).map(|(_, tapped)| *tapped)
    }

    /// Takes note of what an event says of the frames after it.
    pub fn event(&self, event: &gst::EventRef) {
        match event.view() {
            gst::EventView::Caps(caps) => {
                let dimension = |caps: &gst::StructureRef, name| caps.get::<i32>(name).ok()?.try_into().ok();
                let size = caps
                    .caps()
                    .structure(0)
                    .and_then(|caps| Some(Size::new(dimension(caps, "width")?, dimension(caps, "height")?)));
                let mut state = self.lock();
                state.size = size;
                state.interval = caps.caps().structure(0).and_then(interval);
            }
            gst::EventView::Segment(segment) => {
                let mut state = self.lock();
                state.segment = segment.segment().downcast_ref::<gst::ClockTime>().cloned();
                state.last_pts = None;
            }
            _ => {}
        }
    }

    /// Numbers a buffer that passes at `keeper`, whose clock and base time say when it came due. A buffer without a
    /// presentation time, or with that of the one before it, gets one, because the branches know frames by it.
    pub fn buffer(&self, keeper: &gst::Element, buffer: &mut gst::Buffer) {
        let mut state = self.lock();
        let now = keeper.clock().map(|clock| clock.time());
        let since_base = now.zip(keeper.base_time()).map(|(now, base)| now.saturating_sub(base));
        let pts = match (buffer.pts(), state.last_pts) {
            (Some(pts), Some(last)) if pts == last => last + gst::ClockTime::NSECOND,
            (Some(pts), _) => pts,
            (None, last) => since_base.or(last.map(|last| last + gst::ClockTime::NSECOND)).unwrap_or_default(),
        };
        let running = state.segment.as_ref().map_or(Some(pts), |segment| segment.to_running_time(pts));
        if buffer.pts() != Some(pts) {
            buffer.make_mut().set_pts(pts);
        }
        state.last_pts = Some(pts);
        let quality = self.keys.judge(pts, buffer.flags().contains(gst::BufferFlags::CORRUPTED));
        if quality == Quality::Corrupt {
            return; // it goes on, but has no number, so that nobody takes it
        }
        let age = since_base.zip(running).map_or(gst::ClockTime::ZERO, |(now, due)| now.saturating_sub(due));
        let stamp = stamp(self.seq.fetch_add(1, Ordering::Relaxed) + 1, age.into());
        if state.stamps.len() == KEPT {
            state.stamps.pop_front();
        }
        if let Some(size) = state.size {
            state.stamps.push_back((pts, Tapped { stamp, size, is_damaged: quality == Quality::Damaged }));
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

/// The time from one frame to the next by the caps' `framerate`.
fn interval(caps: &gst::StructureRef) -> Option<Duration> {
    let rate = caps.get::<gst::Fraction>("framerate").ok()?;
    let fps = f64::from(rate.numer()) / f64::from(rate.denom());
    (fps > 0.0).then(|| Duration::from_secs_f64(1.0 / fps))
}

/// The stamp of a frame that was captured `age` ago, on both clocks.
fn stamp(seq: u64, age: Duration) -> Stamp {
    let (now, wall) = (Instant::now(), Timestamp::now());
    let captured = now.checked_sub(age).unwrap_or(now);
    let captured_at = wall.checked_sub(now.duration_since(captured)).unwrap_or(wall);
    Stamp { seq, captured_at, captured }
}
