//! URIs, read and written.

use super::*;
use std::path::Path;

#[test]
fn uris_read_and_write_themselves() {
    for text in [
        "auto",
        "csi://0",
        "usb:///dev/v4l/by-id/usb-046d_C920-video-index0",
        "usb://C920",
        "rtsp://camera.local:554/stream1",
        "https://camera.local/video.mjpg",
        "file:///a%20b/street.mp4",
        "file:///street.mp4?loop",
        "file:///street.mp4?loop&speed=4",
        "file:///street.mp4?speed=max",
        "file:///100%25%23.mp4",
        "images:///pictures?loop",
        "images:///pictures/one.jpg",
        "test://smpte",
        "gst://videotestsrc ! video/x-raw,width=320,height=240",
    ] {
        assert_eq!(text.parse::<SourceUri>().unwrap().to_string(), text);
    }
}

#[test]
fn a_path_is_what_the_user_meant() {
    let SourceUri::File { path, .. } = "file:///a b/ü%20%3F.mp4".parse().unwrap() else { panic!("no file") };
    assert_eq!(path, Path::new("/a b/ü ?.mp4"));
}

#[test]
fn passwords_are_never_shown() {
    let uri: SourceUri = "rtsp://admin:s%40cret@10.0.0.9/live?channel=1&pwd=s%40cret".parse().unwrap();
    assert_eq!(uri.to_string(), "rtsp://admin:***@10.0.0.9/live?channel=***&pwd=***");
    assert_eq!(format!("{uri:?}"), uri.to_string());
    assert_eq!(serde_json::to_value(&uri).unwrap(), uri.to_string());
    let SourceUri::Rtsp(address) = uri else { panic!("no RTSP") };
    assert_eq!(address.password().as_deref(), Some("s@cret"));
    assert_eq!(address.user().as_deref(), Some("admin"));
    assert_eq!(address.location(), "rtsp://10.0.0.9/live?channel=1&pwd=s%40cret");
}

#[test]
fn mistakes_are_named() {
    for (text, part) in [
        ("", "csi://"),
        ("street.mp4", "file:///"),
        ("street.mp4", "write file:///"),
        ("clips/a b.mp4", "/clips/a%20b.mp4"),
        ("front.JPG", "write images:///"),
        ("/dev/video0", "write usb:///dev/video0"),
        ("test://nonsense", "counter"),
        ("ftp://x/y", "rtsp://"),
        ("csi://front", "csi://0"),
        ("csi://12", "0 to 9"),
        ("usb://", "usb:///dev/video0"),
        ("rtsp://", "host"),
        ("file://street.mp4", "three slashes"),
        ("file:///a.mp4?repeat", "?loop"),
        ("file:///a.mp4?speed=0", "above 0"),
        ("file:///a.mp4?speed=NaN", "above 0"),
        ("file:///a#1.mp4", "%23"),
        ("test://smtpe", "smpte75"),
        ("gst://  ", "videotestsrc"),
        ("rtsp://admin:s3cret@host:port/x", "port"),
        ("ftp://admin:s3cret@host/x?pwd=s3cret", "rtsp"),
    ] {
        let error = text.parse::<SourceUri>().unwrap_err().to_string();
        assert!(error.contains(part), "{text:?} gave {error:?}");
        assert!(!error.contains("s3cret"), "{error}");
    }
}
