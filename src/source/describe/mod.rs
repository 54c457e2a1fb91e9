//! The pipelines as text: which elements, in which order, for which source on which machine.
//!
//! A pipeline is a head, which ends in raw video, and a tail, which parts into the two branches. On a Jetson both
//! keep the pictures in the memory of its video engines (`memory:NVMM`) until they are small or JPEG.

mod jetson;
mod parts;
mod software;
#[cfg(test)]
mod tests;

use super::{config::Config, devices::Camera, error::SourceError, gst::has_element, uri::SourceUri};
use detector::geometry::Size;
use parts::{LATEST, SINK};

/// Whose elements do the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Platform {
    /// The Jetson's camera, scaler, decoder and JPEG engines.
    Jetson,
    /// The CPU.
    Software,
}

impl Platform {
    /// What this machine has.
    pub fn detect() -> Self {
        let all = ["nvvidconv", "nvv4l2decoder", "nvjpegenc"].iter().all(|element| has_element(element));
        if all { Self::Jetson } else { Self::Software }
    }
}

/// A pipeline's elements, from the source to the two sinks `infer` and `pictures`. `camera` is the USB camera that
/// was found, for `usb://` only.
///
/// # Errors
/// When the camera has no mode that fits, or this machine cannot do what an option asks.
pub(super) fn pipeline(
    config: &Config,
    input: Size,
    platform: Platform,
    camera: Option<&Camera>,
) -> Result<String, SourceError> {
    // What the user brings or the CPU makes lies in the CPU's memory, and need not leave it.
    let in_system_memory =
        matches!(config.uri, SourceUri::Gst { .. } | SourceUri::Images { .. } | SourceUri::Test { .. });
    match platform {
        Platform::Jetson if !in_system_memory => jetson::pipeline(config, input, camera),
        _ => software::pipeline(config, input, camera),
    }
}

/// `pipeline` with a third branch, which hands over the pictures as they are, for the encoder.
pub(super) fn with_video(pipeline: &str) -> String {
    format!("{pipeline} tap. ! identity name=video-gate ! {LATEST} ! appsink name=video {SINK} drop=true")
}

/// The elements that make the model's input of any raw picture in the CPU's memory.
pub(super) use software::scale;

/// The options in `config` that do not go with its source.
pub(super) fn check_options(config: &Config) -> Result<(), SourceError> {
    let (uri, default) = (&config.uri, Config::new(config.uri.clone()));
    let is_csi = matches!(uri, SourceUri::Csi { .. });
    let is_usb = matches!(uri, SourceUri::Usb(_));
    let is_network = matches!(uri, SourceUri::Rtsp(_) | SourceUri::Http(_));
    let chooses_size = is_csi || is_usb || matches!(uri, SourceUri::Test { .. });
    for (option, is_set, fits, reason) in [
        (
            "width and height",
            config.size.is_some(),
            chooses_size,
            "only cameras of this machine and test:// take a size",
        ),
        ("csi", config.csi != default.csi, is_csi, "it is for csi:// only"),
        ("usb", config.usb != default.usb, is_usb, "it is for usb:// only"),
        ("network", config.network != default.network, is_network, "it is for rtsp:// and http:// only"),
    ] {
        if is_set && !fits {
            return Err(SourceError::Option { option, uri: uri.to_string(), reason });
        }
    }
    Ok(())
}
