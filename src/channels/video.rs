//! The live video of one camera: encoded once, seen by many, and only while someone watches.
//!
//! Frames lean on those before them, so a viewer can begin only at a key frame: the frames since the last one are kept
//! while someone watches, and whoever comes in gets them at once. A viewer that falls more than [`BACKLOG`] frames
//! behind goes on at the latest key frame, and is told how many frames it lost. The writer never waits for a viewer.

use crate::frame::Stamp;
use bytes::Bytes;
use detector::{geometry::Size, sync};
use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::sync::{broadcast, watch};

/// How many frames a slow viewer may lag behind before it loses some.
pub const BACKLOG: usize = 64;
/// How many frames since the last key frame are kept for those who come in, and how many bytes of them. An encoder gives
/// a key frame about once a second; with one that does not, whoever comes in waits for the next.
const MAX_KEPT: usize = 300;
const MAX_KEPT_BYTES: usize = 8 << 20;

/// The duration of the first frame, before which there was none.
const NOMINAL: Duration = Duration::from_micros(33_333);
/// What the time between two captures may be on the timeline.
const SHORTEST: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_secs(1);

/// Whether a camera's video can be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Offer {
    /// As H.264, encoded by this GStreamer element.
    H264 {
        /// The element's name.
        encoder: &'static str,
    },
    /// Not, and why, in words.
    None(String),
}

/// What a decoder must know before the first frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Codec {
    /// The `AVCDecoderConfigurationRecord` (ISO/IEC 14496-15): profile, level, parameter sets.
    pub avcc: Bytes,
    /// Size of the picture in pixels: even, at most one pixel less than the camera's.
    pub size: Size,
}

/// Whether a frame can be decoded without those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It can.
    Key,
    /// It leans on frames before it.
    Delta,
}

/// A frame as it leaves the encoder.
#[derive(Clone, Debug)]
pub struct EncodedFrame {
    /// Number and time, equal to those of the [`Frame`](crate::frame::Frame) of the same moment.
    pub stamp: Stamp,
    /// What it was encoded with.
    pub codec: Arc<Codec>,
    /// Whether viewers can begin with it.
    pub kind: Kind,
    /// The access unit: NAL units, each with its length before it, as the codec's record says.
    pub data: Bytes,
}

/// A frame with its place on the timeline.
#[derive(Debug)]
pub struct VideoFrame {
    /// The frame.
    pub frame: EncodedFrame,
    /// Counts the frames of the video from 1, without gaps.
    pub index: u64,
    /// When it is shown, from the beginning of the timeline.
    pub at: Duration,
    /// How long it is shown.
    pub duration: Duration,
    wrapped: OnceLock<Bytes>,
}

impl VideoFrame {
    /// The frame in the form in which it is sent: made by `wrap` at the first call, for all who call.
    pub fn wrapped(&self, wrap: impl FnOnce(&Self) -> Bytes) -> Bytes {
        self.wrapped.get_or_init(|| wrap(self)).clone()
    }
}

/// The times of frames: contiguous, whatever the camera does. A frame's duration would be known only when the next one
/// comes; to show each at once, it is given the time since the frame before it, so that the timeline runs one frame
/// behind the captures.
#[derive(Debug, Default)]
struct Timeline {
    end: Duration,
    captured: Option<Instant>,
}

impl Timeline {
    /// The time and duration of a frame captured at `captured`.
    fn place(&mut self, captured: Instant) -> (Duration, Duration) {
        let since = self.captured.replace(captured).map(|last| captured.saturating_duration_since(last));
        let duration = since.map_or(NOMINAL, |since| since.clamp(SHORTEST, LONGEST));
        // Whole microseconds, the unit of those who read it, so that no rounding tears frames apart.
        let duration = Duration::from_micros(duration.as_micros() as u64);
        let at = self.end;
        self.end += duration;
        (at, duration)
    }
}

/// The writer's side and the place where viewers come in.
#[derive(Debug)]
pub struct Video {
    viewers: AtomicUsize,
    offer: watch::Sender<Offer>,
    frames: broadcast::Sender<Arc<VideoFrame>>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    timeline: Timeline,
    count: u64,
    /// The last key frame and all since; empty while nobody watches.
    kept: VecDeque<Arc<VideoFrame>>,
    kept_bytes: usize,
}

