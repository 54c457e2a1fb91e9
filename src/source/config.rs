//! A source's own configuration: values that check themselves.

use super::uri::SourceUri;
use detector::geometry::Size;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use std::{fmt, path::PathBuf, time::Duration};

/// How one camera is read.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Where the pictures come from.
    pub uri: SourceUri,
    /// The size to capture at; for cameras of this machine and test pictures only.
    pub size: Option<Size>,
    /// At most this many frames a second are taken; a camera of this machine is also asked for this rate.
    pub fps: Option<Fps>,
    /// How the picture is turned.
    pub flip: Flip,
    /// What is cut off the picture, before it is turned.
    pub crop: Crop,
    /// For `csi://` only.
    pub csi: CsiOptions,
    /// For `usb://` only.
    pub usb: UsbOptions,
    /// For `rtsp://`, `rtsps://`, `http://` and `https://` only.
    pub network: NetworkOptions,
    /// When a camera counts as lost.
    pub timeouts: Timeouts,
    /// Skips the engine while nothing moves.
    pub motion: Option<MotionGate>,
    /// The live video.
    pub video: VideoOptions,
    /// Written when a CSI camera needs `nvargus-daemon` restarted; a root-owned systemd path unit watches it.
    pub argus_restart_request: Option<PathBuf>,
}

impl Config {
    /// The defaults for `uri`.
    pub fn new(uri: SourceUri) -> Self {
        Self {
            uri,
            size: None,
            fps: None,
            flip: Flip::None,
            crop: Crop::default(),
            csi: CsiOptions::default(),
            usb: UsbOptions::default(),
            network: NetworkOptions::default(),
            timeouts: Timeouts::default(),
            motion: None,
            video: VideoOptions::default(),
            argus_restart_request: None,
        }
    }
}

/// Pixels cut off each side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Crop {
    /// Columns at the left.
    pub left: u16,
    /// Columns at the right.
    pub right: u16,
    /// Rows at the top.
    pub top: u16,
    /// Rows at the bottom.
    pub bottom: u16,
}

/// How a Jetson's camera is driven; what is not said is left to it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CsiOptions {
    /// The sensor's mode, by number; `doctor cameras` lists them.
    pub sensor_mode: Option<u8>,
    /// Shortest and longest exposure, in microseconds.
    pub exposure_us: Option<[u32; 2]>,
    /// Lowest and highest analogue gain.
    pub gain: Option<[u16; 2]>,
    /// White balance.
    pub white_balance: WhiteBalance,
}

/// White balance of a Jetson's camera.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WhiteBalance {
    /// None.
    Off,
    /// By itself.
    #[default]
    Auto,
    /// Light bulbs.
    Incandescent,
    /// Fluorescent light.
    Fluorescent,
    /// Warm fluorescent light.
    WarmFluorescent,
    /// Daylight.
    Daylight,
    /// Clouds.
    CloudyDaylight,
    /// Twilight.
    Twilight,
    /// Shade.
    Shade,
}

/// How a USB camera is driven.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UsbOptions {
    /// What it sends.
    pub format: UsbFormat,
}

/// What a USB camera sends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UsbFormat {
    /// Whichever gives the size and rate asked for; MJPEG where both do.
    #[default]
    Auto,
    /// JPEG pictures: higher rates over a USB 2 cable, at the cost of decoding.
    Mjpeg,
    /// Raw pixels.
    Raw,
}

/// How a network camera is talked to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NetworkOptions {
    /// What carries RTSP's pictures.
    pub transport: Transport,
    /// How long RTSP's pictures are held to even out the network, in milliseconds.
    pub latency_ms: u32,
    /// How long the camera may take to connect and to describe its stream, in milliseconds: 500 to 120,000.
    pub connect_timeout_ms: ConnectTimeout,
    /// The video codec, where it must not be found out.
    pub codec: Codec,
    /// The user, where the URI has none.
    pub user: Option<String>,
    /// The password, where the URI has none.
    pub password: Option<Secret>,
    /// A file whose first line is the password.
    pub password_file: Option<PathBuf>,
}

impl Default for NetworkOptions {
    fn default() -> Self {
        Self {
            transport: Transport::Tcp,
            latency_ms: 200,
            connect_timeout_ms: ConnectTimeout::default(),
            codec: Codec::Auto,
            user: None,
            password: None,
            password_file: None,
        }
    }
}

/// How long a camera may take to answer, in milliseconds: 500 to 120,000.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u32")]
pub struct ConnectTimeout(u32);

impl ConnectTimeout {
    /// The time.
    pub fn get(self) -> Duration {
        Duration::from_millis(self.0.into())
    }
}

impl Default for ConnectTimeout {
    fn default() -> Self {
        Self(10_000)
    }
}

impl TryFrom<u32> for ConnectTimeout {
    type Error = BadConnectTimeout;

    fn try_from(ms: u32) -> Result<Self, BadConnectTimeout> {
        if (500..=120_000).contains(&ms) { Ok(Self(ms)) } else { Err(BadConnectTimeout(ms)) }
    }
}

