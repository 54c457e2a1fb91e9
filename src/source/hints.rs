//! What GStreamer says, in words that name the thing and the way out.

use super::{
    error::{Fault, RetryPolicy, SourceError},
    uri::SourceUri,
};
use gstreamer::{self as gst, prelude::*};

/// The Debian package with an element, where it is one that sources use.
pub(super) fn package(element: &str) -> &'static str {
    match element {
        "videoconvert" | "videoscale" | "videotestsrc" | "appsrc" | "appsink" | "uridecodebin" | "decodebin" => {
            "gstreamer1.0-plugins-base"
        }
        "v4l2src" | "jpegdec" | "jpegenc" | "videoflip" | "videocrop" | "rtspsrc" | "souphttpsrc"
        | "multipartdemux" | "rtph264depay" | "rtph265depay" | "rtpjpegdepay" => "gstreamer1.0-plugins-good",
        "x264enc" => "gstreamer1.0-plugins-ugly",
        "h264parse" | "h265parse" | "openh264enc" => "gstreamer1.0-plugins-bad",
        "avdec_h264" | "avdec_h265" => "gstreamer1.0-libav",
        "nvarguscamerasrc" | "nvvidconv" | "nvv4l2decoder" | "nvv4l2h264enc" | "nvjpegenc" => "nvidia-l4t-gstreamer",
        _ => "the GStreamer plugin that has it",
    }
}

/// Whether the element is installed.
pub(super) fn has_element(element: &str) -> bool {
    gst::ElementFactory::find(element).is_some()
}

/// The error for an element that is not there.
pub(super) fn missing_element(element: &str) -> SourceError {
    SourceError::MissingElement { element: element.into(), hint: format!("install {}", package(element)) }
}

/// The error for a pipeline that cannot be parsed.
pub(super) fn of_parse_error(text: &str, error: &gst::glib::Error) -> SourceError {
    let message = error.message();
    if error.matches(gst::ParseError::NoSuchElement) {
        missing_element(message.split('"').nth(1).unwrap_or(message))
    } else {
        SourceError::Pipeline { pipeline: text.into(), message: message.into() }
    }
}

/// The name of what a missing-plugin message misses, for example "H.264 (High Profile) decoder".
pub(super) fn missing_plugin(structure: &gst::StructureRef) -> Option<String> {
    (structure.name() == "missing-plugin").then(|| structure.get::<String>("name").ok())?
}

/// The fault for an error on the bus of `uri`'s pipeline; `missing` is the decoder that was found missing just before.
pub(super) fn of_bus_error(error: &gst::message::Error, missing: Option<&str>, uri: &SourceUri) -> Fault {
    let what = error.error();
    let is_missing = what.matches(gst::CoreError::MissingPlugin) || what.matches(gst::StreamError::CodecNotFound);
    if let Some(missing) = missing.filter(|_| is_missing) {
        return Fault::lasting(format!(
            "there is no {missing} on this state_machine; install gstreamer1.0-libav, or convert the video to H.264"
        ));
    }
    let text = without_address(&in_words(error), uri);
    if what.matches(gst::ResourceError::NotAuthorized) {
        return Fault {
            retry: RetryPolicy::RetrySeldom,
            text: format!("{text}; check the camera's user and password in the configuration"),
        };
    }
    // A file stays what it is; what a camera sends may be better next time.
    let never = is_missing || !uri.is_live() && what.is::<gst::StreamError>();
    Fault { retry: if never { RetryPolicy::Reconfigure } else { RetryPolicy::Retry }, text }
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

/// `text` with the address of a network camera as it may be shown.
fn without_address(text: &str, uri: &SourceUri) -> String {
    match uri {
        SourceUri::Rtsp(address) | SourceUri::Http(address) => text.replace(&address.location(), &address.to_string()),
        _ => text.into(),
    }
}
