//! The cameras of this machine, as the kernel lists them, and what each can send.

use super::{
    config::{Config, Fps, UsbFormat},
    error::SourceError,
    gst::take_down,
    uri::UsbDevice,
};
use detector::geometry::Size;
use gstreamer::{self as gst, prelude::*};
use serde::Serialize;
use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

/// A camera of this machine.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Camera {
    /// The device file; the one that stays the same when it is plugged in again, where there is one.
    pub device: PathBuf,
    /// The driver's name for it.
    pub name: String,
    pub bus: Bus,
    /// What it can send, as far as it was asked.
    pub modes: Vec<Mode>,
}

/// How a camera is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bus {
    Csi,
    Usb,
}

/// Size, rate and form of what a camera can send.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Mode {
    pub encoding: Encoding,
    pub size: Size,
    /// Frames a second, as GStreamer writes it.
    pub rate: String,
    pub fps: f64,
}

/// The form of what a camera sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// JPEG pictures.
    Mjpeg,
    /// Raw pixels.
    Raw,
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mjpeg => "MJPEG",
            Self::Raw => "raw",
        })
    }
}

impl Mode {
    /// The most pixels that are taken where nobody chose a size.
    const PIXELS: u32 = 1280 * 720;
    /// The rate that is aimed at where nobody chose one.
    const FPS: f64 = 30.0;

    /// The mode that fits `config` best: the size asked for, else the largest up to 1280x720; then the lowest rate
    /// that is enough, else the highest; then MJPEG, because raw pictures of several cameras overfill one USB bus.
    pub fn choose<'a>(modes: &'a [Mode], config: &Config) -> Option<&'a Mode> {
        let wanted = config.fps.map_or(Self::FPS, Fps::get);
        let pixels = |mode: &Mode| mode.size.width.saturating_mul(mode.size.height);
        let fits = |mode: &&Mode| {
            let format = match config.usb.format {
                UsbFormat::Auto => true,
                UsbFormat::Mjpeg => mode.encoding == Encoding::Mjpeg,
                UsbFormat::Raw => mode.encoding == Encoding::Raw,
            };
            format && config.size.is_none_or(|size| size == mode.size)
        };
        // Above the limit, smaller is better; below it, larger.
        let size_rank = |mode: &Mode| match (config.size, i64::from(pixels(mode))) {
            (Some(_), _) => 0,
            (None, pixels) if pixels <= i64::from(Self::PIXELS) => pixels,
            (None, pixels) => -pixels,
        };
        let rate_rank = |mode: &Mode| if mode.fps + 0.01 >= wanted { 1e6 - mode.fps } else { mode.fps };
        modes.iter().filter(fits).max_by(|a, b| {
            size_rank(a)
                .cmp(&size_rank(b))
                .then(rate_rank(a).total_cmp(&rate_rank(b)))
                .then((a.encoding == Encoding::Mjpeg).cmp(&(b.encoding == Encoding::Mjpeg)))
        })
    }
}

/// The cameras below `root` (`/` but for tests), by device number; their modes are not asked for.
pub(super) fn cameras(root: &Path) -> Vec<Camera> {
    let Ok(entries) = fs::read_dir(root.join("sys/class/video4linux")) else { return Vec::new() };
    let mut nodes: Vec<(u32, PathBuf)> = entries
        .flatten()
        .filter_map(|entry| {
            let number = entry.file_name().to_str()?.strip_prefix("video")?.parse().ok()?;
            Some((number, entry.path()))
        })
        .collect();
    nodes.sort();
    nodes.iter().filter_map(|(number, node)| camera(root, *number, node)).collect()
}

