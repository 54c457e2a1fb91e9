//! The live path's scaler by itself: one picture in, the model's pixels out, through the same elements.

use super::{
    describe,
    error::SourceError,
    gst::{initialise, parse_error, take_down},
    sinks,
};
use bytes::Bytes;
use detector::{geometry::Size, pixels::Pixels};
use gstreamer::{self as gst, prelude::*};
use gstreamer_app::AppSink;
use gstreamer_video::{VideoFormat, VideoInfo};

/// Scales pictures of any size to one size. Elements are kept from one picture to the next.
#[derive(Debug)]
pub struct Scaler {
    output: Size,
    raw: Option<ScalePipeline>,
    jpeg: Option<ScalePipeline>,
}

/// A picture to scale.
#[derive(Clone, Debug)]
pub enum Image {
    /// Rows without padding, from top to bottom.
    Raw {
        /// What the bytes mean.
        format: RawFormat,
        /// Columns and rows.
        size: Size,
        /// The pixels.
        data: Bytes,
    },
    /// A JPEG file.
    Jpeg(Bytes),
}

/// The layout of a raw picture, without padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RawFormat {
    /// 3 bytes a pixel.
    Rgb,
    /// 4 bytes a pixel.
    Rgba,
    /// A plane of luma, then two of chroma at half the width and height (rounded up), BT.601 video range.
    I420,
}

/// Why a picture could not be scaled.
#[derive(Debug, thiserror::Error)]
pub enum ScaleError {
    /// The scaler cannot be built here.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The bytes do not make a picture of the size given.
    #[error("{given} bytes are not a picture of {size} in {format:?}, which has {wanted}")]
    Length {
        /// The size given.
        size: Size,
        /// The layout given.
        format: RawFormat,
        /// The bytes such a picture has.
        wanted: usize,
        /// The bytes given.
        given: usize,
    },
    /// The picture has no pixels, or too many.
    #[error("a picture of {0} cannot be scaled: each side must be 1 to 32767 pixels")]
    Size(Size),
    /// GStreamer refused the picture, for example a broken JPEG file.
    #[error("the picture cannot be read: {0}")]
    Picture(String),
}

impl Scaler {
    /// A scaler to `output`, the model's input size.
    ///
    /// # Errors
    /// When GStreamer cannot be used here.
    pub fn new(output: Size) -> Result<Self, ScaleError> {
        initialise()?;
        Ok(Self { output, raw: None, jpeg: None })
    }

    /// Scales one picture. The pixels are GStreamer's own buffer, not a copy.
    ///
    /// # Errors
    /// When the picture is not what it says to be; the scaler can be used on.
    pub fn scale(&mut self, image: Image) -> Result<Pixels, ScaleError> {
        let (pipeline, load) = match image {
            Image::Raw { format, size, data } => (slot(&mut self.raw, self.output, "")?, raw(format, size, data)?),
            Image::Jpeg(data) => {
                let caps = gst::Caps::new_empty_simple("image/jpeg");
                let load = Load { caps, buffer: gst::Buffer::from_slice(data) };
                (slot(&mut self.jpeg, self.output, "jpegdec idct-method=islow ! ")?, load)
            }
        };
        let result = pipeline.as_mut().map(|pipeline| pipeline.pass(load));
        match result {
            Some(Ok(pixels)) => Ok(pixels),
            Some(Err(problem)) => {
                *pipeline = None; // an element that failed is not asked again
                Err(ScaleError::Picture(problem))
            }
            None => Err(ScaleError::Picture("the scaler could not be built".into())),
        }
    }
}

/// A picture as GStreamer takes it.
struct Load {
    caps: gst::Caps,
    buffer: gst::Buffer,
}

/// The slot with a pipeline in it.
fn slot<'a>(
    slot: &'a mut Option<ScalePipeline>,
    output: Size,
    decode: &str,
) -> Result<&'a mut Option<ScalePipeline>, SourceError> {
    if slot.is_none() {
        *slot = Some(ScalePipeline::new(&format!(
            "{decode}{} ! appsink name=sink sync=false async=false",
            describe::scale(output)
        ))?);
    }
    Ok(slot)
}

