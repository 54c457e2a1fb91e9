//! The two ends of a pipeline: small pixels for the engine, and JPEG pictures for those who watch.

use super::{
    progress::Progress,
    stamps::{Tap, Tapped},
    stillness::{FrozenWatch, MotionWatch},
};
use crate::{
    channels::{latest_frames, pictures::Pictures},
    frame::{Frame, Motion, Picture},
};
use bytes::Bytes;
use detector::{geometry::Size, pixels::Pixels};
use gstreamer as gst;
use gstreamer_app::{AppSink, AppSinkCallbacks};
use gstreamer_video::{VideoInfo, VideoMeta};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// What a sink does when the engine has not taken the frame before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WhenFull {
    /// Puts the new frame in its place: a camera.
    Replace,
    /// Waits: a file that plays as fast as it is looked at.
    Wait,
}

/// What is done with the frames of a pipeline.
pub(super) struct FrameSink {
    pub tap: Arc<Tap>,
    pub progress: Arc<Progress>,
    pub latest_frames: latest_frames::Sender,
    pub when_full: WhenFull,
    /// Set for sources that must not stand still to the pixel.
    pub frozen: Option<FrozenWatch>,
    /// Set for cameras with a motion gate.
    pub motion: Option<MotionWatch>,
    /// Called with the first frame.
    pub first: Option<Box<dyn FnOnce() + Send>>,
}

impl FrameSink {
    /// Takes every sample of `sink` from now on.
    pub fn serve(mut self, sink: &AppSink) {
        let callbacks = AppSinkCallbacks::builder().new_sample(move |sink| {
            let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
            let Some(pixels) = pixels(&sample) else {
                gst::element_error!(sink, gst::StreamError::Format, ["the scaled picture is not RGBA"]);
                return Err(gst::FlowError::NotNegotiated);
            };
            self.take(&sample, pixels)
        });
        sink.set_callbacks(callbacks.build());
    }

    fn take(&mut self, sample: &gst::Sample, pixels: Pixels) -> Result<gst::FlowSuccess, gst::FlowError> {
        let arrived = Instant::now();
        self.progress.frame(arrived);
        let Some(tapped) = sample.buffer().and_then(|buffer| self.tap.find(buffer.pts()?)) else {
            return Ok(gst::FlowSuccess::Ok);
        };
        if let Some(first) = self.first.take() {
            first();
        }
        if self.frozen.as_mut().is_some_and(|watch| watch.has_changed(&pixels)) {
            self.progress.change(arrived);
        }
        let motion = self.motion.as_mut().map_or(Motion::Unmeasured, |watch| watch.measure(&pixels, arrived));
        while self.when_full == WhenFull::Wait && !self.latest_frames.wait_until_taken(Duration::from_millis(100)) {
            self.progress.frame(Instant::now());
            if self.progress.is_closing() {
                return Err(gst::FlowError::Flushing);
            }
        }
        let Tapped { stamp, size: source_size, is_damaged } = tapped;
        self.latest_frames.put(Frame { stamp, source_size, pixels, motion, is_damaged, arrived });
        Ok(gst::FlowSuccess::Ok)
    }
}

/// Shows every sample of `sink` to those who watch.
pub(super) fn deliver_pictures(sink: &AppSink, tap: Arc<Tap>, pictures: Arc<Pictures>) {
    let callbacks = AppSinkCallbacks::builder().new_sample(move |sink| {
        let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
        if let Some(buffer) = sample.buffer_owned()
            && let Some(Tapped { stamp, size, .. }) = buffer.pts().and_then(|pts| tap.find(pts))
            && let Ok(jpeg) = buffer.into_mapped_buffer_readable()
        {
            pictures.show(Picture { stamp, size, jpeg: Bytes::from_owner(jpeg) });
        }
        Ok(gst::FlowSuccess::Ok)
    });
    sink.set_callbacks(callbacks.build());
}

/// The pixels of an RGBA sample: the buffer itself, mapped for reading for as long as they live.
pub(super) fn pixels(sample: &gst::Sample) -> Option<Pixels> {
    let info = VideoInfo::from_caps(sample.caps()?).ok()?;
    if !matches!(info.format(), gstreamer_video::VideoFormat::Rgba | gstreamer_video::VideoFormat::Rgbx) {
        return None;
    }
    let buffer = sample.buffer_owned()?;
    let (offset, stride) = match buffer.meta::<VideoMeta>() {
        Some(meta) => (*meta.offset().first()?, *meta.stride().first()?),
        None => (*info.offset().first()?, *info.stride().first()?),
    };
    let size = Size::new(info.width(), info.height());
    let stride_bytes = usize::try_from(stride).ok()?;
    let data = Bytes::from_owner(buffer.into_mapped_buffer_readable().ok()?);
    let needed = stride_bytes * (size.height as usize).checked_sub(1)? + size.width as usize * Pixels::BYTES_PER_PIXEL;
    (offset + needed <= data.len() && stride_bytes >= size.width as usize * Pixels::BYTES_PER_PIXEL).then(|| Pixels {
        size,
        stride_bytes,
        data: data.slice(offset..),
    })
}
