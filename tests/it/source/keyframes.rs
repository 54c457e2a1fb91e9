//! Streams that are joined in their middle, or lose parts: no picture without its key frame is published as good.

use super::{Bench, TIMEOUT, rtsp};
use detector::geometry::Size;
use gstreamer::{self as gst, prelude::*};
use sightd::{
    camera::{CameraState, CameraStatus},
    channels::latest_frames::Next,
    source::Config,
};
use std::{
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

/// Writes 100 frames of `encoder`, which gives a key frame every 50, without the first of them: as a stream that is joined
/// in its middle.
fn cut_stream(path: &Path, encoder: &str, mux: &str) {
    gst::init().unwrap();
    let text = format!(
        "videotestsrc num-buffers=100 pattern=ball ! video/x-raw,format=I420,width=320,height=240,framerate=25/1 \
         ! {encoder} ! identity name=cut ! {mux} ! filesink location={}",
        path.display()
    );
    let pipeline = gst::parse::launch(&text).unwrap().downcast::<gst::Pipeline>().unwrap();
    let pad = pipeline.by_name("cut").unwrap().static_pad("sink").unwrap();
    let is_first = AtomicBool::new(true);
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        if !is_first.swap(false, Ordering::Relaxed) {
            return gst::PadProbeReturn::Ok;
        }
        info.take_buffer();
        info.flow_res = Ok(gst::FlowSuccess::Ok);
        gst::PadProbeReturn::Handled
    });
    pipeline.set_state(gst::State::Playing).unwrap();
    let kinds = [gst::MessageType::Eos, gst::MessageType::Error];
    let last = pipeline.bus().unwrap().timed_pop_filtered(gst::ClockTime::from_seconds(60), &kinds).unwrap();
    pipeline.set_state(gst::State::Null).unwrap();
    assert_eq!(last.type_(), gst::MessageType::Eos, "{last:?}");
}

const X264: &str = "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=50";

/// How many frames come, how many of them are damaged, and the state at the end.
fn play(path: &Path, corrupt_wait_ms: u32) -> (usize, usize, CameraStatus) {
    let mut config = Config::new(format!("file://{}?speed=max", path.display()).parse().unwrap());
    config.timeouts.corrupt_wait_ms = corrupt_wait_ms;
    let mut bench = Bench::with(config).unwrap();
    let (mut frames, mut damaged) = (0, 0);
    while bench.status().state != CameraState::Ended {
        assert!(!matches!(bench.status().state, CameraState::Failed | CameraState::Retrying), "{:?}", bench.status());
        if let Next::Frame(_, frame) = bench.latest_frames.next(std::time::Duration::from_millis(100)) {
            frames += 1;
            damaged += usize::from(frame.is_damaged);
        }
    }
    let status = bench.status();
    bench.stop();
    (frames, damaged, status)
}

#[test]
fn a_stream_that_is_cut_in_its_middle_begins_at_its_first_key_frame() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cut.mkv");
    for encoder in [
        format!("{X264} ! h264parse"),
        "x265enc tune=zerolatency speed-preset=ultrafast key-int-max=50 ! h265parse".to_owned(),
    ] {
        cut_stream(&file, &encoder, "matroskamux");
        let (frames, damaged, status) = play(&file, 5_000);
        assert_eq!((frames, damaged, status.frames), (50, 0, 50), "{encoder}: {status:?}");
        assert!((1..50).contains(&status.corrupt), "{encoder}: {status:?}");
        let (frames, damaged, status) = play(&file, 0);
        assert_eq!((frames, status.corrupt), (50 + damaged, 0), "{encoder}: {status:?}");
        assert!((1..50).contains(&damaged), "{encoder}: {damaged}");
    }
}

/// A transport stream has its parameter sets only where it is cut, so that nothing is decoded before its key frame.
#[test]
fn a_transport_stream_that_is_cut_has_no_picture_but_whole_ones() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cut.ts");
    cut_stream(&file, &format!("{X264} ! h264parse config-interval=-1"), "mpegtsmux");
    let whole = std::fs::read(&file).unwrap();
    std::fs::write(&file, &whole[188 * 11 + 77..]).unwrap();
    let (frames, damaged, status) = play(&file, 5_000);
    assert_eq!((frames, damaged), (50, 0), "{status:?}");
}

#[test]
fn a_recovery_point_counts_as_a_key_frame() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("refresh.mkv");
    cut_stream(&file, &format!("{X264} intra-refresh=true ! h264parse"), "matroskamux");
    let (frames, damaged, status) = play(&file, 60_000);
    // Without one, no frame would come: such a stream has no key frame but its first.
    assert!((1..=60).contains(&frames) && damaged == 0 && status.corrupt > 0, "{frames} {damaged} {status:?}");
}

#[test]
fn a_stream_that_is_joined_in_its_middle_waits_and_then_shows_what_there_is() {
    let port = rtsp::port();
    let server = rtsp::Server::start(port, Size::new(320, 240), "h264-long", &[]);
    let uri = format!("rtsp://127.0.0.1:{port}/live");
    let mut first = Bench::start(&uri).unwrap();
    assert!(!first.frame().is_damaged);
    while first.status().frames < 3 {
        first.frame();
    }
    let mut config = Config::new(uri.parse().unwrap());
    config.timeouts.corrupt_wait_ms = 2_000;
    let mut second = Bench::with(config).unwrap();
    let waiting = second.wait_until("waiting", |status| status.corrupt > 0);
    assert_eq!(waiting.last_error.as_deref(), Some("waiting for a key frame"));
    assert_eq!((waiting.frames, waiting.restarts), (0, 0));
    assert!(second.frame().is_damaged);
    let status = second.wait_for(CameraState::Running);
    assert!(status.last_error.unwrap().contains("until one comes, pictures are damaged"));
    assert_eq!((first.status().corrupt, first.status().last_error), (0, None));
    first.stop();
    second.stop();
    drop(server);
}

#[test]
fn a_server_is_asked_for_a_key_frame() {
    let port = rtsp::port();
    let server = rtsp::Server::start(port, Size::new(320, 240), "h264-asked", &[]);
    let uri = format!("rtsp://127.0.0.1:{port}/live");
    let mut first = Bench::start(&uri).unwrap();
    while first.status().frames < 3 {
        first.frame();
    }
    let mut config = Config::new(uri.parse().unwrap());
    config.timeouts.corrupt_wait_ms = 3_600_000;
    let mut second = Bench::with(config).unwrap();
    // The next key frame by itself is a minute away; this is shorter than that.
    let frame = second.frame();
    assert!(!frame.is_damaged);
    assert_eq!(second.wait_for(CameraState::Running).last_error, None);
    first.stop();
    second.stop();
    drop(server);
}

#[test]
fn behind_a_loss_nothing_is_shown_until_the_next_key_frame() {
    let port = rtsp::port();
    let server = rtsp::Server::start(port, Size::new(320, 240), "h264-lossy", &[]);
    let mut config = Config::new(format!("rtsp://127.0.0.1:{port}/live").parse().unwrap());
    config.timeouts.corrupt_wait_ms = 3_600_000;
    config.network.latency_ms = 100;
    let mut bench = Bench::with(config).unwrap();
    let status = bench.wait_until("losing", |status| status.corrupt >= 20);
    assert_eq!(status.restarts, 0, "{status:?}");
    while let Next::Frame(_, frame) = bench.latest_frames.next(TIMEOUT / 60) {
        assert!(!frame.is_damaged);
        if bench.status().frames > 5 {
            break;
        }
    }
    bench.stop();
    drop(server);
}