fn camera(root: &Path, number: u32, node: &Path) -> Option<Camera> {
    let name = fs::read_to_string(node.join("name")).ok()?.trim().to_owned();
    // A UVC camera's further nodes carry metadata, not pictures.
    if fs::read_to_string(node.join("index")).is_ok_and(|index| index.trim() != "0") {
        return None;
    }
    let device = PathBuf::from(format!("/dev/video{number}"));
    // The Tegra capture driver shows each CSI sensor as "vi-output, imx219 7-0010".
    if name.starts_with("vi-output") {
        return Some(Camera { device, name, bus: Bus::Csi, modes: Vec::new() });
    }
    let parent = fs::canonicalize(node.join("device")).ok()?;
    let on_usb = parent.components().any(|part| part.as_os_str().to_string_lossy().starts_with("usb"));
    let device = by_id(root, number).unwrap_or(device);
    on_usb.then_some(Camera { device, name, bus: Bus::Usb, modes: Vec::new() })
}

/// The link in /dev/v4l/by-id to this device.
fn by_id(root: &Path, number: u32) -> Option<PathBuf> {
    let device = format!("video{number}");
    let link = fs::read_dir(root.join("dev/v4l/by-id")).ok()?.flatten().find(|link| {
        fs::read_link(link.path()).is_ok_and(|target| target.file_name().is_some_and(|name| name == device.as_str()))
    })?;
    Some(Path::new("/dev/v4l/by-id").join(link.file_name()))
}

/// The USB camera that `device` names, with its modes.
pub(super) fn find_usb(root: &Path, device: &UsbDevice) -> Result<Camera, SourceError> {
    let mut camera = match device {
        // A path is taken at its word: it may be a device that the list above leaves out.
        UsbDevice::Path(path) => {
            Camera { device: path.clone(), name: path.display().to_string(), bus: Bus::Usb, modes: Vec::new() }
        }
        UsbDevice::Name(name) => {
            let wanted = name.to_lowercase();
            let has = |text: &str| text.to_lowercase().contains(&wanted);
            let mut usb = cameras(root);
            usb.retain(|camera| camera.bus == Bus::Usb);
            let found = usb.iter().find(|camera| has(&camera.name) || has(&camera.device.to_string_lossy())).cloned();
            found.ok_or_else(|| {
                let names: Vec<&str> = usb.iter().map(|camera| camera.name.as_str()).collect();
                let found = if names.is_empty() { "none".into() } else { names.join(", ") };
                SourceError::NoSuchCamera { name: name.clone(), found }
            })?
        }
    };
    camera.modes = modes(&camera.device);
    Ok(camera)
}

/// What the V4L2 device can send, as GStreamer understands it; nothing if it cannot be asked.
pub(super) fn modes(device: &Path) -> Vec<Mode> {
    let Ok(source) = gst::ElementFactory::make("v4l2src").property("device", device.to_string_lossy().as_ref()).build()
    else {
        return Vec::new();
    };
    let caps = source.set_state(gst::State::Ready).ok().and_then(|_| Some(source.static_pad("src")?.query_caps(None)));
    take_down(&source);
    caps.map(|caps| modes_of(&caps)).unwrap_or_default()
}

fn modes_of(caps: &gst::Caps) -> Vec<Mode> {
    let mut modes: Vec<Mode> = Vec::new();
    for structure in caps.iter() {
        let encoding = match structure.name().as_str() {
            "image/jpeg" => Encoding::Mjpeg,
            "video/x-raw" => Encoding::Raw,
            _ => continue,
        };
        let side = |name| structure.get::<i32>(name).ok().and_then(|side| u32::try_from(side).ok());
        let Some(size) = side("width").zip(side("height")).map(|(width, height)| Size::new(width, height)) else {
            continue; // a range: such a device scales, and is asked for what the user wants
        };
        for rate in rates(structure) {
            let fps = f64::from(rate.numer()) / f64::from(rate.denom());
            let mode = Mode { encoding, size, rate: format!("{}/{}", rate.numer(), rate.denom()), fps };
            if !modes.contains(&mode) {
                modes.push(mode);
            }
        }
    }
    modes
}