/// Why a number is no time to connect.
#[derive(Debug, thiserror::Error)]
#[error("{0} is not a time for a camera to connect: use 500 to 120000 milliseconds")]
pub struct BadConnectTimeout(u32);

/// What carries RTSP's pictures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// The connection of the control channel: nothing is lost, firewalls let it through.
    #[default]
    Tcp,
    /// Datagrams.
    Udp,
}

/// What a network camera sends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Codec {
    /// Found out from the stream.
    #[default]
    Auto,
    /// H.264.
    H264,
    /// H.265.
    H265,
}

/// A text that is never shown, and wiped from memory when it is dropped.
#[derive(Clone, Deserialize)]
#[serde(from = "String")]
pub struct Secret(SecretString);

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl Eq for Secret {}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.reveal() == other.reveal()
    }
}

impl Secret {
    /// A secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into().into())
    }

    /// The secret itself, for the one who needs it.
    pub fn reveal(&self) -> &str {
        self.0.expose_secret()
    }
}

impl Serialize for Secret {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{self:?}"))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// When a camera counts as lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Timeouts {
    /// The time without a frame after which it is begun anew, in milliseconds; never less than four frames' time.
    pub stall_ms: u32,
    /// The time with the very same pixels after which it is begun anew, in milliseconds; 0 never. Where it is not
    /// said: 30 s for cameras of this machine, whose pictures always have noise, 2 min for network cameras, never
    /// for all else.
    pub frozen_ms: Option<u32>,
    /// How long pictures whose key frame is missing are kept back, in milliseconds of the stream's time; after that they
    /// are let through, and their scenes are marked `damaged`. 0 lets them through at once.
    pub corrupt_wait_ms: u32,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { stall_ms: 3_000, frozen_ms: None, corrupt_wait_ms: 5_000 }
    }
}

/// When a picture counts as still, so that the engine is spared.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MotionGate {
    /// By how many levels (of 255) the mean of a block must differ to count as changed.
    pub threshold: u8,
    /// How many of the 1024 blocks of the picture must have changed for it to count as moving.
    pub blocks: u16,
    /// How long after the last motion pictures still count as moving, in milliseconds.
    pub linger_ms: u32,
    /// After this time without motion a picture is looked at all the same, in milliseconds.
    pub refresh_ms: u32,
}

impl Default for MotionGate {
    fn default() -> Self {
        Self { threshold: 10, blocks: 3, linger_ms: 1_000, refresh_ms: 5_000 }
    }
}

/// How the live video is made, for those who watch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VideoOptions {
    /// Whether there is any; the JPEG pictures are there in any case.
    pub codec: VideoCodec,
    /// What is aimed at, in thousands of bits a second.
    pub bitrate_kbps: Bitrate,
}

/// The codec of the live video.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VideoCodec {
    /// H.264, where this machine has an encoder.
    #[default]
    Auto,
    /// None.
    Off,
}

/// Thousands of bits a second: 200 to 20,000.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u32")]
pub struct Bitrate(u32);

impl Bitrate {
    /// Thousands of bits a second.
    pub fn get(self) -> u32 {
        self.0
    }
}

impl Default for Bitrate {
    fn default() -> Self {
        Self(2_000)
    }
}

impl TryFrom<u32> for Bitrate {
    type Error = BadBitrate;

    fn try_from(kbps: u32) -> Result<Self, BadBitrate> {
        if (200..=20_000).contains(&kbps) { Ok(Self(kbps)) } else { Err(BadBitrate(kbps)) }
    }
}

/// Why a number is no bit rate.
#[derive(Debug, thiserror::Error)]
#[error("{0} is not a bit rate for video: use 200 to 20000 kilobits a second")]
pub struct BadBitrate(u32);

/// Frames a second: above 0, up to 240.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64")]
pub struct Fps(f64);

impl Fps {
    /// Frames a second.
    pub fn get(self) -> f64 {
        self.0
    }

    /// The time from one frame to the next.
    pub fn interval(self) -> Duration {
        Duration::from_secs_f64(1.0 / self.0)
    }

    /// The rate as GStreamer writes it: whole frames a second, or a fraction of thousandths.
    pub(super) fn fraction(self) -> String {
        if self.0.fract() == 0.0 { format!("{}/1", self.0) } else { format!("{}/1000", (self.0 * 1000.0).round()) }
    }
}

impl TryFrom<f64> for Fps {
    type Error = BadFps;

    fn try_from(rate: f64) -> Result<Self, BadFps> {
        if (0.01..=240.0).contains(&rate) { Ok(Self(rate)) } else { Err(BadFps(rate)) }
    }
}

impl fmt::Display for Fps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Why a number is no frame rate.
#[derive(Debug, thiserror::Error)]
#[error("{0} is not a frame rate: use 0.01 to 240 frames a second")]
pub struct BadFps(f64);

/// How a picture is turned or mirrored before anyone sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Flip {
    /// As it comes.
    #[default]
    None,
    /// A quarter turn clockwise.
    Clockwise,
    /// Upside down.
    #[serde(rename = "rotate-180")]
    Rotate180,
    /// A quarter turn counterclockwise.
    Counterclockwise,
    /// Left and right changed.
    Horizontal,
    /// Top and bottom changed.
    Vertical,
}
