//! What a source needs of the machine: the device or file behind its address, and GStreamer's elements.

use super::{
    describe::Platform,
    devices::{self, Bus},
    encoder::Encoder,
    error::SourceError,
    gst::{has_element, initialise, package},
    uri::{SourceUri, UsbDevice},
};
use std::path::{Path, PathBuf};

/// An element of GStreamer that is not installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingElement {
    /// Its name.
    pub element: &'static str,
    /// The Debian package that has it.
    pub package: &'static str,
}

/// What every pipeline is made of.
const ALWAYS: &[&str] = &["appsink", "videoconvert", "videoscale", "jpegenc", "tee", "queue"];
/// What the pipelines of a Jetson are made of besides.
const JETSON: &[&str] = &["nvvidconv", "nvv4l2decoder", "nvjpegenc"];

/// The version of GStreamer.
///
/// # Errors
/// When it cannot be used.
pub fn gstreamer_version() -> Result<String, SourceError> {
    initialise()?;
    Ok(gstreamer::version_string().into())
}

/// The elements that `sources` need here and that are not installed.
///
/// # Errors
/// When GStreamer cannot be used.
pub fn missing_elements<'a>(
    sources: impl Iterator<Item = &'a SourceUri>,
    on_jetson: bool,
) -> Result<Vec<MissingElement>, SourceError> {
    initialise()?;
    let jetson = if on_jetson { JETSON } else { &[] };
    let mut elements: Vec<_> = ALWAYS.iter().chain(jetson).chain(sources.flat_map(elements_of)).copied().collect();
    elements.sort_unstable();
    elements.dedup();
    elements.retain(|element| !has_element(element));
    Ok(elements.iter().map(|&element| MissingElement { element, package: package(element) }).collect())
}

/// The element that encodes live video here.
///
/// # Errors
/// What is missing for it, in words. Cameras work without.
pub fn video_encoder() -> Result<&'static str, String> {
    initialise().map_err(|error| error.to_string())?;
    Encoder::choose(Platform::detect()).map(Encoder::element)
}

fn elements_of(uri: &SourceUri) -> &'static [&'static str] {
    match uri {
        SourceUri::Csi { .. } => &["nvarguscamerasrc"],
        SourceUri::Usb(_) => &["v4l2src", "jpegdec"],
        SourceUri::Rtsp(_) => &["rtspsrc", "rtph264depay", "h264parse"],
        SourceUri::Http(_) => &["souphttpsrc", "jpegdec"],
        SourceUri::File { .. } => &["uridecodebin"],
        SourceUri::Images { .. } | SourceUri::Test { .. } | SourceUri::Gst { .. } | SourceUri::Auto => &[],
    }
}

/// What `uri` names and the machine below `root` (`/`, or a fake one) does not have, in words; none when it is there,
/// or can only be told by trying.
pub fn missing_device(uri: &SourceUri, root: &Path) -> Option<String> {
    let below = |path: &Path| root.join(path.strip_prefix("/").unwrap_or(path));
    let absent = |path: &PathBuf| (!below(path).exists()).then(|| format!("{} is not there", path.display()));
    match uri {
        SourceUri::Usb(UsbDevice::Path(path)) => absent(path),
        SourceUri::Usb(device @ UsbDevice::Name(_)) => {
            devices::find_usb(root, device).err().map(|error| error.to_string())
        }
        SourceUri::Csi { sensor } => {
            let found = devices::cameras(root).iter().filter(|camera| camera.bus == Bus::Csi).count();
            (found <= usize::from(*sensor)).then(|| format!("CSI camera {sensor} is not there ({found} were found)"))
        }
        SourceUri::File { path, .. } | SourceUri::Images { path, .. } => absent(path),
        _ => None,
    }
}
