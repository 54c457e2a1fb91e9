//! Many cameras and one engine.

use super::INPUT;
use detector::geometry::Size;
use sightd::{
    camera::{CameraName, CameraStatus},
    channels::latest_frames::{FramesHandle, LatestFrames, Next},
    source::{self, Config, Fps, Handle, SourceOutputs},
};
use std::{
    collections::BTreeMap,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};
use tokio::sync::watch;

fn camera(frames_handle: &FramesHandle, name: &str, size: Size, fps: f64) -> (Handle, watch::Receiver<CameraStatus>) {
    let camera: CameraName = name.parse().unwrap();
    let (sender, status) = watch::channel(CameraStatus::new(String::new()));
    let frames = frames_handle.open(&camera);
    let mut config = Config::new("test://ball".parse().unwrap());
    config.size = Some(size);
    config.fps = Some(Fps::try_from(fps).unwrap());
    let outputs = SourceOutputs { camera, frames, pictures: Arc::default(), video: Arc::default(), status: sender };
    (source::spawn(config, INPUT, outputs).unwrap(), status)
}

fn sizes() -> [(&'static str, Size); 4] {
    [("a", Size::new(320, 240)), ("b", Size::new(640, 360)), ("c", Size::new(640, 480)), ("d", Size::new(1280, 720))]
}

/// An engine that takes `time` for each frame; gives how many frames of each camera it took.
fn engine(latest_frames: &mut LatestFrames, time: Duration, frames: usize) -> BTreeMap<String, usize> {
    let mut taken = BTreeMap::new();
    for _ in 0..frames {
        match latest_frames.next(super::TIMEOUT) {
            Next::Frame(camera, _) => *taken.entry(camera.to_string()).or_default() += 1,
            other => panic!("{other:?}"),
        }
        thread::sleep(time);
    }
    taken
}

#[test]
fn where_the_engine_is_the_limit_each_camera_gets_an_equal_share() {
    let (mut latest_frames, frames_handle) = LatestFrames::new();
    let mut cameras: Vec<_> = sizes().iter().map(|(name, size)| camera(&frames_handle, name, *size, 10.0)).collect();
    // 12 frames a second at most, of 40 that come; then of 240.
    let slow = Duration::from_millis(80);
    while engine(&mut latest_frames, Duration::ZERO, 1).is_empty() {}
    thread::sleep(Duration::from_secs(1)); // all are running
    let shares = engine(&mut latest_frames, slow, 100);
    assert_eq!(shares.len(), 4);
    assert!(shares.values().all(|share| (23..=27).contains(share)), "{shares:?}");
    cameras.push(camera(&frames_handle, "flood", Size::new(160, 120), 200.0));
    thread::sleep(Duration::from_secs(1));
    let shares = engine(&mut latest_frames, slow, 100);
    assert_eq!(shares.len(), 5);
    assert!(shares.values().all(|share| (18..=22).contains(share)), "{shares:?}");
    for (handle, _) in cameras {
        handle.stop(Instant::now() + super::TIMEOUT).unwrap();
    }
}

#[test]
fn where_there_is_room_each_camera_keeps_its_own_rate() {
    let (mut latest_frames, frames_handle) = LatestFrames::new();
    let rates = [1.0, 2.0, 4.0, 8.0];
    let cameras: Vec<_> = sizes()
        .iter()
        .zip(rates)
        .map(|((name, size), fps)| (*name, camera(&frames_handle, name, *size, fps)))
        .collect();
    let taken = engine(&mut latest_frames, Duration::ZERO, 75);
    // 75 frames are five seconds of 1 + 2 + 4 + 8 a second. Where other work holds this thread up, a frame may be lost.
    for ((name, _), want) in cameras.iter().zip([5usize, 10, 20, 40]) {
        let (tolerance, dropped) = (1 + want / 10, frames_handle.dropped(&name.parse().unwrap()));
        assert!(
            taken[*name].abs_diff(want) <= tolerance && dropped <= tolerance as u64,
            "{name}: {dropped}, {taken:?}"
        );
    }
    for (_, (handle, _)) in cameras {
        handle.stop(Instant::now() + super::TIMEOUT).unwrap();
    }
}

#[test]
fn one_camera_may_go_and_come_and_the_others_do_not_notice() {
    let (mut latest_frames, frames_handle) = LatestFrames::new();
    let [stays, goes] = ["stays", "goes"].map(|name| camera(&frames_handle, name, Size::new(320, 240), 10.0));
    engine(&mut latest_frames, Duration::ZERO, 4);
    goes.0.stop(Instant::now() + super::TIMEOUT).unwrap();
    engine(&mut latest_frames, Duration::ZERO, 1);
    assert_eq!(engine(&mut latest_frames, Duration::ZERO, 10).len(), 1, "only one is left");
    let goes = camera(&frames_handle, "goes", Size::new(320, 240), 10.0);
    while goes.1.borrow().frames == 0 {
        engine(&mut latest_frames, Duration::ZERO, 1);
    }
    goes.0.stop(Instant::now() + super::TIMEOUT).unwrap();
    assert_eq!(stays.1.borrow().restarts, 0);
    stays.0.stop(Instant::now() + super::TIMEOUT).unwrap();
}
