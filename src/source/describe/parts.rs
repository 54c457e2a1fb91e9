//! What the pipelines of both platforms are made of.

use crate::source::{
    config::{Config, Crop, Fps, Transport, UsbFormat},
    devices::{Camera, Encoding, Mode},
    error::SourceError,
    uri::{NetworkAddress, Pace, SourceUri, encoded},
};
use detector::geometry::Size;

/// A queue that holds one buffer and lets go of the old one: what lies behind it is never late, only rarer.
pub(super) const LATEST: &str = "queue leaky=downstream max-size-buffers=1 max-size-bytes=0 max-size-time=0";
/// Sinks hand over at once, and wait neither for the clock nor for a first buffer: the live view may get none.
pub(super) const SINK: &str = "max-buffers=1 sync=false async=false";
/// The quality of the live pictures, of 100.
pub(super) const JPEG_QUALITY: u8 = 80;
/// The size and rate of test pictures and CSI cameras that nobody chose.
pub(super) const TEST_SIZE: Size = Size::new(640, 360);
pub(super) const CSI_SIZE: Size = Size::new(1280, 720);
pub(super) const RATE: &str = "30/1";

/// The branches from the tee to the sinks.
pub(super) fn tail(config: &Config, scale: &str, encode: &str) -> String {
    let (queue, drop) = match config.uri {
        SourceUri::File { pace: Pace::Unlimited, .. } => ("queue max-size-buffers=1 max-size-bytes=0", "false"),
        _ => (LATEST, "true"),
    };
    let limit = if config.fps.is_some() { "identity name=limit ! " } else { "" };
    format!(
        "{limit}tee name=tap allow-not-linked=true \
         tap. ! {queue} ! {scale} ! appsink name=infer {SINK} drop={drop} \
         tap. ! identity name=gate ! {LATEST} ! {encode} ! appsink name=pictures {SINK} drop=true"
    )
}

pub(super) fn file(config: &Config) -> Option<String> {
    let SourceUri::File { path, .. } = &config.uri else { return None };
    let uri = quoted(&format!("file://{}", encoded(path)));
    Some(format!("uridecodebin name=source uri={uri} caps=video/x-raw(ANY) expose-all-streams=false"))
}

/// The element that holds a file to its pace.
pub(super) fn pace(config: &Config) -> &'static str {
    match config.uri {
        SourceUri::File { pace: Pace::Unlimited, .. } => "identity name=pace sync=false",
        _ => "identity name=pace sync=true",
    }
}

/// An RTSP camera, up to its RTP packets. The address in the text has no secrets; the real one is set afterwards.
pub(super) fn rtsp(config: &Config, address: &NetworkAddress) -> String {
    let transport = match config.network.transport {
        Transport::Tcp => "tcp",
        Transport::Udp => "udp",
    };
    // Over TCP nothing is lost or out of order: what is late comes in a burst, and all of it is wanted.
    let drops = config.network.transport == Transport::Udp;
    format!(
        "rtspsrc name=source location={} latency={} drop-on-latency={drops} protocols={transport} \
         tcp-timeout={} ! application/x-rtp,media=video",
        quoted(&address.to_string()),
        config.network.latency_ms,
        config.network.connect_timeout_ms.get().as_micros(),
    )
}

/// An MJPEG camera, up to its JPEG pictures.
pub(super) fn http(config: &Config, address: &NetworkAddress) -> String {
    format!(
        "souphttpsrc name=source location={} is-live=true do-timestamp=true retries=0 timeout={} \
         ! appsink name=body max-buffers=1 sync=false async=false \
         appsrc name=parts is-live=true do-timestamp=true format=time caps=image/jpeg",
        quoted(&address.to_string()),
        config.network.connect_timeout_ms.get().as_secs_f64().ceil(),
    )
}

/// A USB camera, up to what it sends.
pub(super) struct UsbHead {
    pub text: String,
    pub encoding: Encoding,
    /// The size of its pictures, where it is known.
    pub size: Option<Size>,
}

pub(super) fn usb(config: &Config, camera: Option<&Camera>) -> Result<UsbHead, SourceError> {
    let modes = camera.map_or(&[][..], |camera| &camera.modes);
    let mode = Mode::choose(modes, config);
    if let (None, Some(camera), false) = (mode, camera, modes.is_empty()) {
        return Err(no_such_mode(config, camera));
    }
    let encoding = match (mode, config.usb.format) {
        (Some(mode), _) => mode.encoding,
        (None, UsbFormat::Raw) => Encoding::Raw,
        (None, _) => Encoding::Mjpeg,
    };
    let caps = match encoding {
        Encoding::Mjpeg => "image/jpeg",
        Encoding::Raw => "video/x-raw",
    };
    // A camera whose modes are not known is asked for what the user wants, and else for what it likes.
    let size = mode.map(|mode| mode.size).or(config.size);
    let size_caps = size.map_or_else(String::new, |size| format!(",width={},height={}", size.width, size.height));
    let rate = mode.map(|mode| mode.rate.clone()).or_else(|| config.fps.map(Fps::fraction));
    let rate_caps = rate.map_or_else(String::new, |rate| format!(",framerate={rate}"));
    let device = camera.map_or_else(String::new, |camera| camera.device.to_string_lossy().into_owned());
    let text = format!(
        "v4l2src name=source device={} io-mode=2 do-timestamp=true ! {caps}{size_caps}{rate_caps}",
        quoted(&device)
    );
    Ok(UsbHead { text, encoding, size })
}

fn no_such_mode(config: &Config, camera: &Camera) -> SourceError {
    let mut modes: Vec<String> = camera.modes.iter().map(|mode| format!("{} {}", mode.encoding, mode.size)).collect();
    modes.dedup();
    let format = match config.usb.format {
        UsbFormat::Auto => "pictures",
        UsbFormat::Mjpeg => "MJPEG pictures",
        UsbFormat::Raw => "raw pictures",
    };
    let size = config.size.map_or_else(String::new, |size| format!(" of {size}"));
    SourceError::NoSuchMode { camera: camera.name.clone(), wanted: format!("{format}{size}"), modes: modes.join(", ") }
}

pub(super) fn is_cropped(crop: Crop) -> bool {
    crop != Crop::default()
}

/// `text` as a value in GStreamer's notation, whatever is in it.
pub(super) fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
