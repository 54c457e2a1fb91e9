//! What to watch when nobody said: the first camera there is.

use super::{
    devices::{Bus, Camera, cameras},
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::devices::tests::{USB, VI, machine};

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
