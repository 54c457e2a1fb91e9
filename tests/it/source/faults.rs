//! Sources that fail in every way, in real pipelines.

use super::{Bench, stand_ins};
use sightd::{
    camera::{CameraState, CameraStatus},
    geometry::Size,
    source::Config,
};
use std::sync::Once;

fn source(fault: &str, after: u32) -> Config {
    static REGISTER: Once = Once::new();
    REGISTER.call_once(stand_ins::register_faulty);
    let elements = format!(
        "videotestsrc is-live=true pattern=ball ! video/x-raw,width=160,height=120,framerate=30/1 \
         ! faulty fault={fault} after={after}"
    );
    let mut config = Config::new(format!("gst://{elements}").parse().unwrap());
    config.patience.frozen_ms = Some(2_000);
    config
}

#[test]
fn each_fault_is_named_and_tried_again() {
    // All at once: some take seconds to be noticed.
    let benches: Vec<_> = [
        ("eos", 10, "the stream has ended"),
        ("error", 10, "the cable was pulled"),
        ("stall", 10, "no frame came for 3s"),
        ("stall", 0, "no frame came within 10s"),
        ("frozen", 10, "the picture has not changed by one pixel for 2s"),
    ]
    .into_iter()
    .map(|(fault, after, text)| (Bench::with(source(fault, after)).unwrap(), fault, text))
    .collect();
    for (bench, fault, text) in benches {
        let again = |status: &CameraStatus| status.restarts >= 2;
        let status = bench.wait_until("tried again", again);
        let error = status.last_error.unwrap();
        assert!(error.contains(text), "{fault}: {error}");
        if fault == "error" {
            assert!(error.starts_with("testfaulty"), "the element is named: {error}");
        }
        bench.stop();
    }
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
fn what_never_comes_down_is_left_behind_and_then_asks_for_a_new_process() {
    let bench = Bench::with(source("block", 5)).unwrap();
    let status = bench.wait_for(CameraState::Stuck);
    assert_eq!(status.restarts, 2);
    assert!(status.last_error.unwrap().contains("the cable was pulled"));
    bench.stop();
}

#[test]
fn a_pipeline_of_the_users_that_is_wrong_is_a_mistake_in_the_configuration() {
    for (elements, part) in [("nosuchelement", "`nosuchelement` is missing"), ("videotestsrc !", "can not build")] {
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
