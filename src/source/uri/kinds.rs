//! The sources there are, and how each is written.

use super::{address::NetworkAddress, coding::encoded};
use serde::{Deserialize, Serialize};
use std::{
    fmt,
    path::{Path, PathBuf},
};

/// A source of pictures. Parsed from a URI; shown without passwords, by `Debug` too.
#[derive(Clone, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub enum SourceUri {
    /// `auto`: the first CSI camera, else the first USB camera, else test pictures.
    Auto,
    /// `csi://N`: the camera at CSI port `N` of a Jetson.
    Csi {
        /// The sensor's number, from 0.
        sensor: u8,
    },
    /// `usb:///dev/v4l/by-id/...` or `usb://NAME`: a V4L2 camera.
    Usb(UsbDevice),
    /// `rtsp://` or `rtsps://`: a network camera.
    Rtsp(NetworkAddress),
    /// `http://` or `https://`: a network camera that sends MJPEG (`multipart/x-mixed-replace`).
    Http(NetworkAddress),
    /// `file:///PATH[?loop][&speed=N|max]`: a video file, played at its own pace, as if it were a camera.
    File {
        /// The file.
        path: PathBuf,
        /// What happens at the end.
        end: AtEnd,
        /// How fast it plays.
        pace: Pace,
    },
    /// `images:///PATH[?loop]`: one picture, or all JPEG and PNG pictures of a folder by name.
    Images {
        /// The picture or the folder.
        path: PathBuf,
        /// What happens after the last picture.
        end: AtEnd,
    },
    /// `test://PATTERN`: GStreamer's test pictures, and `counter`, whose pictures show the number of their frame.
    Test {
        /// One of [`TEST_PATTERNS`].
        pattern: String,
    },
    /// `gst://ELEMENTS`: the front of a GStreamer pipeline of the user's own, which must give raw video.
    Gst {
        /// In `gst-launch-1.0`'s notation.
        elements: String,
    },
}

/// How a USB camera is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UsbDevice {
    /// By its device file.
    Path(PathBuf),
    /// By a part of the name that the driver or `/dev/v4l/by-id` gives it.
    Name(String),
}

/// What a file does at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtEnd {
    /// Begin again.
    Loop,
    /// Stop.
    Stop,
}

/// How fast a file plays.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// This many times its own pace; finite and above 0.
    Times(f64),
    /// As fast as the frames are taken: none is dropped.
    Unlimited,
}

impl Pace {
    /// The file's own pace.
    pub const NORMAL: Self = Self::Times(1.0);
}

/// The pattern whose pictures show the number of their frame.
pub(in crate::source) const COUNTER: &str = "counter";

/// The patterns of `test://`.
pub const TEST_PATTERNS: &[&str] = &[
    "smpte",
    "smpte75",
    "smpte100",
    "ball",
    "bar",
    "black",
    "white",
    "red",
    "green",
    "blue",
    "snow",
    "gamut",
    "checkers-8",
    "circular",
    "pinwheel",
    "spokes",
    "gradient",
    "colors",
    COUNTER,
];

impl SourceUri {
    /// The URI of the video file at `path`, which may be relative.
    pub fn file(path: &Path, end: AtEnd) -> Self {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
        Self::File { path, end, pace: Pace::NORMAL }
    }

    /// Whether pictures come by themselves and cannot be asked for again: a camera, not a file.
    pub fn is_live(&self) -> bool {
        !matches!(self, Self::File { .. } | Self::Images { .. })
    }
}

impl fmt::Display for SourceUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Csi { sensor } => write!(f, "csi://{sensor}"),
            Self::Usb(UsbDevice::Path(path)) => write!(f, "usb://{}", encoded(path)),
            Self::Usb(UsbDevice::Name(name)) => write!(f, "usb://{}", encoded(Path::new(name))),
            Self::Rtsp(address) | Self::Http(address) => address.fmt(f),
            Self::File { path, end, pace } => {
                let options = match (end, pace) {
                    (AtEnd::Stop, Pace::Times(1.0)) => String::new(),
                    (AtEnd::Loop, Pace::Times(1.0)) => "?loop".into(),
                    (AtEnd::Stop, Pace::Times(speed)) => format!("?speed={speed}"),
                    (AtEnd::Loop, Pace::Times(speed)) => format!("?loop&speed={speed}"),
                    (AtEnd::Stop, Pace::Unlimited) => "?speed=max".into(),
                    (AtEnd::Loop, Pace::Unlimited) => "?loop&speed=max".into(),
                };
                write!(f, "file://{}{options}", encoded(path))
            }
            Self::Images { path, end } => {
                write!(f, "images://{}{}", encoded(path), if *end == AtEnd::Loop { "?loop" } else { "" })
            }
            Self::Test { pattern } => write!(f, "test://{pattern}"),
            Self::Gst { elements } => write!(f, "gst://{elements}"),
        }
    }
}

impl fmt::Debug for SourceUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for SourceUri {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
