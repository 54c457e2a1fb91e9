//! The `[board]` table of the configuration.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// How the machine is watched, and what may be done to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where `sys`, `proc` and `etc` lie: another folder than `/` in a container that has the host's mounted.
    pub root: PathBuf,
    /// Whether to ask for a restart of `nvargus-daemon` when CSI cameras need one, through the file that
    /// `sightd-nvargus.path` waits for.
    pub restart_argus: bool,
    /// Whether the frame rate is lowered before the board throttles.
    pub govern: bool,
    /// The governor lowers the rate when the hottest sensor is this near to the point where the kernel lowers clocks.
    pub lower_within_celsius: Margin,
    /// The governor raises the rate again when the hottest sensor is at least this far from that point; the larger of
    /// this and `lower_within_celsius` + 1 counts.
    pub raise_beyond_celsius: Margin,
    /// The governor never goes below this rate, for all cameras together.
    #[serde(alias = "least_fps")]
    pub min_fps: MinFps,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            root: "/".into(),
            restart_argus: false,
            govern: false,
            lower_within_celsius: Margin(8.0),
            raise_beyond_celsius: Margin(14.0),
            min_fps: MinFps(2.0),
        }
    }
}

/// A distance of temperatures in °C, 0 to 60.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "f32", into = "f32")]
pub struct Margin(f32);

impl Margin {
    /// The distance in °C.
    pub fn celsius(self) -> f32 {
        self.0
    }
}

impl TryFrom<f32> for Margin {
    type Error = String;

    fn try_from(celsius: f32) -> Result<Self, String> {
        if (0.0..=60.0).contains(&celsius) { Ok(Self(celsius)) } else { Err(format!("{celsius} °C: give 0 to 60")) }
    }
}

impl From<Margin> for f32 {
    fn from(margin: Margin) -> Self {
        margin.0
    }
}

/// A frame rate, 0.1 to 120 frames per second.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "f32", into = "f32")]
pub struct MinFps(f32);

impl MinFps {
    /// Frames per second.
    pub fn get(self) -> f32 {
        self.0
    }
}

impl TryFrom<f32> for MinFps {
    type Error = String;

    fn try_from(fps: f32) -> Result<Self, String> {
        if (0.1..=120.0).contains(&fps) { Ok(Self(fps)) } else { Err(format!("{fps} frames/s: give 0.1 to 120")) }
    }
}

impl From<MinFps> for f32 {
    fn from(fps: MinFps) -> Self {
        fps.0
    }
}
