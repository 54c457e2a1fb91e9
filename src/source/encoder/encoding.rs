//! A running encoder: a pipeline of its own, so that its faults are not the camera's.

use super::choice::{Memory, Settings};
use crate::{
    channels::video::{Codec, EncodedFrame, Kind},
    frame::Stamp,
    source::{
        error::Fault,
        gst::{in_words, named, parse, take_down},
    },
};
use bytes::Bytes;
use detector::geometry::Size;
use detector::sync::lock;
use gstreamer::{self as gst, prelude::*};
use gstreamer_app::{AppSink, AppSinkCallbacks, AppSrc};
use gstreamer_video::VideoInfo;
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

/// The rate of frames where neither the camera nor the configuration names one.
const USUAL_FPS: f64 = 30.0;
/// How long the encoder may take for a frame.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How many frames an encoder may hold before it gives one; and how many it is given while it gives none.
const MAX_HELD: usize = 8;
const MAX_UNDER_WAY: usize = 64;

/// A picture as it came from the camera.
pub(super) struct RawFrame {
    pub stamp: Stamp,
    pub buffer: gst::Buffer,
    pub caps: gst::Caps,
}

/// Encodes pictures of one form. Dropping it takes its pipeline down, so it must not be dropped by one of its threads.
pub(super) struct Encoding {
    pipeline: gst::Pipeline,
    source: AppSrc,
    form: gst::Caps,
    shared: Arc<Shared>,
    /// When its first frame was captured, and the time given to the last.
    began: Option<Instant>,
    last: gst::ClockTime,
}

#[derive(Default)]
struct Shared {
    /// The frames that are in the encoder, by the time given to each.
    under_way: Mutex<VecDeque<UnderWay>>,
    fault: Mutex<Option<String>>,
}

struct UnderWay {
    time: gst::ClockTime,
    stamp: Stamp,
    since: Instant,
}

impl Encoding {
    /// Starts an encoder for pictures of the form `caps`, whose frames are given to `deliver`.
    ///
    /// # Errors
    /// Why it does not start, in words.
    pub fn start(
        settings: &Settings,
        caps: &gst::Caps,
        deliver: impl Fn(EncodedFrame) + Send + 'static,
    ) -> Result<Self, String> {
        let form = Form::of(caps, settings).ok_or_else(|| format!("pictures of the form {caps} cannot be encoded"))?;
        let text = settings.encoder.pipeline(settings.options, form.memory, form.size, form.key_interval());
        let pipeline = parse(&text).map_err(|error| error.to_string())?;
        let shared = Arc::new(Shared::default());
        let in_text = |fault: Fault| fault.text;
        let source: AppSrc = named(&pipeline, "raw").map_err(in_text)?;
        source.set_caps(Some(&form.caps(caps)));
        let coded: AppSink = named(&pipeline, "coded").map_err(in_text)?;
        listen(&pipeline, shared.clone());
        coded.set_callbacks(callbacks(shared.clone(), deliver));
        let encoding = Self { pipeline, source, form: caps.clone(), shared, began: None, last: gst::ClockTime::ZERO };
        match encoding.pipeline.set_state(gst::State::Playing) {
            Ok(_) => Ok(encoding),
            Err(_) => Err(encoding.fault().unwrap_or_else(|| format!("{} does not start", settings.encoder.element()))),
        }
    }

    /// Whether it takes pictures of this form.
    pub fn takes(&self, caps: &gst::Caps) -> bool {
        self.form == *caps
    }

    /// Gives it a frame, unless one still waits: then it is slower than the camera, and this frame is left out.
    pub fn push(&mut self, RawFrame { stamp, buffer, .. }: RawFrame) {
        let mut under_way = lock(&self.shared.under_way);
        if self.source.current_level_bytes() > 0 || under_way.len() >= MAX_UNDER_WAY {
            return;
        }
        // Its own times, which always grow, as those of a file that begins anew do not. Whole microseconds: V4L2 has
        // no finer ones.
        let began = *self.began.get_or_insert(stamp.captured);
        let since = stamp.captured.saturating_duration_since(began).as_micros() as u64;
        let time = gst::ClockTime::from_useconds(since).max(self.last + gst::ClockTime::USECOND);
        self.last = time;
        under_way.push_back(UnderWay { time, stamp, since: Instant::now() });
        drop(under_way);
        let _ = self.source.push_buffer(retimed(&buffer, time)); // an error is on the bus
    }

    /// What is wrong with it, in words.
    pub fn fault(&self) -> Option<String> {
        let under_way = lock(&self.shared.under_way);
        let overdue = under_way.front().is_some_and(|frame| frame.since.elapsed() > TIMEOUT);
        // Where no more frames come, an encoder may keep the last ones.
        let is_full = under_way.len() > MAX_HELD || self.source.current_level_bytes() > 0;
        let silent = || (overdue && is_full).then(|| format!("it gave nothing for {} s", TIMEOUT.as_secs()));
        lock(&self.shared.fault).clone().or_else(silent)
    }
}

impl Drop for Encoding {
    fn drop(&mut self) {
        take_down(&self.pipeline);
    }
}

/// What an encoder must know of the pictures.
struct Form {
    memory: Memory,
    /// With even sides.
    size: Size,
    fps: f64,
}

