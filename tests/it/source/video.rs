//! The encoder beside the camera: the Jetson's, with elements that stand in for it, faults, and restarts.

use super::{Bench, TIMEOUT, fake_elements, is_alone};
use detector::geometry::Size;
use fake_elements::{EncoderFault, encoders_have};
use sightd::{
    camera::CameraState,
    channels::video::{Kind, Next, Offer, VideoFrame, Viewer},
    source::Config,
};
use std::{sync::Arc, time::Instant};
use tokio::{runtime::Runtime, time::timeout};

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap()
}

fn next(runtime: &Runtime, viewer: &mut Viewer) -> Result<Arc<VideoFrame>, String> {
    let next = runtime.block_on(async { timeout(TIMEOUT, viewer.next()).await.expect("no frame and no end") });
    next.map(|Next { frame, lost }| {
        assert_eq!(lost, 0);
        frame
    })
}

/// The next frames, which follow each other on the timeline.
fn frames(runtime: &Runtime, viewer: &mut Viewer, count: usize) -> Vec<Arc<VideoFrame>> {
    let frames: Vec<_> = (0..count).map(|_| next(runtime, viewer).unwrap()).collect();
    for pair in frames.windows(2) {
        assert_eq!(pair[0].at + pair[0].duration, pair[1].at);
        assert!(pair[0].frame.stamp.seq < pair[1].frame.stamp.seq);
    }
    frames
}

#[test]
fn a_jetson_encodes_with_its_own_engine() {
    if !is_alone("video::a_jetson_encodes_with_its_own_engine") {
        return;
    }
    fake_elements::register_jetson();
    let runtime = runtime();
    // Pictures in the memory of the video engines, and in the CPU's.
    for (uri, size) in [("csi://0", Size::new(1280, 720)), ("test://counter", Size::new(640, 360))] {
        let bench = Bench::start(uri).unwrap();
        assert_eq!(bench.video.offer(), Offer::H264 { encoder: "nvv4l2h264enc" }, "{uri}");
        let mut viewer = bench.video.watch();
        let frames = frames(&runtime, &mut viewer, 65);
        let keys: Vec<_> = (0..65).filter(|&index| frames[index].frame.kind == Kind::Key).collect();
        assert_eq!(keys, [0, 30, 60], "{uri}");
        assert_eq!(frames[0].frame.codec.size, size);
        drop(viewer);
        bench.stop();
    }
}

#[test]
fn a_broken_encoder_sends_viewers_away_and_leaves_the_camera_alone() {
    if !is_alone("video::a_broken_encoder_sends_viewers_away_and_leaves_the_camera_alone") {
        return;
    }
    fake_elements::register_jetson();
    let runtime = runtime();
    for (fault, why) in [
        (EncoderFault::Error, "the encoder has burnt out"),
        (EncoderFault::Silent, "it gave nothing for 5 s"),
        (EncoderFault::Hangs, "it gave nothing for 5 s"),
    ] {
        encoders_have(fault);
        let mut bench = Bench::start("csi://0").unwrap();
        let before = bench.frame().stamp.seq;
        let mut viewer = bench.video.watch();
        let end = next(&runtime, &mut viewer).unwrap_err();
        assert!(end.contains("nvv4l2h264enc failed") && end.contains(why), "{fault:?}: {end}");
        assert_eq!(bench.video.offer(), Offer::None(end));
        while bench.frame().stamp.seq < before + 30 {}
        assert_eq!((bench.status().state, bench.status().restarts), (CameraState::Running, 0), "{fault:?}");
        drop(viewer);
        bench.handle.stop(Instant::now() + TIMEOUT).unwrap();
    }
}

#[test]
fn the_video_goes_on_when_the_camera_comes_back() {
    if !is_alone("video::the_video_goes_on_when_the_camera_comes_back") {
        return;
    }
    fake_elements::register_faulty();
    let runtime = runtime();
    let elements = "videotestsrc is-live=true pattern=ball ! video/x-raw,width=160,height=120,framerate=30/1 \
                    ! faulty fault=error after=40";
    let bench = Bench::with(Config::new(format!("gst://{elements}").parse().unwrap())).unwrap();
    let mut viewer = bench.video.watch();
    let frames = frames(&runtime, &mut viewer, 100);
    let keys: Vec<_> = frames.iter().filter(|frame| frame.frame.kind == Kind::Key).map(|frame| frame.index).collect();
    assert!(bench.status().restarts >= 1 && keys.len() >= 5, "{:?} {keys:?}", bench.status());
    assert!(frames.iter().all(|frame| frame.frame.codec == frames[0].frame.codec));
    bench.stop();
}
