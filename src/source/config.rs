//! A source's own configuration: values that check themselves.

use super::uri::SourceUri;
use crate::geometry::Size;
use serde::{Deserialize, Serialize};
use std::{fmt, time::Duration};

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
}

impl Config {
    /// The defaults for `uri`.
    pub fn new(uri: SourceUri) -> Self {
        Self { uri, size: None, fps: None, flip: Flip::None }
    }
}

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