fn raw(format: RawFormat, size: Size, data: Bytes) -> Result<Load, ScaleError> {
    const SIDES: std::ops::RangeInclusive<u32> = 1..=i16::MAX as u32;
    if !SIDES.contains(&size.width) || !SIDES.contains(&size.height) {
        return Err(ScaleError::Size(size));
    }
    let (width, height) = (size.width as usize, size.height as usize);
    let half = |side: usize| side.div_ceil(2);
    // Offset and stride of each plane.
    let (video, planes, wanted): (_, Vec<(usize, usize)>, _) = match format {
        RawFormat::Rgb => (VideoFormat::Rgb, vec![(0, width * 3)], width * height * 3),
        RawFormat::Rgba => (VideoFormat::Rgba, vec![(0, width * 4)], width * height * 4),
        RawFormat::I420 => {
            let (luma, chroma) = (width * height, half(width) * half(height));
            let planes = vec![(0, width), (luma, half(width)), (luma + chroma, half(width))];
            (VideoFormat::I420, planes, luma + 2 * chroma)
        }
    };
    if data.len() != wanted {
        return Err(ScaleError::Length { size, format, wanted, given: data.len() });
    }
    let refused = |error: gst::glib::BoolError| ScaleError::Picture(error.to_string());
    let info = VideoInfo::builder(video, size.width, size.height).build().map_err(refused)?;
    let caps = info.to_caps().map_err(refused)?;
    let mut buffer = gst::Buffer::from_slice(data);
    let offsets: Vec<usize> = planes.iter().map(|plane| plane.0).collect();
    let strides: Vec<i32> = planes.iter().map(|plane| plane.1 as i32).collect();
    gstreamer_video::VideoMeta::add_full(
        buffer.make_mut(),
        gstreamer_video::VideoFrameFlags::empty(),
        video,
        size.width,
        size.height,
        &offsets,
        &strides,
    )
    .map_err(refused)?;
    Ok(Load { caps, buffer })
}

/// Running elements, from a pad that this thread pushes into to a sink that it pulls from: a push comes back when the
/// picture is through.
#[derive(Debug)]
struct ScalePipeline {
    pipeline: gst::Pipeline,
    source: gst::Pad,
    sink: AppSink,
    caps: Option<gst::Caps>,
}

impl ScalePipeline {
    fn new(text: &str) -> Result<Self, SourceError> {
        let refused = |message: &str| SourceError::Pipeline { pipeline: text.into(), message: message.into() };
        let elements = gst::parse::bin_from_description(text, true).map_err(|error| parse_error(text, &error))?;
        let sink = elements.by_name("sink").and_then(|sink| sink.downcast().ok());
        let (sink, entry) = sink.zip(elements.static_pad("sink")).ok_or_else(|| refused("it has no ends"))?;
        let pipeline = gst::Pipeline::new();
        let source = gst::Pad::builder(gst::PadDirection::Src).name("picture").build();
        let linked = pipeline.add(&elements).is_ok() && source.link(&entry).is_ok();
        let pipeline = Self { pipeline, source, sink, caps: None };
        let started = linked && pipeline.pipeline.set_state(gst::State::Playing).is_ok();
        if started && pipeline.source.set_active(true).is_ok() {
            Ok(pipeline)
        } else {
            Err(refused("it does not start"))
        }
    }

    fn pass(&mut self, load: Load) -> Result<Pixels, String> {
        if self.caps.as_ref() != Some(&load.caps) {
            if self.caps.is_none() {
                self.source.push_event(gst::event::StreamStart::new("pictures"));
            }
            self.source.push_event(gst::event::Caps::new(&load.caps));
            self.source.push_event(gst::event::Segment::new(&gst::FormattedSegment::<gst::ClockTime>::new()));
            self.caps = Some(load.caps);
        }
        let pushed = self.source.push(load.buffer);
        let scaled = self.sink.try_pull_sample(gst::ClockTime::ZERO);
        match (self.complaint(), pushed, scaled) {
            (Some(complaint), ..) => Err(complaint),
            (None, Err(flow), _) => Err(flow.to_string()),
            (None, Ok(_), None) => Err("nothing came of it".into()),
            (None, Ok(_), Some(scaled)) => sinks::pixels(&scaled).ok_or_else(|| "it did not become RGBA".into()),
        }
    }

    /// What an element said on the bus.
    fn complaint(&self) -> Option<String> {
        let message = self.pipeline.bus()?.pop_filtered(&[gst::MessageType::Error])?;
        match message.view() {
            gst::MessageView::Error(error) => Some(error.error().message().to_owned()),
            _ => None,
        }
    }
}

impl Drop for ScalePipeline {
    fn drop(&mut self) {
        let _ = self.source.set_active(false);
        take_down(&self.pipeline);
    }
}
