//! The cameras of this machine, for whoever writes a configuration: what to write, and what each can send.

use super::{
    devices::{self, Bus, Camera, Encoding},
    error::SourceError,
    gst::initialise,
    uri::{SourceUri, UsbDevice},
};
use detector::geometry::Size;
use serde::Serialize;
use std::{fmt, fs, io, path::Path};

/// A camera of this machine, as `sightd doctor cameras` shows it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CameraListing {
    /// The driver's name for it.
    pub name: String,
    /// What to write in the configuration.
    pub source: SourceUri,
    /// What it can send; empty where that is not known.
    pub modes: Vec<ListedMode>,
    /// Why it cannot be asked, and what to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// A size and rate that a camera can send.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ListedMode {
    /// The form of the pictures.
    pub encoding: Encoding,
    /// Columns and rows.
    #[serde(flatten)]
    pub size: Size,
    /// Frames a second, at most.
    pub fps: f64,
    /// The value of `csi.sensor_mode` that asks for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sensor_mode: Option<u8>,
}

/// The cameras that are plugged in, CSI cameras by their port. Opens each USB camera for a moment to ask for its modes.
///
/// # Errors
/// When GStreamer cannot be used.
pub fn list_cameras() -> Result<Vec<CameraListing>, SourceError> {
    initialise()?;
    Ok(listings(&devices::cameras(Path::new("/"))))
}

fn listings(cameras: &[Camera]) -> Vec<CameraListing> {
    let mut ports = 0..=u8::MAX;
    let listing = |camera: &Camera| match camera.bus {
        Bus::Csi => Some(csi(camera, ports.next()?)),
        Bus::Usb => Some(usb(camera)),
    };
    cameras.iter().filter_map(listing).collect()
}

fn csi(camera: &Camera, sensor: u8) -> CameraListing {
    let is_imx219 = camera.name.contains("imx219");
    let modes = if is_imx219 { IMX219.as_slice() } else { &[] };
    let mode = |(number, (width, height, fps)): (u8, &(u32, u32, f64))| ListedMode {
        encoding: Encoding::Raw,
        size: Size::new(*width, *height),
        fps: *fps,
        sensor_mode: Some(number),
    };
    let ask = || format!("its modes are not known; `v4l2-ctl --list-formats-ext -d {}` asks", camera.device.display());
    CameraListing {
        name: camera.name.clone(),
        source: SourceUri::Csi { sensor },
        modes: (0..).zip(modes).map(mode).collect(),
        problem: (!is_imx219).then(ask),
    }
}

/// Columns, rows and frames a second of the modes of Sony's IMX219 (Raspberry Pi camera 2) in L4T 32.7, by number. A
/// CSI camera cannot be asked for them while Argus, which alone gives its pictures, is in use.
const IMX219: [(u32, u32, f64); 5] =
    [(3264, 2464, 21.0), (3264, 1848, 28.0), (1920, 1080, 30.0), (1640, 1232, 30.0), (1280, 720, 60.0)];

fn usb(camera: &Camera) -> CameraListing {
    let device = &camera.device;
    let problem = fs::File::open(device).err().map(|error| {
        let fix = match error.kind() {
            io::ErrorKind::PermissionDenied => "; `sudo usermod -aG video USER`, and log in anew",
            _ => "",
        };
        format!("{}: {error}{fix}", device.display())
    });
    let modes = if problem.is_some() { Vec::new() } else { devices::modes(device) };
    let mode = |mode: &devices::Mode| ListedMode {
        encoding: mode.encoding,
        size: mode.size,
        fps: mode.fps,
        sensor_mode: None,
    };
    CameraListing {
        name: camera.name.clone(),
        source: SourceUri::Usb(UsbDevice::Path(device.clone())),
        modes: modes.iter().map(mode).collect(),
        problem,
    }
}

impl fmt::Display for CameraListing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n    source = \"{}\"", self.name, self.source)?;
        for mode in &self.modes {
            writeln!(f, "    {mode}")?;
        }
        self.problem.iter().try_for_each(|problem| writeln!(f, "    {problem}"))
    }
}

impl fmt::Display for ListedMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fps = (self.fps * 100.0).round() / 100.0;
        write!(f, "{} {} at {fps} fps", self.encoding, self.size)?;
        self.sensor_mode.map_or(Ok(()), |number| write!(f, ", csi.sensor_mode = {number}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::devices::tests::{USB, VI, machine};

    #[test]
    fn cameras_are_listed_with_what_to_write() {
        let root = machine(&[
            (0, "vi-output, imx219 7-0010", 0, VI),
            (1, "vi-output, ov5693 8-0010", 0, VI),
            (2, "HD Pro Webcam C920", 0, USB),
        ]);
        let listed: Vec<_> = listings(&devices::cameras(root.path())).iter().map(ToString::to_string).collect();
        assert_eq!(
            listed,
            [
                "vi-output, imx219 7-0010\n    source = \"csi://0\"\n\
                 \x20   raw 3264x2464 at 21 fps, csi.sensor_mode = 0\n\
                 \x20   raw 3264x1848 at 28 fps, csi.sensor_mode = 1\n\
                 \x20   raw 1920x1080 at 30 fps, csi.sensor_mode = 2\n\
                 \x20   raw 1640x1232 at 30 fps, csi.sensor_mode = 3\n\
                 \x20   raw 1280x720 at 60 fps, csi.sensor_mode = 4\n",
                "vi-output, ov5693 8-0010\n    source = \"csi://1\"\n\
                 \x20   its modes are not known; `v4l2-ctl --list-formats-ext -d /dev/video1` asks\n",
                "HD Pro Webcam C920\n    source = \"usb:///dev/v4l/by-id/usb-046d_C920-video-index0\"\n\
                 \x20   /dev/v4l/by-id/usb-046d_C920-video-index0: No such file or directory (os error 2)\n",
            ]
        );
    }

    #[test]
    fn a_mode_is_text_and_json() {
        let mode = ListedMode {
            encoding: Encoding::Mjpeg,
            size: Size::new(1280, 720),
            fps: 30_000.0 / 1_001.0,
            sensor_mode: None,
        };
        assert_eq!(mode.to_string(), "MJPEG 1280x720 at 29.97 fps");
        let json = serde_json::to_value(mode).unwrap();
        assert_eq!((&json["encoding"], &json["width"]), (&"mjpeg".into(), &1280.into()));
    }
}