impl Default for Video {
    fn default() -> Self {
        Self {
            viewers: AtomicUsize::new(0),
            offer: watch::channel(Offer::None("the camera has not been started".into())).0,
            frames: broadcast::channel(BACKLOG).0,
            state: Mutex::default(),
        }
    }
}

impl Video {
    /// Whether anyone watches: the source asks before it encodes.
    pub fn wanted(&self) -> bool {
        self.viewers() > 0
    }

    /// How many watch.
    pub fn viewers(&self) -> usize {
        self.viewers.load(Ordering::Relaxed)
    }

    /// Whether it can be had now.
    pub fn offer(&self) -> Offer {
        self.offer.borrow().clone()
    }

    /// Says whether it can be had. Those who watch are sent away by [`Offer::None`].
    pub fn set_offer(&self, offer: Offer) {
        self.offer.send_if_modified(|old| (*old != offer).then(|| *old = offer).is_some());
    }

    /// Shows `frame` to all who watch.
    pub fn show(&self, frame: EncodedFrame) {
        let mut state = self.lock();
        let (at, duration) = state.timeline.place(frame.stamp.captured);
        state.count += 1;
        let frame = Arc::new(VideoFrame { frame, index: state.count, at, duration, wrapped: OnceLock::new() });
        if self.wanted() {
            state.keep(frame.clone());
        }
        let _ = self.frames.send(frame); // an error means that nobody listens
    }

    /// Comes in to watch. While the viewer lives, the source encodes.
    pub fn watch(self: &Arc<Self>) -> Viewer {
        self.viewers.fetch_add(1, Ordering::Relaxed);
        let (frames, kept) = self.join();
        Viewer { video: self.clone(), frames, kept, offer: self.offer.subscribe(), last: None }
    }

    /// The frames since the last key frame, and all after them.
    fn join(&self) -> (broadcast::Receiver<Arc<VideoFrame>>, VecDeque<Arc<VideoFrame>>) {
        let state = self.lock(); // held, so that no frame comes between the two
        (self.frames.subscribe(), state.kept.clone())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        sync::lock(&self.state)
    }
}

impl State {
    fn keep(&mut self, frame: Arc<VideoFrame>) {
        if frame.frame.kind == Kind::Key {
            self.forget();
        } else if self.kept.is_empty() {
            return;
        }
        self.kept_bytes += frame.frame.data.len();
        self.kept.push_back(frame);
        if self.kept.len() > MAX_KEPT || self.kept_bytes > MAX_KEPT_BYTES {
            self.forget();
        }
    }

    fn forget(&mut self) {
        self.kept.clear();
        self.kept_bytes = 0;
    }
}

/// Someone who watches.
#[derive(Debug)]
pub struct Viewer {
    video: Arc<Video>,
    frames: broadcast::Receiver<Arc<VideoFrame>>,
    /// Frames from before it came in.
    kept: VecDeque<Arc<VideoFrame>>,
    offer: watch::Receiver<Offer>,
    /// The index of the last frame it was given.
    last: Option<u64>,
}

/// A frame for one viewer.
#[derive(Clone, Debug)]
pub struct Next {
    /// The first ever and every one after a loss is a key frame.
    pub frame: Arc<VideoFrame>,
    /// How many frames before it were left out, because the viewer was too slow.
    pub lost: u64,
}

impl Viewer {
    /// The next frame that can be decoded; never returns while none comes.
    ///
    /// # Errors
    /// Why there will be no more, in words.
    pub async fn next(&mut self) -> Result<Next, String> {
        loop {
            if let Offer::None(why) = &*self.offer.borrow_and_update() {
                return Err(why.clone());
            }
            let frame = match self.kept.pop_front() {
                Some(frame) => frame,
                None => match self.receive().await {
                    Some(frame) => frame,
                    None => continue,
                },
            };
            let follows = self.last.is_some_and(|last| frame.index == last + 1);
            if follows || frame.frame.kind == Kind::Key {
                let lost = self.last.map_or(0, |last| frame.index - last - 1);
                self.last = Some(frame.index);
                return Ok(Next { frame, lost });
            }
        }
    }

