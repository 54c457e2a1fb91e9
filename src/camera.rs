//! A camera's name, and what is known of its state.

use detector::geometry::Size;
use serde::{Deserialize, Serialize};
use std::{borrow::Borrow, fmt, str::FromStr, sync::Arc, time::Duration};

/// A camera's name: lower-case letters, digits, `-` and `_`, starting with a letter or digit, 1 to 64 characters.
/// It appears in URLs, MQTT topics, metric labels and environment variables, which is why it is so narrow.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct CameraName(Arc<str>);

/// Orders and compares as its text does, so that maps are searched by either.
impl Borrow<str> for CameraName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl CameraName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// `default`: the camera of a configuration that names none.
impl Default for CameraName {
    fn default() -> Self {
        Self("default".into())
    }
}

impl fmt::Display for CameraName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for CameraName {
    type Err = BadCameraName;

    fn from_str(text: &str) -> Result<Self, BadCameraName> {
        let first_fits = text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
        let all_fit = text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_');
        if first_fits && all_fit && text.len() <= 64 { Ok(Self(text.into())) } else { Err(BadCameraName(text.into())) }
    }
}

impl TryFrom<String> for CameraName {
    type Error = BadCameraName;

    fn try_from(text: String) -> Result<Self, BadCameraName> {
        text.parse()
    }
}

/// Why a text is not a camera's name.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not a camera name: use 1 to 64 of a-z, 0-9, '-' and '_', starting with a letter or digit")]
pub struct BadCameraName(String);

/// Where a camera is in its life; `source/machine/mod.rs` draws how it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum CameraState {
    /// Its pipeline is being built or waits for the first frame.
    Starting,
    /// Frames arrive.
    Running,
    /// Frames have stopped; the pipeline is about to be torn down.
    Stalled,
    /// It failed and waits for the next attempt.
    Retrying,
    /// It has failed for good: its configuration can never work.
    Failed,
    /// It has played its file to the end, and was not told to begin again.
    Ended,
    /// Only a new process can bring it back: leave with exit code 75, so that the service manager starts one.
    Stuck,
    /// Switched off by its owner.
    Disabled,
}

impl fmt::Display for CameraState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Stalled => "stalled",
            Self::Retrying => "retrying",
            Self::Failed => "failed",
            Self::Ended => "ended",
            Self::Stuck => "stuck",
            Self::Disabled => "disabled",
        })
    }
}

/// What the API says of a camera.
#[derive(Clone, Debug)]
pub struct CameraStatus {
    /// Where it is in its life.
    pub state: CameraState,
    /// Frames per second over the last seconds, as captured.
    pub fps: f32,
    /// Size of the full picture, once a frame has come.
    pub size: Option<Size>,
    /// Frames captured since the process started.
    pub frames: u64,
    /// Frames that came and were not shown because their key frame was missing, since the process started.
    pub corrupt: u64,
    /// How often the pipeline was built anew after a fault.
    pub restarts: u64,
    /// How often frames came again after a fault.
    pub recoveries: u64,
    /// The last fault in words.
    pub last_error: Option<String>,
    /// After how long without a frame it counts as stalled.
    pub stall_after: Duration,
    /// The GStreamer pipeline as text.
    pub pipeline: String,
    /// The source as the user wrote it, with passwords removed.
    pub source: String,
}

impl CameraStatus {
    /// A camera that has not begun yet; `source` is shown as it is, so it must hold no password.
    pub fn new(source: String) -> Self {
        Self {
            state: CameraState::Starting,
            fps: 0.0,
            size: None,
            frames: 0,
            corrupt: 0,
            restarts: 0,
            recoveries: 0,
            last_error: None,
            stall_after: Duration::ZERO,
            pipeline: String::new(),
            source,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_narrow() {
        assert_eq!("default".parse::<CameraName>().unwrap(), CameraName::default());
        for good in ["front", "cam-1", "0", "a_b"] {
            assert_eq!(good.parse::<CameraName>().unwrap().as_str(), good);
        }
        for bad in ["", "Front", "-a", "a b", "a/b", "ä", &"x".repeat(65)] {
            assert!(bad.parse::<CameraName>().is_err(), "{bad:?}");
        }
    }
}