impl Form {
    fn of(caps: &gst::Caps, settings: &Settings) -> Option<Self> {
        let info = VideoInfo::from_caps(caps).ok()?;
        let is_nvmm = caps.features(0).is_some_and(|features| features.contains("memory:NVMM"));
        let captured =
            Some(info.fps()).filter(|fps| fps.numer() > 0).map(|fps| f64::from(fps.numer()) / f64::from(fps.denom()));
        let limit = settings.fps.map(|fps| fps.get());
        let fps = match (captured, limit) {
            (Some(captured), Some(limit)) => captured.min(limit),
            (Some(fps), None) | (None, Some(fps)) => fps,
            (None, None) => USUAL_FPS,
        };
        let size = Size::new(info.width() & !1, info.height() & !1);
        let memory = if is_nvmm { Memory::Nvmm } else { Memory::System };
        (size.width > 0 && size.height > 0).then_some(Self { memory, size, fps })
    }

    /// How many frames there are in about a second.
    fn key_interval(&self) -> u32 {
        self.fps.round().max(1.0) as u32
    }

    /// `caps` with the rate at which frames really come, by which the encoder shares its bits out, and with square
    /// pixels, so that the video is as wide as the JPEG pictures.
    fn caps(&self, caps: &gst::Caps) -> gst::Caps {
        let mut caps = caps.clone();
        if caps.structure(0).is_some_and(|about| about.has_field("pixel-aspect-ratio")) {
            caps.make_mut().set("pixel-aspect-ratio", gst::Fraction::new(1, 1));
        }
        if let Some(fps) = gst::Fraction::approximate_f64(self.fps) {
            caps.make_mut().set("framerate", fps);
        }
        caps
    }
}

/// `buffer` with another time. It is shared with the camera's other branches, so only what describes the pixels is copied.
/// The original lives as long as the copy: in NVMM the copy holds no more than a handle, and the pool would use the pixels
/// again as soon as the original is given back.
fn retimed(buffer: &gst::Buffer, time: gst::ClockTime) -> gst::Buffer {
    let mut copy = buffer.copy();
    let about = copy.make_mut();
    gst::ParentBufferMeta::add(about, buffer);
    about.set_pts(time);
    about.set_dts(None);
    copy
}

/// Keeps the first error; everything else on the bus is dropped.
fn listen(pipeline: &gst::Pipeline, shared: Arc<Shared>) {
    let Some(bus) = pipeline.bus() else { return };
    bus.set_sync_handler(move |_, message| {
        if let gst::MessageView::Error(error) = message.view() {
            lock(&shared.fault).get_or_insert_with(|| in_words(error));
        }
        gst::BusSyncReply::Drop
    });
}

fn callbacks(shared: Arc<Shared>, deliver: impl Fn(EncodedFrame) + Send + 'static) -> AppSinkCallbacks {
    let mut codec: Option<(gst::Caps, Arc<Codec>)> = None;
    let deliver_next = move |sink: &AppSink| {
        let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
        let caps = sample.caps_owned().ok_or(gst::FlowError::NotNegotiated)?;
        if codec.as_ref().is_none_or(|(of, _)| *of != caps) {
            codec = codec_of(&caps).map(|codec| (caps, Arc::new(codec)));
        }
        let Some((_, codec)) = &codec else {
            gst::element_error!(sink, gst::StreamError::Format, ["the encoder does not say what a decoder must know"]);
            return Err(gst::FlowError::NotNegotiated);
        };
        if let Some(frame) = frame(&sample, codec.clone(), &shared) {
            deliver(frame);
        }
        Ok(gst::FlowSuccess::Ok)
    };
    AppSinkCallbacks::builder().new_sample(deliver_next).build()
}

/// The frame in `sample`; none when it is none of those that were given to the encoder.
fn frame(sample: &gst::Sample, codec: Arc<Codec>, shared: &Shared) -> Option<EncodedFrame> {
    let buffer = sample.buffer_owned()?;
    // An encoder may move the times, and the segment with them.
    let segment = sample.segment()?.downcast_ref::<gst::ClockTime>()?;
    let time = segment.to_running_time(buffer.pts()?)?;
    let stamp = {
        let mut under_way = lock(&shared.under_way);
        let gone = under_way.iter().take_while(|frame| frame.time <= time).count();
        under_way.drain(..gone).next_back()?.stamp
    };
    let kind = if buffer.flags().contains(gst::BufferFlags::DELTA_UNIT) { Kind::Delta } else { Kind::Key };
    let data = Bytes::from_owner(buffer.into_mapped_buffer_readable().ok()?);
    Some(EncodedFrame { stamp, codec, kind, data })
}

fn codec_of(caps: &gst::CapsRef) -> Option<Codec> {
    let about = caps.structure(0)?;
    let side = |name| u32::try_from(about.get::<i32>(name).ok()?).ok();
    let avcc = about.get::<gst::Buffer>("codec_data").ok()?.into_mapped_buffer_readable().ok()?;
    Some(Codec { avcc: Bytes::from_owner(avcc), size: Size::new(side("width")?, side("height")?) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_goes_back_to_its_pool_only_when_the_encoder_has_let_go_of_it() {
        gst::init().unwrap();
        let mut original = gst::Buffer::with_size(16).unwrap();
        let copy = retimed(&original, gst::ClockTime::SECOND);
        assert_eq!((original.pts(), copy.pts()), (None, Some(gst::ClockTime::SECOND)));
        assert_eq!(copy.meta::<gst::ParentBufferMeta>().unwrap().parent().as_ptr(), original.as_ptr());
        assert!(original.get_mut().is_none(), "the copy holds it");
        drop(copy);
        assert!(original.get_mut().is_some());
    }
}
