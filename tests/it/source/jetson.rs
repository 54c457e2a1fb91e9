//! The Jetson's pipelines, run with elements that stand in for its own.

use super::{Bench, INPUT, TIMEOUT, fake_elements, is_alone, rtsp};
use crate::support::part;
use detector::geometry::Size;
use gstreamer::{self as gst, prelude::*};
use sightd::{
    camera::CameraState,
    channels::pictures::Viewer,
    source::{Codec, Config, Crop, Flip, Fps, UsbFormat},
};

fn config(uri: &str, change: impl Fn(&mut Config)) -> Config {
    let mut config = Config::new(uri.parse().unwrap());
    change(&mut config);
    config
}

#[test]
fn each_source_gives_frames_and_pictures() {
    if !is_alone("jetson::each_source_gives_frames_and_pictures") {
        return;
    }
    fake_elements::register_jetson();
    let servers = ["h264", "h265"].map(|codec| {
        let port = rtsp::port();
        (rtsp::Server::start(port, Size::new(320, 240), codec, &[]), format!("rtsp://127.0.0.1:{port}/live"))
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let turned = |config: &mut Config| {
        config.flip = Flip::Clockwise;
        config.crop = Crop { left: 100, right: 60, top: 40, bottom: 80 };
        config.csi.sensor_mode = Some(4);
    };
    for (config, size) in [
        (config("csi://0", |_| {}), Size::new(1280, 720)),
        (config("csi://1", turned), Size::new(600, 1120)),
        (config("usb:///dev/video7", |_| {}), Size::new(1280, 720)),
        (config("usb:///dev/video7", |config| config.usb.format = UsbFormat::Raw), Size::new(640, 480)),
        (config(&format!("file://{}?loop", part("footage/vtest.avi").display()), |_| {}), Size::new(768, 576)),
        (config(&servers[0].1, |config| config.network.codec = Codec::H264), Size::new(320, 240)),
        (config(&servers[1].1, |config| config.network.codec = Codec::H265), Size::new(320, 240)),
    ] {
        let name = config.uri.to_string();
        eprintln!("{name}");
        let mut bench = Bench::with(config).unwrap();
        let frame = bench.frame();
        assert_eq!((frame.source_size, frame.pixels.size), (size, INPUT), "{name}");
        let pipeline = bench.status().pipeline;
        assert!(pipeline.contains("nvvidconv interpolation-method=1"), "{pipeline}");
        let mut viewer = bench.pictures.watch();
        let picture = runtime.block_on(async { tokio::time::timeout(TIMEOUT, viewer.next()).await.unwrap() });
        let decoded = image::load_from_memory(&picture.jpeg).unwrap();
        assert_eq!(Size::new(decoded.width(), decoded.height()), size, "{name}");
        bench.stop();
    }
    drop(servers);

    // What the camera itself refuses arrives as an error, or as an end where there is no camera.
    let too_fast = config("csi://0", |config| config.fps = Some(Fps::try_from(90.0).unwrap()));
    for (config, text) in [(too_fast, "Frame Rate specified"), (config("csi://5", |_| {}), "the stream has ended")] {
        let bench = Bench::with(config).unwrap();
        let status = bench.wait_until("refused", |status| status.last_error.is_some());
        assert!(status.last_error.as_ref().unwrap().contains(text), "{status:?}");
        bench.stop();
    }
    what_the_elements_refuse();
}

#[test]
fn a_frame_is_encoded_once_for_all_who_watch_and_for_nobody_not_at_all() {
    if !is_alone("jetson::a_frame_is_encoded_once_for_all_who_watch_and_for_nobody_not_at_all") {
        return;
    }
    fake_elements::register_jetson();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let mut bench = Bench::start("csi://0").unwrap();
    let frames = |bench: &mut Bench, count| (0..count).map(|_| bench.frame().stamp.seq).last().unwrap();
    let start = frames(&mut bench, 30);
    assert_eq!(fake_elements::pictures_encoded(), 0, "nobody watches");
    let mut viewers = [(); 5].map(|()| bench.pictures.watch());
    for _ in 0..20 {
        let see = |viewer: &mut Viewer| {
            runtime.block_on(async { tokio::time::timeout(TIMEOUT, viewer.next()).await.unwrap() }).stamp.seq
        };
        let seen: Vec<u64> = viewers.iter_mut().map(see).collect();
        assert!(seen.iter().all(|seq| *seq > start), "{seen:?}");
    }
    drop(viewers);
    let passed = frames(&mut bench, 30) - start;
    let encoded = fake_elements::pictures_encoded() as u64;
    assert!((20..=passed).contains(&encoded), "{encoded} pictures of {passed} frames for five viewers");
    frames(&mut bench, 30);
    assert_eq!(fake_elements::pictures_encoded() as u64, encoded, "nobody watches any more");
    bench.stop();
}

#[test]
fn a_csi_camera_that_is_stuck_asks_for_a_new_argus() {
    if !is_alone("jetson::a_csi_camera_that_is_stuck_asks_for_a_new_argus") {
        return;
    }
    fake_elements::register_jetson();
    let folder = tempfile::tempdir().unwrap();
    let request = folder.path().join("restart-nvargus");
    let wish = |config: &mut Config| config.argus_restart_request = Some(request.clone());
    let bench = Bench::with(config(&format!("csi://{}", fake_elements::WEDGED_SENSOR), wish)).unwrap();
    let status = bench.wait_for(CameraState::Stuck);
    assert!(status.last_error.unwrap().contains("no frame came within 10s"));
    assert_eq!(std::fs::read_to_string(&request).unwrap(), "cam\n");
    bench.stop();
}

/// The stand-ins refuse what the real elements refuse, so that the test above means something.
fn what_the_elements_refuse() {
    let nvmm = "video/x-raw(memory:NVMM),format=NV12";
    let system = "videotestsrc num-buffers=3 ! video/x-raw,format=I420,width=320,height=240";
    for (text, works) in [
        (format!("{system} ! nvvidconv ! {nvmm} ! fakesink"), true),
        (format!("{system} ! nvvidconv ! video/x-raw,format=RGBA,width=300,height=300 ! fakesink"), false),
        (format!("{system} ! nvvidconv ! {nvmm} ! nvvidconv ! video/x-raw,format=NV12,width=304 ! fakesink"), true),
        (format!("{system} ! nvvidconv ! {nvmm} ! nvvidconv ! video/x-raw,format=NV12,width=300 ! fakesink"), false),
        (format!("{system} ! nvvidconv ! {nvmm} ! nvvidconv ! video/x-raw,format=RGBA,width=300 ! fakesink"), true),
        (format!("{system} ! nvvidconv ! {nvmm} ! nvvidconv ! video/x-raw,format=RGB ! fakesink"), false),
        (format!("{system} ! nvjpegenc ! fakesink"), false),
    ] {
        assert_eq!(runs(&text), works, "{text}");
    }
}

/// Whether the pipeline plays to its end.
fn runs(text: &str) -> bool {
    let Ok(pipeline) = gst::parse::launch(text) else { return false };
    let bus = pipeline.bus().unwrap();
    let started = pipeline.set_state(gst::State::Playing).is_ok();
    let kinds = [gst::MessageType::Eos, gst::MessageType::Error];
    let last = bus.timed_pop_filtered(gst::ClockTime::from_seconds(60), &kinds);
    pipeline.set_state(gst::State::Null).unwrap();
    started && last.is_some_and(|message| message.type_() == gst::MessageType::Eos)
}