fn rates(structure: &gst::StructureRef) -> Vec<gst::Fraction> {
    if let Ok(rate) = structure.get::<gst::Fraction>("framerate") {
        return vec![rate];
    }
    if let Ok(list) = structure.get::<gst::List>("framerate") {
        return list.iter().filter_map(|rate| rate.get::<gst::Fraction>().ok()).collect();
    }
    structure.get::<gst::FractionRange>("framerate").map(|range| vec![range.max()]).unwrap_or_default()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::source::SourceUri;
    use std::os::unix::fs::symlink;

    /// The device folder of a USB camera, and of a CSI camera on a Jetson.
    pub const USB: &str = "sys/devices/70090000.xusb/usb1/1-2/1-2:1.0";
    pub const VI: &str = "sys/devices/50000000.host1x/54080000.vi";

    /// A machine's files: video nodes of (number, name, index, device folder); number 2 has a name in by-id.
    pub fn machine(nodes: &[(u32, &str, u32, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let links = root.path().join("dev/v4l/by-id");
        fs::create_dir_all(&links).unwrap();
        for (number, name, index, device) in nodes {
            let node = root.path().join(format!("sys/class/video4linux/video{number}"));
            fs::create_dir_all(&node).unwrap();
            fs::write(node.join("name"), format!("{name}\n")).unwrap();
            fs::write(node.join("index"), format!("{index}\n")).unwrap();
            let device = root.path().join(device);
            fs::create_dir_all(&device).unwrap();
            symlink(&device, node.join("device")).unwrap();
        }
        symlink("../../video2", links.join("usb-046d_C920-video-index0")).unwrap();
        root
    }

    fn caps(text: &str) -> Vec<Mode> {
        gst::init().unwrap();
        modes_of(&text.parse().unwrap())
    }

    #[test]
    fn a_camera_is_asked_for_the_mode_that_fits() {
        let modes = caps(
            "video/x-raw, format=YUY2, width=640, height=480, framerate={ 30/1, 15/1 }; \
             video/x-raw, format=YUY2, width=1280, height=720, framerate=10/1; \
             image/jpeg, width=640, height=480, framerate={ 30/1, 60/1 }; \
             image/jpeg, width=1280, height=720, framerate={ 15/1, 30/1, 60/1 }; \
             image/jpeg, width=1920, height=1080, framerate=30/1; \
             video/x-bayer, format=rggb, width=640, height=480, framerate=30/1",
        );
        assert_eq!(modes.len(), 9);
        for (size, fps, format, want) in [
            (None, None, UsbFormat::Auto, Some((Encoding::Mjpeg, 1280, "30/1"))),
            (None, None, UsbFormat::Raw, Some((Encoding::Raw, 1280, "10/1"))),
            (Some(Size::new(640, 480)), None, UsbFormat::Auto, Some((Encoding::Mjpeg, 640, "30/1"))),
            (Some(Size::new(640, 480)), Some(15.0), UsbFormat::Auto, Some((Encoding::Raw, 640, "15/1"))),
            (Some(Size::new(640, 480)), Some(45.0), UsbFormat::Auto, Some((Encoding::Mjpeg, 640, "60/1"))),
            (Some(Size::new(640, 480)), Some(45.0), UsbFormat::Raw, Some((Encoding::Raw, 640, "30/1"))),
            (Some(Size::new(1920, 1080)), None, UsbFormat::Raw, None),
        ] {
            let mut config = Config::new(SourceUri::Usb(UsbDevice::Name("x".into())));
            config.size = size;
            config.fps = fps.map(|fps| Fps::try_from(fps).unwrap());
            config.usb.format = format;
            let mode = Mode::choose(&modes, &config).map(|mode| (mode.encoding, mode.size.width, mode.rate.as_str()));
            assert_eq!(mode, want, "{size:?} {fps:?} {format:?}");
        }
    }
}
