//! Which decoded pictures are whole: known from what goes into the decoder.
//!
//! A picture without its key frame, or behind a loss, is decoded all the same, grey and smeared. A probe before each
//! video decoder notes where such a stretch begins and where a key frame ends it, each by its presentation time; the
//! [tap](super::stamps) asks by the time of the decoded picture.

use super::nal::{self, Entry, Framing, NalCodec};
use detector::sync::lock;
use gstreamer::{self as gst, prelude::*};
use gstreamer_video::UpstreamForceKeyUnitEvent;
use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// How many changes between whole and broken are kept: more than there can be pictures in a decoder.
const MARKS: usize = 64;
/// Decoders behind V4L2 keep presentation times in microseconds only.
const ROUNDING: gst::ClockTime = gst::ClockTime::from_mseconds(1);
/// How often a camera is asked for a key frame while none comes.
const ASK_EVERY: Duration = Duration::from_secs(1);

/// What a decoded picture is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quality {
    /// All that it refers to was there.
    Whole,
    /// Something was missing, for so long that it is better than nothing.
    Damaged,
    /// Something was missing; the next key frame is waited for.
    Corrupt,
}

/// What is missing at a coded picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Loss {
    None,
    /// What came before it; it may be whole itself.
    Before,
    /// Parts of it.
    Within,
}

/// The watch over one camera's key frames. It outlives the pipelines, so that its counter never goes back.
#[derive(Debug)]
pub(super) struct KeyFrames {
    /// After how long without a whole picture broken ones are let through.
    wait: gst::ClockTime,
    corrupt: AtomicU64,
    /// Whether RTP packets are missing since the last picture that follows a gap. Gaps alone tell nothing: the jitter buffer
    /// makes them too when packets come late and in a burst.
    packets_lost: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Whether there is a decoder whose pictures refer to each other.
    is_watched: bool,
    /// Whether what goes into the decoder now comes out whole.
    is_whole: bool,
    /// In how many pictures a recovery point holds.
    holds_in: Option<u32>,
    /// From which presentation time on pictures are whole or not, in the order of decoding.
    marks: VecDeque<(gst::ClockTime, bool)>,
    /// The first of the broken pictures that came out, while no whole one has come since.
    broken_since: Option<gst::ClockTime>,
    /// Whether broken pictures are let through.
    gave_up: bool,
    asked: Option<Instant>,
    /// When coded data last came.
    coded: Option<Instant>,
}

impl KeyFrames {
    /// Broken pictures are let through when for `wait` of the stream's time no whole one has come; those that are kept
    /// back are counted on from `corrupt`.
    pub fn new(wait: Duration, corrupt: u64) -> Self {
        let wait = gst::ClockTime::try_from(wait).unwrap_or(gst::ClockTime::MAX);
        Self { wait, corrupt: AtomicU64::new(corrupt), packets_lost: AtomicBool::new(false), state: Mutex::default() }
    }

    /// Forgets what belongs to the pipeline before this one.
    pub fn reset(&self) {
        *lock(&self.state) = State::default();
    }

    /// How many pictures were kept back because their key frame was missing, in all pipelines.
    pub fn corrupt(&self) -> u64 {
        self.corrupt.load(Ordering::Relaxed)
    }

    /// When coded data last came while a key frame is waited for; none while pictures are whole.
    pub fn data_without_key(&self) -> Option<Instant> {
        let state = lock(&self.state);
        state.coded.filter(|_| state.is_watched && !state.is_whole)
    }

