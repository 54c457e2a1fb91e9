//! What GStreamer says, in words that name the thing and the way out.

use super::{
    error::{Fault, RetryPolicy},
    gst::in_words,
    uri::SourceUri,
};
use gstreamer as gst;

/// The name of what a missing-plugin message misses, for example "H.264 (High Profile) decoder"; none for sound, which
/// is never decoded.
pub(super) fn missing_plugin(structure: &gst::StructureRef) -> Option<String> {
    let caps = structure.get::<gst::Caps>("detail").ok();
    if caps.as_ref().and_then(|caps| caps.structure(0)).is_some_and(|media| media.name().starts_with("audio/")) {
        return None;
    }
    (structure.name() == "missing-plugin").then(|| structure.get::<String>("name").ok())?
}

/// The fault for an error on the bus of `uri`'s pipeline; `missing` is the decoder that was found missing just before.
pub(super) fn of_bus_error(error: &gst::message::Error, missing: Option<&str>, uri: &SourceUri) -> Fault {
    let what = error.error();
    let is_missing = what.matches(gst::CoreError::MissingPlugin) || what.matches(gst::StreamError::CodecNotFound);
    if let Some(missing) = missing.filter(|_| is_missing) {
        return Fault::lasting(format!(
            "there is no {missing} on this machine; install gstreamer1.0-libav, or convert the video to H.264"
        ));
    }
    let said = without_address(&in_words(error), uri);
    let text = match advice(error, is_missing, uri) {
        Some(advice) => format!("{advice} ({said})"),
        None => said,
    };
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

/// What a person can do about it, where GStreamer's words do not say so.
fn advice(error: &gst::message::Error, is_missing: bool, uri: &SourceUri) -> Option<&'static str> {
    let (what, is_file) = (error.error(), matches!(uri, SourceUri::File { .. }));
    if is_file && is_missing {
        Some("the file has no video that can be decoded here")
    } else if is_file && (what.matches(gst::StreamError::TypeNotFound) || what.matches(gst::StreamError::WrongType)) {
        Some("the file is of no kind that GStreamer knows; name a video file")
    } else if matches!(uri, SourceUri::Rtsp(_) | SourceUri::Http(_)) && what.matches(gst::ResourceError::NotFound) {
        Some("the camera answers, but has no stream of this name; check the address behind the host")
    } else {
        None
    }
}

/// `text` with the address of a network camera as it may be shown.
fn without_address(text: &str, uri: &SourceUri) -> String {
    match uri {
        SourceUri::Rtsp(address) | SourceUri::Http(address) => text.replace(&address.location(), &address.to_string()),
        _ => text.into(),
    }
}
