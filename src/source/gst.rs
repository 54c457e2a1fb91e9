//! What the modules here share: GStreamer's start, pipelines from text, their elements and pads, its errors as ours.

use super::error::{Fault, SourceError};
use gstreamer::{self as gst, prelude::*};
use std::{thread, time::Duration};

/// How often an element that does not come down is told again, and the pause before each time.
const DOWN_TRIES: u32 = 50;
const DOWN_PAUSE: Duration = Duration::from_millis(20);

/// Starts GStreamer, once for the process.
pub(super) fn initialise() -> Result<(), SourceError> {
    gst::init().map_err(|error| SourceError::GStreamer(error.to_string()))
}

/// The pipeline that `text` describes, not started.
pub(super) fn parse(text: &str) -> Result<gst::Pipeline, SourceError> {
    let element = gst::parse::launch(text).map_err(|error| parse_error(text, &error))?;
    let no_pipeline = |_| SourceError::Pipeline { pipeline: text.into(), message: "it is only one element".into() };
    element.downcast().map_err(no_pipeline)
}

/// The error for a pipeline that cannot be parsed.
pub(super) fn parse_error(text: &str, error: &gst::glib::Error) -> SourceError {
    let message = error.message();
    if error.matches(gst::ParseError::NoSuchElement) {
        missing_element(message.split('"').nth(1).unwrap_or(message))
    } else {
        SourceError::Pipeline { pipeline: text.into(), message: message.into() }
    }
}

/// The element `name` of `pipeline`.
pub(super) fn named<T: IsA<gst::Object>>(pipeline: &gst::Pipeline, name: &str) -> Result<T, Fault> {
    pipeline
        .by_name(name)
        .and_then(|element| element.dynamic_cast().ok())
        .ok_or_else(|| Fault::lasting(format!("the pipeline has no element `{name}` of the right kind")))
}

/// The static sink pad of `element`.
pub(super) fn sink_pad(element: &impl IsA<gst::Element>) -> Result<gst::Pad, Fault> {
    element
        .static_pad("sink")
        .ok_or_else(|| Fault::lasting(format!("the element `{}` has no sink pad", element.as_ref().name())))
}

/// Whether the element is installed.
pub(super) fn has_element(element: &str) -> bool {
    gst::ElementFactory::find(element).is_some()
}

/// The error for an element that is not there.
pub(super) fn missing_element(element: &str) -> SourceError {
    SourceError::MissingElement { element: element.into(), hint: format!("install {}", package(element)) }
}

/// The Debian package with an element, where it is one that sources use.
pub(super) fn package(element: &str) -> &'static str {
    match element {
        "videoconvert" | "videoscale" | "videotestsrc" | "appsrc" | "appsink" | "uridecodebin" | "decodebin" => {
            "gstreamer1.0-plugins-base"
        }
        "v4l2src" | "jpegdec" | "jpegenc" | "videoflip" | "videocrop" | "rtspsrc" | "souphttpsrc" | "rtph264depay"
        | "rtph265depay" | "rtpjpegdepay" => "gstreamer1.0-plugins-good",
        "x264enc" => "gstreamer1.0-plugins-ugly",
        "h264parse" | "h265parse" | "openh264enc" => "gstreamer1.0-plugins-bad",
        "avdec_h264" | "avdec_h265" => "gstreamer1.0-libav",
        "nvarguscamerasrc" | "nvvidconv" | "nvv4l2decoder" | "nvv4l2h264enc" | "nvjpegenc" => "nvidia-l4t-gstreamer",
        _ => "the GStreamer plugin that has it",
    }
}

/// An error on the bus: the element, what happened, and what the element adds. It may name the source's address with all
/// that is in it.
pub(super) fn in_words(error: &gst::message::Error) -> String {
    let by = error.src().map_or_else(|| "the pipeline".into(), |source| source.name());
    // What an element adds stands behind the place in its source.
    let debug = error.debug();
    let detail =
        debug.as_deref().and_then(|debug| Some(debug.split_once('\n')?.1.trim())).filter(|text| !text.is_empty());
    let detail = detail.map_or_else(String::new, |detail| format!(" ({detail})"));
    format!("{by}: {}{detail}", error.error().message())
}

/// Takes `element` and all that is in it down to NULL; false when it stays up, and is left in memory for good.
///
/// `decodebin` may fail to come down while one of its threads still adds or removes elements, as in a file that is cut
/// in the middle. What was then freed would be in use: so it is tried again, and what never comes down is never freed.
pub(super) fn take_down(element: &impl IsA<gst::Element>) -> bool {
    let is_down = (0..DOWN_TRIES).any(|attempt| {
        if attempt > 0 {
            thread::sleep(DOWN_PAUSE);
        }
        element.set_state(gst::State::Null).is_ok()
    });
    if !is_down {
        tracing::error!(element = %element.as_ref().name(), "an element of GStreamer does not stop; it is left behind");
        std::mem::forget(element.clone());
    }
    is_down
}

/// A thread's name: Linux keeps 15 bytes of it.
pub(super) fn thread_name(kind: &str, camera: &str) -> String {
    let room = 15 - kind.len() - 1;
    format!("{kind}-{}", camera.get(..room).unwrap_or(camera))
}