    /// What the camera waits for, in words; none while pictures are whole.
    pub fn waits_for(&self) -> Option<&'static str> {
        let state = lock(&self.state);
        let is_broken = state.is_watched && !state.is_whole || state.broken_since.is_some();
        is_broken.then_some(if state.gave_up {
            "waiting for a key frame; until one comes, pictures are damaged"
        } else {
            "waiting for a key frame"
        })
    }

    /// Judges the decoded picture of the presentation time `pts`; `is_marked` says that the decoder itself calls it
    /// corrupt.
    pub fn judge(&self, pts: gst::ClockTime, is_marked: bool) -> Quality {
        let mut state = lock(&self.state);
        if !is_marked && (!state.is_watched || state.is_whole_at(pts)) {
            state.broken_since = None;
            state.gave_up = false;
            return Quality::Whole;
        }
        let since = state.broken_since.map_or(pts, |since| since.min(pts)); // a file may begin again
        state.broken_since = Some(since);
        state.gave_up = pts.saturating_sub(since) >= self.wait;
        if state.gave_up {
            return Quality::Damaged;
        }
        self.corrupt.fetch_add(1, Ordering::Relaxed);
        Quality::Corrupt
    }

    /// Watches every video decoder that `pipeline` has or gets. With `is_rtp` a missing key frame is asked
    /// for.
    pub fn watch(self: &Arc<Self>, pipeline: &gst::Pipeline, is_rtp: bool) {
        for element in pipeline.iterate_recurse().into_iter().flatten() {
            self.attach(&element, is_rtp);
        }
        let keys = self.clone();
        pipeline.connect_deep_element_added(move |_, _, element| keys.attach(element, is_rtp));
    }

    fn attach(self: &Arc<Self>, element: &gst::Element, is_rtp: bool) {
        let class = element.factory().and_then(|factory| Some(factory.metadata("klass")?.to_owned()));
        if class.as_ref().is_some_and(|class| class.contains("Depayloader")) {
            self.count_packets(element);
        }
        let is_decoder = class.is_some_and(|class| class.contains("Decoder") && class.contains("Video"));
        let Some(pad) = element.static_pad("sink").filter(|_| is_decoder && !element.is::<gst::Bin>()) else { return };
        let keys = self.clone();
        let form: Mutex<Option<Form>> = Mutex::default();
        let kinds = gst::PadProbeType::BUFFER | gst::PadProbeType::EVENT_DOWNSTREAM | gst::PadProbeType::EVENT_FLUSH;
        pad.add_probe(kinds, move |pad, info| {
            let mut form = lock(&form);
            if let Some(event) = info.event() {
                match event.view() {
                    gst::EventView::Caps(caps) => *form = Form::of(caps.caps()),
                    gst::EventView::FlushStop(_) => keys.reset(),
                    _ => {}
                }
            } else if let (Some(form), Some(buffer)) = (&*form, info.buffer()) {
                let flags = buffer.flags();
                let loss = if flags.contains(gst::BufferFlags::CORRUPTED) {
                    Loss::Within
                } else if flags.contains(gst::BufferFlags::DISCONT)
                    && (!is_rtp || keys.packets_lost.swap(false, Ordering::Relaxed))
                {
                    Loss::Before
                } else {
                    Loss::None
                };
                if keys.coded(buffer.pts().or(buffer.dts()), form.entry(buffer), loss) && is_rtp {
                    let event = UpstreamForceKeyUnitEvent::builder().all_headers(true).build();
                    pad.push_event(event); // who does not know it leaves it
                }
            }
            gst::PadProbeReturn::Ok
        });
    }

    /// Takes note when the numbers of the RTP packets that reach `depayloader` leave some out.
    fn count_packets(self: &Arc<Self>, depayloader: &gst::Element) {
        let Some(pad) = depayloader.static_pad("sink") else { return };
        let keys = self.clone();
        let next: Mutex<Option<u16>> = Mutex::default();
        pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
            let mut number = [0; 2];
            let packet = info.buffer().filter(|packet| packet.size() >= 4);
            if packet.is_some_and(|packet| packet.copy_to_slice(2, &mut number).is_ok()) {
                let number = u16::from_be_bytes(number);
                let expected = lock(&next).replace(number.wrapping_add(1));
                if expected.is_some_and(|expected| expected != number) {
                    keys.packets_lost.store(true, Ordering::Relaxed);
                }
            }
            gst::PadProbeReturn::Ok
        });
    }

    /// Takes note of a coded picture; gives whether a key frame is to be asked for.
    fn coded(&self, pts: Option<gst::ClockTime>, entry: Entry, loss: Loss) -> bool {
        let mut state = lock(&self.state);
        state.is_watched = true;
        let now = Instant::now();
        let is_first = state.coded.replace(now).is_none(); // nothing before it can be lost
        if pts.is_none() {
            // Nothing to tell old from new by: what holds now holds for all.
            let now = (gst::ClockTime::ZERO, state.is_whole);
            state.marks.clear();
            state.marks.push_back(now);
        }
        let pts = pts.unwrap_or(gst::ClockTime::ZERO);
        if loss != Loss::None && !is_first {
            state.holds_in = None;
            if state.is_whole {
                state.mark(pts, false);
            }
        }
        let entry = if loss == Loss::Within && !is_first { Entry::Dependent } else { entry };
        match (entry, state.holds_in) {
            (_, _) if state.is_whole => {}
            (Entry::Key, _) | (_, Some(0)) => state.mark(pts, true),
            (Entry::KeyAfter(pictures), None) => state.holds_in = Some(pictures.saturating_sub(1)),
            (_, Some(pictures)) => state.holds_in = Some(pictures - 1),
            (Entry::Dependent, None) => {}
        }
        if state.is_whole {
            return false;
        }
        // Of two pictures behind a loss the later one in decoding may be shown first.
        if let Some((from, false)) = state.marks.back_mut() {
            *from = pts.min(*from);
        }
        let asks = state.asked.is_none_or(|asked| now.duration_since(asked) >= ASK_EVERY);
        if asks {
            state.asked = Some(now);
        }
        asks
    }
}

