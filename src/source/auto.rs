//! What to watch when nobody said: the first camera there is.

use super::uri::{AtEnd, SourceUri, UsbDevice};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Chooses a source: the first CSI camera, else the first USB camera, else the footage in a loop, else test
/// pictures. The text says which and why.
pub fn choose_auto(footage: Option<&Path>) -> (SourceUri, String) {
    choose(&cameras(Path::new("/")), footage)
}

fn choose(cameras: &[Camera], footage: Option<&Path>) -> (SourceUri, String) {
    if let Some(camera) = cameras.iter().find(|camera| camera.bus == Bus::Csi) {
        return (SourceUri::Csi { sensor: 0 }, format!("a CSI camera is connected ({})", camera.name));
    }
    if let Some(camera) = cameras.iter().find(|camera| camera.bus == Bus::Usb) {
        let uri = SourceUri::Usb(UsbDevice::Path(camera.device.clone()));
        return (uri, format!("a USB camera is plugged in ({})", camera.name));
    }
    match footage.filter(|footage| footage.is_file()) {
        Some(footage) => (
            SourceUri::file(footage, AtEnd::Loop),
            format!("no camera was found, so the footage {} plays in a loop", footage.display()),
        ),
        None => {
            let uri = SourceUri::Test { pattern: "smpte".into() };
            (uri, "no camera and no footage were found, so GStreamer's test picture is shown".into())
        }
    }
}

/// A camera of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Camera {
    /// The device file that stays the same when it is plugged in again, where there is one.
    pub device: PathBuf,
    /// The driver's name for it.
    pub name: String,
    pub bus: Bus,
}

/// How a camera is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bus {
    Csi,
    Usb,
}

/// The cameras below `root` (`/` but for tests), as the kernel lists them, by device number.
pub(super) fn cameras(root: &Path) -> Vec<Camera> {
    let class = root.join("sys/class/video4linux");
    let Ok(entries) = fs::read_dir(&class) else { return Vec::new() };
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
        return Some(Camera { device, name, bus: Bus::Csi });
    }
    let parent = fs::canonicalize(node.join("device")).ok()?;
    let on_usb = parent.components().any(|part| part.as_os_str().to_string_lossy().starts_with("usb"));
    on_usb.then(|| Camera { device: by_id(root, number).unwrap_or(device), name, bus: Bus::Usb })
}

/// The link in /dev/v4l/by-id to this device.
fn by_id(root: &Path, number: u32) -> Option<PathBuf> {
    let device = format!("video{number}");
    let link = fs::read_dir(root.join("dev/v4l/by-id")).ok()?.flatten().find(|link| {
        fs::read_link(link.path()).is_ok_and(|target| target.file_name().is_some_and(|name| name == device.as_str()))
    })?;
    Some(Path::new("/dev/v4l/by-id").join(link.file_name()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    /// A machine's files: nodes of (number, name, index, whether on USB).
    fn machine(nodes: &[(u32, &str, u32, &str)]) -> tempfile::TempDir {
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

    const USB: &str = "sys/devices/70090000.xusb/usb1/1-2/1-2:1.0";
    const VI: &str = "sys/devices/50000000.host1x/54080000.vi";

    #[test]
    fn csi_comes_before_usb_before_footage_before_the_test_picture() {
        let footage = tempfile::NamedTempFile::new().unwrap();
        let csi = (0, "vi-output, imx219 7-0010", 0, VI);
        let usb = (2, "HD Pro Webcam C920", 0, USB);
        let loopback = (5, "Dummy video device", 0, "sys/devices/virtual");
        let by_id = "usb:///dev/v4l/by-id/usb-046d_C920-video-index0";
        let footage_uri = format!("file://{}?loop", footage.path().display());
        for (nodes, footage, want) in [
            (vec![csi, usb], None, "csi://0"),
            (vec![usb, loopback], Some(footage.path()), by_id),
            (vec![loopback], Some(footage.path()), footage_uri.as_str()),
            (vec![(3, "HD Pro Webcam C920", 1, USB)], None, "test://smpte"),
            (vec![], Some(Path::new("/nowhere.avi")), "test://smpte"),
        ] {
            let (uri, why) = choose(&cameras(machine(&nodes).path()), footage);
            assert_eq!(uri.to_string(), want, "{why}");
        }
    }
}
