//! Sources that fail in every way, in real pipelines.

use super::{Bench, fake_elements};
use crate::program::{Daemon, TIMEOUT, reference_model};
use detector::geometry::Size;
use sightd::{camera::CameraState, source::Config};
use std::{
    fs,
    process::Command,
    sync::Once,
    thread,
    time::{Duration, Instant},
};

fn source(fault: &str, after: u32) -> Config {
    static REGISTER: Once = Once::new();
    REGISTER.call_once(fake_elements::register_faulty);
    let elements = format!(
        "videotestsrc is-live=true pattern=ball ! video/x-raw,width=160,height=120,framerate=30/1 \
         ! faulty fault={fault} after={after}"
    );
    let mut config = Config::new(format!("gst://{elements}").parse().unwrap());
    config.timeouts.frozen_ms = Some(2_000);
    config
}

/// What goes wrong after how many frames, how long it takes to be noticed at least, what is said of it, and the state
/// it ends in. A change of caps is in the test below: it is no fault.
const FAULTS: [(&str, u32, Duration, &str, CameraState); 6] = [
    ("eos", 10, Duration::ZERO, "the stream has ended", CameraState::Retrying),
    ("error", 10, Duration::ZERO, "the cable was pulled", CameraState::Retrying),
    ("stall", 10, Duration::from_secs(3), "no frame came for 3s", CameraState::Retrying),
    ("stall", 0, Duration::from_secs(10), "no frame came within 10s", CameraState::Retrying),
    ("frozen", 10, Duration::from_secs(2), "the picture has not changed by one pixel for 2s", CameraState::Retrying),
    // Three pipelines that take 3 s each to be given up.
    ("block", 5, Duration::from_secs(9), "the cable was pulled", CameraState::Stuck),
];

#[test]
fn each_fault_is_noticed_in_its_time_named_and_ends_in_its_state() {
    // All at once: some take seconds.
    thread::scope(|scope| {
        for row in FAULTS {
            scope.spawn(move || suffer(row));
        }
    });
}

fn suffer((fault, after, at_least, text, state): (&str, u32, Duration, &str, CameraState)) {
    let start = Instant::now();
    let bench = Bench::with(source(fault, after)).unwrap();
    let status = bench.wait_for(state);
    let (time, error) = (start.elapsed(), status.last_error.unwrap());
    eprintln!("{fault} after {after} frames: {state} after {time:.2?}: {error}");
    assert!(error.contains(text), "{fault}: {error}");
    assert!(time >= at_least, "{fault} after {time:?}");
    if fault == "error" {
        assert!(error.starts_with("testfaulty"), "the element is named: {error}");
    }
    match state {
        CameraState::Stuck => assert_eq!(status.restarts, 2),
        _ => drop(bench.wait_until("tried again", |status| status.restarts >= 2)),
    }
    bench.stop();
}

#[test]
fn a_stream_that_says_it_is_slow_is_waited_for() {
    let mut bench = Bench::start("gst://videotestsrc is-live=true ! video/x-raw,framerate=1/5").unwrap();
    bench.frame();
    let status = bench.wait_until("learned", |status| status.stall_after == Duration::from_secs(20));
    assert_eq!((status.state, status.restarts), (CameraState::Running, 0));
    bench.stop();
}

#[test]
fn a_change_of_size_is_no_fault() {
    let part = |width, height| {
        format!(
            "videotestsrc num-buffers=15 pattern=ball ! video/x-raw,width={width},height={height},framerate=30/1 ! c."
        )
    };
    let elements = format!("{} {} concat name=c ! identity sync=true", part(160, 120), part(320, 240));
    let mut bench = Bench::start(&format!("gst://{elements}")).unwrap();
    assert_eq!(bench.frame().source_size, Size::new(160, 120));
    while bench.frame().source_size != Size::new(320, 240) {}
    assert_eq!(bench.status().restarts, 0);
    bench.stop();
}

#[test]
fn a_pipeline_of_the_users_that_is_wrong_is_a_mistake_in_the_configuration() {
    for (elements, part) in [("nosuchelement", "`nosuchelement` is missing"), ("videotestsrc !", "cannot build")] {
        let error = Bench::start(&format!("gst://{elements}")).err().expect(elements);
        assert!(error.is_config() && error.to_string().contains(part), "{error}");
    }
}

#[test]
fn a_camera_of_another_machine_is_a_mistake_in_the_configuration() {
    let error = Bench::start("csi://0").err().expect("no Jetson here");
    assert!(error.is_config());
    assert_eq!(error.to_string(), "GStreamer's element `nvarguscamerasrc` is missing: install nvidia-l4t-gstreamer");
}

#[test]
fn a_usb_camera_may_be_plugged_in_later() {
    let bench = Bench::start("usb://no-such-camera").unwrap();
    let status = bench.wait_until("tried again", |status| status.restarts >= 1);
    assert!(status.last_error.unwrap().contains("no USB camera fits \"no-such-camera\""));
    bench.stop();
}

/// A pipe that nobody writes into: whoever opens it waits for ever, as with a wedged driver.
#[test]
fn a_daemon_whose_driver_never_answers_leaves_to_be_restarted() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let config = folder.path().join("config.toml");
    let source = format!("gst://filesrc location={} ! jpegdec", pipe.display());
    fs::write(&config, format!("http.listen = \"127.0.0.1:0\"\n[camera.wedged]\nsource = \"{source}\"\n")).unwrap();
    let model = reference_model();
    let mut daemon = Daemon::spawn(&["run", "--config", config.to_str().unwrap(), "--model", &model]);
    let (code, log) = daemon.wait_for_end(TIMEOUT);
    assert_eq!(code, Some(75), "{log}");
    assert!(log.contains("camera wedged") && log.contains("no frame came within 10s"), "{log}");
}
