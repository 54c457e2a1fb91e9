//! What to watch when nobody said: the first camera there is.

use super::{
    SourceError,
    devices::{self, Bus, Camera, Encoding, cameras},
    uri::{AtEnd, SourceUri, UsbDevice},
};
use std::path::Path;

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

/// A camera of this machine, as `doctor cameras` shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct CameraListing {
    /// The driver's name for it.
    pub name: String,
    /// What to write in the configuration.
    pub uri: SourceUri,
    /// What it can send, one size and rate each, for example `MJPEG 1280x720 at 30/1 fps`; empty where it can not be
    /// asked, as with CSI cameras.
    pub modes: Vec<String>,
}

/// The cameras that are plugged in, CSI cameras by their port. Opens each USB camera for a moment to ask for its modes.
///
/// # Errors
/// When GStreamer can not be used.
pub fn list_cameras() -> Result<Vec<CameraListing>, SourceError> {
    super::initialise()?;
    Ok(listings(&cameras(Path::new("/"))))
}

fn listings(cameras: &[Camera]) -> Vec<CameraListing> {
    let mut ports = 0..=u8::MAX;
    let listing = |camera: &Camera| {
        let uri = match camera.bus {
            Bus::Csi => SourceUri::Csi { sensor: ports.next()? },
            Bus::Usb => SourceUri::Usb(UsbDevice::Path(camera.device.clone())),
        };
        let modes = match camera.bus {
            Bus::Csi => Vec::new(),
            Bus::Usb => devices::modes(&camera.device),
        };
        let form = |encoding| match encoding {
            Encoding::Mjpeg => "MJPEG",
            Encoding::Raw => "raw",
        };
        let modes = modes.iter().map(|mode| format!("{} {} at {} fps", form(mode.encoding), mode.size, mode.rate));
        Some(CameraListing { name: camera.name.clone(), uri, modes: modes.collect() })
    };
    cameras.iter().filter_map(listing).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
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

    #[test]
    fn cameras_are_listed_with_what_to_write() {
        gstreamer::init().unwrap();
        let root = machine(&[
            (0, "vi-output, imx219 7-0010", 0, VI),
            (1, "vi-output, imx219 8-0010", 0, VI),
            (2, "HD Pro Webcam C920", 0, USB),
        ]);
        let listed: Vec<_> = listings(&cameras(root.path()))
            .into_iter()
            .map(|listing| format!("{}: {}", listing.uri, listing.name))
            .collect();
        assert_eq!(
            listed,
            [
                "csi://0: vi-output, imx219 7-0010",
                "csi://1: vi-output, imx219 8-0010",
                "usb:///dev/v4l/by-id/usb-046d_C920-video-index0: HD Pro Webcam C920",
            ]
        );
    }
}
