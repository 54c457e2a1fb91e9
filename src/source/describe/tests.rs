//! The pipelines of each source on each machine, as text that was looked at: `snapshots/`.

use super::*;
use crate::source::{
    config::{Codec, Crop, Flip, Fps, Transport, UsbFormat, WhiteBalance},
    devices::{Bus, Encoding, Mode},
};
use parts::quoted;

const INPUT: Size = Size::new(300, 300);

fn camera() -> Camera {
    let mode = |encoding, width, height, fps: u32| Mode {
        encoding,
        size: Size::new(width, height),
        rate: format!("{fps}/1"),
        fps: fps.into(),
    };
    Camera {
        device: "/dev/v4l/by-id/usb-046d_C920-video-index0".into(),
        name: "HD Pro Webcam C920".into(),
        bus: Bus::Usb,
        modes: vec![
            mode(Encoding::Raw, 640, 480, 30),
            mode(Encoding::Mjpeg, 1280, 720, 30),
            mode(Encoding::Mjpeg, 1920, 1080, 30),
        ],
    }
}

fn config(uri: &str, change: impl Fn(&mut Config)) -> Config {
    let mut config = Config::new(uri.parse().unwrap());
    change(&mut config);
    config
}

/// Line by line, for people who read it.
fn broken(text: &str) -> String {
    text.replace(" tap. ! ", "\n    tap. ! ").replace(" ! tee ", "\n    ! tee ")
}

fn cases() -> Vec<(&'static str, Config)> {
    let rtsp = "rtsp://admin:secret@10.0.0.9/live?channel=1";
    let crop = Crop { left: 100, right: 60, top: 40, bottom: 80 };
    vec![
        ("csi", config("csi://0", |_| {})),
        (
            "csi, all options",
            config("csi://1", |config| {
                config.size = Some(Size::new(1920, 1080));
                config.fps = Some(Fps::try_from(12.5).unwrap());
                config.flip = Flip::Clockwise;
                config.crop = crop;
                config.csi.sensor_mode = Some(2);
                config.csi.exposure_us = Some([33, 33_333]);
                config.csi.gain = Some([1, 16]);
                config.csi.white_balance = WhiteBalance::Daylight;
            }),
        ),
        ("usb mjpeg", config("usb://C920", |_| {})),
        ("usb raw", config("usb://C920", |config| config.usb.format = UsbFormat::Raw)),
        (
            "usb, turned and cut",
            config("usb://C920", |config| {
                config.flip = Flip::Rotate180;
                config.crop = crop;
            }),
        ),
        ("rtsp", config(rtsp, |_| {})),
        ("rtsp h264", config(rtsp, |config| config.network.codec = Codec::H264)),
        (
            "rtsp h265 over udp",
            config(rtsp, |config| {
                config.network.codec = Codec::H265;
                config.network.transport = Transport::Udp;
                config.network.latency_ms = 100;
            }),
        ),
        ("http", config("http://10.0.0.9/video.mjpg?pwd=secret", |_| {})),
        ("file", config("file:///a%20b/\"street\".mp4?loop", |_| {})),
        ("file, mirrored", config("file:///street.mp4", |config| config.flip = Flip::Horizontal)),
        ("file, as fast as possible", config("file:///street.mp4?speed=max", |_| {})),
        ("images", config("images:///pictures", |_| {})),
        ("test", config("test://smpte", |_| {})),
        ("gst", config("gst://videotestsrc ! video/x-raw,width=320,height=240", |_| {})),
    ]
}

#[test]
fn pipelines_are_as_they_were_reviewed() {
    let mut golden = String::new();
    for (name, config) in cases() {
        let camera = matches!(config.uri, SourceUri::Usb(_)).then(camera);
        for platform in [Platform::Jetson, Platform::Software] {
            if platform == Platform::Software && matches!(config.uri, SourceUri::Csi { .. }) {
                continue;
            }
            let text = pipeline(&config, INPUT, platform, camera.as_ref()).unwrap();
            assert!(!text.contains("secret"), "{text}");
            golden += &format!("{name} on {platform:?}\n    {}\n\n", broken(&text));
        }
    }
    insta::assert_snapshot!("pipelines", golden);
}

#[test]
fn software_pipelines_are_understood_by_gstreamer() {
    gstreamer::init().unwrap();
    for (name, config) in cases() {
        if matches!(config.uri, SourceUri::Csi { .. }) {
            continue;
        }
        let camera = matches!(config.uri, SourceUri::Usb(_)).then(camera);
        let text = with_video(&pipeline(&config, INPUT, Platform::Software, camera.as_ref()).unwrap());
        if let Err(error) = gstreamer::parse::launch(&text) {
            panic!("{name}: {error}\n{text}");
        }
    }
}

#[test]
fn whatever_is_in_a_path_is_only_a_value() {
    gstreamer::init().unwrap();
    for path in ["/a b", "/a\" ! fakesink", "/a\\", "/a\\\" ! fakesink \\", "/ä=1,b;c(d)", "/a'b"] {
        let text = format!("filesrc name=f location={}", quoted(path));
        let element = gstreamer::parse::launch(&text).unwrap();
        use gstreamer::prelude::*;
        assert_eq!(element.property::<String>("location"), path, "{text}");
    }
}

#[test]
fn a_size_that_the_camera_has_not_is_named_with_those_it_has() {
    let config = config("usb://C920", |config| config.size = Some(Size::new(800, 600)));
    let error = pipeline(&config, INPUT, Platform::Software, Some(&camera())).unwrap_err();
    assert_eq!(
        error.to_string(),
        "HD Pro Webcam C920 cannot send pictures of 800x600; it has raw 640x480, MJPEG 1280x720, MJPEG 1920x1080"
    );
    assert!(error.is_config());
}

#[test]
fn a_jetson_says_what_it_can_not_cut() {
    let crop = Crop { left: 700, right: 700, top: 0, bottom: 0 };
    for (uri, part) in [("csi://0", "nothing of the picture is left"), ("file:///a.mp4", "csi://, and usb://")] {
        let config = config(uri, |config| config.crop = crop);
        let error = pipeline(&config, INPUT, Platform::Jetson, None).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn options_that_do_not_go_with_the_source_are_refused() {
    for (config, part) in [
        (
            config("file:///a.mp4", |config| config.size = Some(INPUT)),
            "`width and height` does not go with file:///a.mp4",
        ),
        (config("csi://0", |config| config.usb.format = UsbFormat::Raw), "`usb` does not go with csi://0"),
        (config("usb://x", |config| config.csi.sensor_mode = Some(1)), "`csi` does not go with usb://x"),
        (config("test://snow", |config| config.network.latency_ms = 1), "`network` does not go with test://snow"),
    ] {
        let error = check_options(&config).unwrap_err();
        assert!(error.is_config() && error.to_string().contains(part), "{error}");
    }
}