impl State {
    fn mark(&mut self, pts: gst::ClockTime, is_whole: bool) {
        self.is_whole = is_whole;
        self.holds_in = None;
        if self.marks.len() == MARKS {
            self.marks.pop_front();
        }
        self.marks.push_back((pts, is_whole));
    }

    /// Whether the picture of `pts` is whole: the last change at or before it says so.
    fn is_whole_at(&self, pts: gst::ClockTime) -> bool {
        self.marks.iter().rev().find(|(from, _)| *from <= pts + ROUNDING).is_some_and(|(_, is_whole)| *is_whole)
    }
}

/// How a decoder's input is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// By its NAL units.
    Nal(NalCodec, Framing),
    /// By what the parser or demuxer before it says.
    Flags,
}

impl Form {
    /// The form of a stream in which pictures refer to each other; none for all else.
    fn of(caps: &gst::CapsRef) -> Option<Self> {
        let about = caps.structure(0)?;
        let codec = match about.name().as_str() {
            "video/x-h264" => NalCodec::H264,
            "video/x-h265" => NalCodec::H265,
            "video/mpeg" | "video/x-vp8" | "video/x-vp9" | "video/x-h263" => return Some(Self::Flags),
            _ => return None,
        };
        let format = about.get::<&str>("stream-format").unwrap_or("byte-stream");
        if format == "byte-stream" {
            return Some(Self::Nal(codec, Framing::StartCodes));
        }
        let about_lengths = match codec {
            NalCodec::H264 => 4,
            NalCodec::H265 => 21,
        };
        let header =
            about.get::<gst::Buffer>("codec_data").ok().and_then(|header| header.into_mapped_buffer_readable().ok());
        let lengths = header.and_then(|header| header.get(about_lengths).map(|byte| usize::from(byte & 3) + 1));
        Some(Self::Nal(codec, Framing::Lengths(lengths.unwrap_or(4))))
    }

