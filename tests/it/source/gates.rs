//! Frames that are dropped: by the gates while nobody watches, and by the frame-rate limit.

use super::{Bench, Complaints, TIMEOUT, is_alone};
use crate::support::root;
use gstreamer::prelude::*;
use sightd::source::{Config, Fps};
use std::fs;

#[test]
fn dropping_frames_makes_gstreamer_complain_of_nothing() {
    if !is_alone("gates::dropping_frames_makes_gstreamer_complain_of_nothing") {
        return;
    }
    let complaints = Complaints::listen();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let mut config = Config::new("test://counter".parse().unwrap());
    config.fps = Some(Fps::try_from(20.0).unwrap());
    let mut limited = Config::new("gst://videotestsrc is-live=true ! video/x-raw,framerate=40/1".parse().unwrap());
    limited.fps = Some(Fps::try_from(10.0).unwrap());
    for config in [config, limited] {
        let mut bench = Bench::with(config).unwrap();
        while bench.frame().stamp.seq < 20 {}
        let mut viewer = bench.pictures.watch();
        for _ in 0..5 {
            let picture = runtime.block_on(async { tokio::time::timeout(TIMEOUT, viewer.next()).await.unwrap() });
            assert!(picture.stamp.seq >= 20, "nobody watched before");
        }
        drop(viewer);
        let seq = bench.frame().stamp.seq;
        while bench.frame().stamp.seq < seq + 10 {}
        bench.stop();
    }
    complaints.assert_none();
}

/// On GStreamer 1.14 and 1.16 each buffer that a probe drops prints a critical warning, whatever the probe returns.
#[test]
fn no_probe_drops_a_buffer() {
    gstreamer::init().unwrap();
    let identity = gstreamer::ElementFactory::make("identity").build().unwrap();
    identity.set_property("drop-probability", 1.0_f32);
    let mut folders = vec![root().join("src/source")];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                folders.push(entry);
            } else if entry.extension().is_some_and(|ending| ending == "rs") {
                let text = fs::read_to_string(&entry).unwrap();
                for word in ["PadProbeReturn::Drop", "PadProbeReturn::Handled", "take_buffer", "flow_res"] {
                    assert!(!text.contains(word), "{}: {word}", entry.display());
                }
                files += 1;
            }
        }
    }
    assert!(files > 20);
}
