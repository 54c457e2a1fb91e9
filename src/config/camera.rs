//! `[camera.NAME]`.

use crate::source::{
    self, Crop, CsiOptions, Flip, Fps, MotionGate, NetworkOptions, SourceUri, Timeouts, UsbOptions, VideoOptions,
};
use detector::{decode, geometry::Size};
use serde::{Deserialize, Serialize};
use std::num::NonZeroU16;

/// One camera as it stands in the file: the source's own keys, and `[camera.NAME.detection]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CameraConfig {
    /// Whether the camera is used at all.
    pub enabled: bool,
    /// Where frames come from.
    pub source: SourceUri,
    /// Columns to capture; with `height`, for cameras of this machine and test pictures.
    pub width: Option<NonZeroU16>,
    /// Rows to capture.
    pub height: Option<NonZeroU16>,
    /// At most this many frames a second.
    pub fps: Option<Fps>,
    /// How the picture is turned.
    pub flip: Flip,
    /// What is cut off, before the picture is turned.
    pub crop: Crop,
    /// For `csi://` only.
    pub csi: CsiOptions,
    /// For `usb://` only.
    pub usb: UsbOptions,
    /// For `rtsp://`, `rtsps://`, `http://` and `https://` only.
    pub network: NetworkOptions,
    /// When the camera counts as lost.
    #[serde(alias = "patience")]
    pub timeouts: Timeouts,
    /// Skips the engine while nothing moves; absent: never.
    pub motion: Option<MotionGate>,
    /// The live video, for those who watch.
    pub video: VideoOptions,
    /// What counts as a detection here; keys that are absent are those of `[detection]`.
    pub detection: decode::Config,
}

impl Default for CameraConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            source: SourceUri::Auto,
            width: None,
            height: None,
            fps: None,
            flip: Flip::default(),
            crop: Crop::default(),
            csi: CsiOptions::default(),
            usb: UsbOptions::default(),
            network: NetworkOptions::default(),
            timeouts: Timeouts::default(),
            motion: None,
            video: VideoOptions::default(),
            detection: decode::Config::default(),
        }
    }
}

impl CameraConfig {
    /// The source's part.
    pub fn source(&self) -> source::Config {
        let size = |(width, height): (NonZeroU16, NonZeroU16)| Size::new(width.get().into(), height.get().into());
        source::Config {
            uri: self.source.clone(),
            size: self.width.zip(self.height).map(size),
            fps: self.fps,
            flip: self.flip,
            crop: self.crop,
            csi: self.csi.clone(),
            usb: self.usb,
            network: self.network.clone(),
            timeouts: self.timeouts,
            motion: self.motion,
            video: self.video,
            argus_restart_request: None,
        }
    }
}