    fn entry(self, buffer: &gst::Buffer) -> Entry {
        match self {
            Self::Nal(codec, framing) => {
                buffer.map_readable().map_or(Entry::Dependent, |data| nal::entry(codec, framing, &data))
            }
            Self::Flags if buffer.flags().contains(gst::BufferFlags::DELTA_UNIT) => Entry::Dependent,
            Self::Flags => Entry::Key,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> gst::ClockTime {
        gst::ClockTime::from_mseconds(ms)
    }

    /// Codes a picture every 40 ms.
    fn code(keys: &KeyFrames, from: u64, entries: &[Entry]) {
        for (index, entry) in (0..).zip(entries) {
            keys.coded(Some(ms(from + index * 40)), *entry, Loss::None);
        }
    }

    #[test]
    fn pictures_before_the_first_key_frame_and_behind_a_loss_are_kept_back() {
        let keys = KeyFrames::new(Duration::from_secs(5), 0);
        assert_eq!(keys.judge(ms(0), false), Quality::Whole, "there is no decoder");
        code(&keys, 0, &[Entry::Dependent, Entry::Dependent]);
        assert_eq!(keys.judge(ms(0), false), Quality::Corrupt);
        assert_eq!(keys.waits_for(), Some("waiting for a key frame"));
        code(&keys, 80, &[Entry::Key, Entry::Dependent]);
        assert_eq!(keys.judge(ms(40), false), Quality::Corrupt, "decoded late");
        assert_eq!((keys.judge(ms(80), false), keys.judge(ms(120), false)), (Quality::Whole, Quality::Whole));
        assert_eq!(keys.waits_for(), None);
        keys.coded(Some(ms(200)), Entry::Dependent, Loss::Before);
        keys.coded(Some(ms(160)), Entry::Dependent, Loss::None); // shown before the one before it
        keys.coded(Some(ms(280)), Entry::Key, Loss::None);
        keys.coded(Some(ms(240)), Entry::Dependent, Loss::None); // leads the key frame: refers to what was lost
        let of = [120, 160, 200, 240, 280].map(|at| keys.judge(ms(at), false));
        assert_eq!(of, [Quality::Whole, Quality::Corrupt, Quality::Corrupt, Quality::Corrupt, Quality::Whole]);
        assert_eq!(keys.corrupt(), 5);
    }

    #[test]
    fn a_recovery_point_counts_when_it_holds() {
        let keys = KeyFrames::new(Duration::from_secs(5), 0);
        code(&keys, 0, &[Entry::KeyAfter(2), Entry::Dependent, Entry::KeyAfter(9), Entry::Dependent]);
        let of = [0, 40, 80, 120].map(|at| keys.judge(ms(at), false));
        assert_eq!(of, [Quality::Corrupt, Quality::Corrupt, Quality::Whole, Quality::Whole]);
    }

    #[test]
    fn after_a_while_broken_pictures_pass_as_damaged() {
        let keys = KeyFrames::new(Duration::from_millis(100), 0);
        code(&keys, 0, &[Entry::Dependent; 6]);
        let of = [0, 40, 80, 120, 160].map(|at| keys.judge(ms(at), false));
        assert_eq!(of, [Quality::Corrupt, Quality::Corrupt, Quality::Corrupt, Quality::Damaged, Quality::Damaged]);
        assert_eq!(keys.waits_for(), Some("waiting for a key frame; until one comes, pictures are damaged"));
        keys.coded(Some(ms(240)), Entry::Key, Loss::None);
        assert_eq!((keys.judge(ms(240), false), keys.corrupt()), (Quality::Whole, 3));
        assert_eq!(keys.judge(ms(280), true), Quality::Corrupt, "the decoder itself says so");
    }

    #[test]
    fn a_key_frame_of_which_parts_are_lost_is_none() {
        let keys = KeyFrames::new(Duration::from_secs(5), 0);
        for (at, entry, loss) in [
            (0, Entry::Key, Loss::Within), // the first is always said to follow a gap
            (40, Entry::Key, Loss::Within),
            (80, Entry::Dependent, Loss::None),
            (120, Entry::Key, Loss::None),
        ] {
            keys.coded(Some(ms(at)), entry, loss);
        }
        let of = [0, 40, 80, 120].map(|at| keys.judge(ms(at), false));
        assert_eq!(of, [Quality::Whole, Quality::Corrupt, Quality::Corrupt, Quality::Whole]);
    }

    #[test]
    fn pictures_without_times_are_judged_by_what_holds_now() {
        let keys = KeyFrames::new(Duration::from_secs(5), 0);
        keys.coded(None, Entry::Dependent, Loss::None);
        assert_eq!(keys.judge(ms(900), false), Quality::Corrupt);
        keys.coded(None, Entry::Key, Loss::None);
        keys.coded(None, Entry::Dependent, Loss::None);
        assert_eq!(keys.judge(ms(940), false), Quality::Whole);
        keys.coded(None, Entry::Dependent, Loss::Before);
        assert_eq!(keys.judge(ms(980), false), Quality::Corrupt);
    }

    #[test]
    fn a_key_frame_is_asked_for_once_a_second() {
        let keys = KeyFrames::new(Duration::from_secs(5), 0);
        assert!(keys.coded(Some(ms(0)), Entry::Dependent, Loss::None));
        assert!(!keys.coded(Some(ms(40)), Entry::Dependent, Loss::None));
        assert!(!keys.coded(Some(ms(80)), Entry::Key, Loss::None));
    }
}