    /// The next frame; none when there is something else to look at first.
    async fn receive(&mut self) -> Option<Arc<VideoFrame>> {
        // The senders of both live in `self.video`, so the channels cannot close under us.
        let received = tokio::select! {
            received = self.frames.recv() => received,
            _ = self.offer.changed() => return None,
        };
        if received.is_err() {
            let last = self.last.unwrap_or(0);
            (self.frames, self.kept) = self.video.join();
            self.kept.retain(|frame| frame.index > last);
        }
        received.ok()
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        if self.video.viewers.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.video.lock().forget(); // nobody watches: keep nothing
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    fn encoded(seq: u64, captured: Instant, kind: Kind) -> EncodedFrame {
        let codec = Arc::new(Codec { avcc: Bytes::new(), size: Size::new(2, 2) });
        let stamp = Stamp { seq, captured_at: Timestamp::UNIX_EPOCH, captured };
        EncodedFrame { stamp, codec, kind, data: Bytes::from_static(&[0; 8]) }
    }

    /// A video of which frames 1, 11, 21... are key frames, up to `frames`, shown from now on.
    fn video() -> (Arc<Video>, impl FnMut(u64)) {
        let video = Arc::new(Video::default());
        video.set_offer(Offer::H264 { encoder: "test" });
        let (writer, start, mut shown) = (video.clone(), Instant::now(), 0);
        let show = move |frames| {
            for _ in 0..frames {
                let kind = if shown % 10 == 0 { Kind::Key } else { Kind::Delta };
                shown += 1;
                writer.show(encoded(shown, start + Duration::from_millis(40 * shown), kind));
            }
        };
        (video, show)
    }

    #[test]
    fn the_timeline_has_no_gaps_and_runs_one_frame_behind() {
        let start = Instant::now();
        let mut timeline = Timeline::default();
        let captures = [0, 40, 80, 80, 81, 181, 60_000, 60_040].map(Duration::from_millis);
        let placed = captures.map(|capture| timeline.place(start + capture));
        let durations = placed.map(|(_, duration)| duration.as_micros());
        assert_eq!(durations, [33_333, 40_000, 40_000, 1_000, 1_000, 100_000, 1_000_000, 40_000]);
        for pair in placed.windows(2) {
            assert_eq!(pair[0].0 + pair[0].1, pair[1].0);
        }
    }

    #[tokio::test]
    async fn who_comes_in_gets_the_frames_since_the_last_key_frame() {
        let (video, mut show) = video();
        let mut first = video.watch();
        show(15);
        let mut second = video.watch();
        show(1);
        for index in 1..=16 {
            assert_eq!(first.next().await.unwrap().frame.index, index);
        }
        for index in 11..=16 {
            let Next { frame, lost } = second.next().await.unwrap();
            assert_eq!((frame.index, lost), (index, 0));
        }
    }

    #[tokio::test]
    async fn nothing_is_kept_while_nobody_watches() {
        let (video, mut show) = video();
        drop(video.watch());
        assert!(!video.wanted());
        show(15);
        let mut viewer = video.watch();
        show(10);
        assert_eq!(viewer.next().await.unwrap().frame.index, 21, "the first key frame from then on");
    }

    #[tokio::test]
    async fn a_slow_viewer_goes_on_at_the_latest_key_frame() {
        let (video, mut show) = video();
        let mut viewer = video.watch();
        show(3);
        for _ in 0..3 {
            viewer.next().await.unwrap();
        }
        show(100);
        let Next { frame, lost } = viewer.next().await.unwrap();
        assert_eq!((frame.index, frame.frame.kind, lost), (101, Kind::Key, 97));
        assert_eq!(viewer.next().await.unwrap().frame.index, 102);
    }

    #[tokio::test]
    async fn without_key_frames_what_is_kept_is_bounded() {
        let (video, mut show) = video();
        let _viewer = video.watch();
        show(1);
        for seq in 2..1000 {
            video.show(encoded(seq, Instant::now(), Kind::Delta));
            assert!(video.lock().kept.len() <= MAX_KEPT);
        }
    }

    #[tokio::test]
    async fn viewers_are_sent_away_with_the_reason() {
        let (video, mut show) = video();
        let mut viewer = video.watch();
        show(1);
        viewer.next().await.unwrap();
        let waits = tokio::spawn(async move { viewer.next().await.map(drop) });
        tokio::task::yield_now().await;
        video.set_offer(Offer::None("it broke".into()));
        assert_eq!(waits.await.unwrap(), Err("it broke".into()));
        assert!(!video.wanted());
    }
}
