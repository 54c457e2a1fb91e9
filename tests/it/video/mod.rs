//! Live video: real pictures through a real encoder and real HTTP, and decoded again.

mod watch;

use crate::{
    fake::{Daemon, running, scene, stamp},
    support,
};
use bytes::Bytes;
use detector::geometry::Size;
use gstreamer as gst;
use serde_json::{Value, json};
use sightd::{
    channels::{
        latest_frames::{LatestFrames, Next},
        video::{Codec, EncodedFrame, Kind, Offer},
    },
    source::{self, Config, SourceOutputs, VideoCodec},
    state::CameraFeed,
};
use std::{
    collections::BTreeMap,
    fs,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tokio_tungstenite::connect_async;
use watch::{Fragment, Heard, Watch, assert_contiguous, decoded_numbers};

/// Long enough for a busy machine; reached only when something is broken.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A camera whose scenes and video the daemon serves.
struct Camera {
    feed: Arc<CameraFeed>,
    handle: source::Handle,
    /// Capture times of the frames that reached the engine, by number.
    captured: Arc<Mutex<BTreeMap<u64, i64>>>,
}

impl Camera {
    fn start(daemon: &Daemon, name: &str, config: Config) -> Self {
        let feed = daemon.state.cameras.add(&name.parse().unwrap(), running());
        let (mut latest_frames, frames_handle) = LatestFrames::new();
        let outputs = SourceOutputs {
            camera: feed.name.clone(),
            frames: frames_handle.open(&feed.name),
            pictures: feed.pictures.clone(),
            video: feed.video.clone(),
            status: feed.status.clone(),
        };
        feed.status.send_modify(|status| status.frames = 0);
        let handle = source::spawn(config, Size::new(300, 300), outputs).unwrap();
        let captured: Arc<Mutex<BTreeMap<_, _>>> = Arc::default();
        let (state, camera, numbers) = (daemon.state.clone(), feed.name.clone(), captured.clone());
        std::thread::spawn(move || {
            while let Next::Frame(_, frame) = latest_frames.next(TIMEOUT) {
                numbers.lock().unwrap().insert(frame.stamp.seq, frame.stamp.captured_at.as_microsecond());
                state.publish(scene(&camera, frame.stamp, Vec::new()));
                if std::sync::Arc::strong_count(&numbers) == 1 {
                    return; // the camera is gone
                }
            }
        });
        Self { feed, handle, captured }
    }

    fn stop(self) {
        self.handle.stop(Instant::now() + TIMEOUT).unwrap();
    }
}

fn config(uri: &str) -> Config {
    Config::new(uri.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn each_fragment_is_the_frame_it_says() {
    let daemon = Daemon::start().await;
    let camera = Camera::start(&daemon, "front", config("test://counter"));
    let mut watch = Watch::start(&daemon, "front").await;
    let (mime, size) = watch.start_message().await;
    assert!(mime.starts_with("video/mp4; codecs=\"avc1.42"), "constrained baseline: {mime}");
    assert_eq!(size, Size::new(640, 360));
    let fragments = watch.fragments(100).await;
    assert_contiguous(&fragments);

    let samples: Vec<_> = fragments.iter().map(Fragment::sample).collect();
    assert_eq!(samples.iter().filter(|sample| sample.starts).count(), 1);
    assert!(samples[0].starts && samples[0].kind == Kind::Key);
    let keys: Vec<_> = (0..samples.len()).filter(|&index| samples[index].kind == Kind::Key).collect();
    assert_eq!(keys, [0, 30, 60, 90], "a key frame each second");

    let captured = camera.captured.lock().unwrap().clone();
    let compared = fragments.iter().filter(|fragment| {
        captured.get(&fragment.seq).inspect(|captured| assert_eq!(**captured, fragment.captured_us)).is_some()
    });
    assert!(compared.count() >= 50, "most frames reach the engine as well");

    let numbers: Vec<_> = fragments.iter().map(|fragment| fragment.seq as u16).collect();
    assert_eq!(decoded_numbers(&fragments), numbers);
    camera.stop();
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_in_sees_a_picture_at_once() {
    let daemon = Daemon::start().await;
    let camera = Camera::start(&daemon, "front", config("test://counter"));
    let mut first = Watch::start(&daemon, "front").await;
    first.start_message().await;
    let latest = first.fragments(45).await.pop().unwrap();
    let mut second = Watch::start(&daemon, "front").await;
    second.start_message().await;
    let fragments = second.fragments(60).await;
    assert!(fragments[0].seq < latest.seq, "the frames since the last key frame come first");
    assert!(fragments[0].sample().starts && fragments[0].sample().kind == Kind::Key);
    assert_contiguous(&fragments);
    let numbers: Vec<_> = fragments.iter().map(|fragment| fragment.seq as u16).collect();
    assert_eq!(decoded_numbers(&fragments), numbers);
    camera.stop();
    daemon.stop().await;
}

/// How many threads of this process work on the video of `camera`.
fn encoder_threads(camera: &str) -> usize {
    let names = fs::read_dir("/proc/self/task").unwrap().filter_map(|task| {
        fs::read_to_string(task.unwrap().path().join("comm")).ok() // it may have ended meanwhile
    });
    names.filter(|name| name.trim() == format!("h264-{camera}")).count()
}

async fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let until = Instant::now() + TIMEOUT;
    while !is_so() {
        assert!(Instant::now() < until, "not {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_encoder_is_there_only_while_someone_watches() {
    let daemon = Daemon::start().await;
    let camera = Camera::start(&daemon, "idle", config("test://counter"));
    wait_until("running", || camera.captured.lock().unwrap().len() > 10).await;
    assert_eq!(encoder_threads("idle"), 0);
    let mut last = 0;
    for _ in 0..3 {
        let mut watch = Watch::start(&daemon, "idle").await;
        watch.start_message().await;
        let fragments = watch.fragments(10).await;
        assert_contiguous(&fragments);
        assert!(fragments[0].sample().kind == Kind::Key && fragments[0].at_us >= last, "the timeline goes on");
        last = fragments[9].at_us;
        assert_eq!(encoder_threads("idle"), 1);
        assert_eq!(listed(&daemon, "idle").await, json!({"codec": "h264", "encoder": "x264enc", "viewers": 1}));
        drop(watch);
        wait_until("taken down", || encoder_threads("idle") == 0).await;
    }
    camera.stop();
    daemon.stop().await;
}

/// What the API says of a camera's video.
async fn listed(daemon: &Daemon, name: &str) -> Value {
    let answer = reqwest::get(daemon.url(&format!("/cameras/{name}"))).await.unwrap();
    answer.json::<Value>().await.unwrap()["video"].take()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_size_starts_anew_on_the_same_timeline() {
    let daemon = Daemon::start().await;
    let part = |width, height| {
        format!("videotestsrc num-buffers=60 ! video/x-raw,width={width},height={height},framerate=30/1 ! c.")
    };
    let elements = format!("{} {} concat name=c ! identity sync=true", part(161, 121), part(320, 240));
    let camera = Camera::start(&daemon, "front", config(&format!("gst://{elements}")));
    let mut watch = Watch::start(&daemon, "front").await;
    let (mut sizes, mut fragments) = (Vec::new(), Vec::new());
    while sizes.len() < 2 || fragments.len() < 70 {
        match watch.hear().await {
            Heard::Start { size, .. } => sizes.push(size),
            Heard::Fragment(fragment) => {
                let sample = fragment.sample();
                assert!(!sample.starts || sample.kind == Kind::Key);
                fragments.push(fragment);
            }
            Heard::Close { code, reason } => panic!("{code} {reason}"),
        }
    }
    assert_eq!(sizes[..2], [Size::new(160, 120), Size::new(320, 240)], "odd sides are made even");
    assert_contiguous(&fragments);
    camera.stop();
    daemon.stop().await;
}

#[tokio::test]
async fn cameras_without_video_say_why() {
    let daemon = Daemon::start().await;
    let folder = tempfile::tempdir().unwrap();
    image::RgbImage::new(64, 48).save(folder.path().join("a.png")).unwrap();
    let mut off = config("test://smpte");
    off.video.codec = VideoCodec::Off;
    let images = config(&format!("images://{}", folder.path().display()));
    for (name, config, why) in [("off", off, "video.codec"), ("images", images, "a folder of pictures")] {
        let camera = Camera::start(&daemon, name, config);
        assert_refused(&daemon, name, why).await;
        camera.stop();
    }
    daemon.camera("waiting");
    assert_refused(&daemon, "waiting", "has not been started").await;
    daemon.stop().await;
}

async fn assert_refused(daemon: &Daemon, name: &str, why: &str) {
    let refusal = connect_async(daemon.ws_url(&format!("/cameras/{name}/video"))).await.unwrap_err();
    let tokio_tungstenite::tungstenite::Error::Http(response) = refusal else { panic!("{refusal}") };
    assert_eq!(response.status(), 409);
    let problem: Value = serde_json::from_slice(response.body().as_ref().unwrap()).unwrap();
    assert!(problem["detail"].as_str().unwrap().contains(why), "{problem}");
    let listed = listed(daemon, name).await;
    assert!(listed["reason"].as_str().unwrap().contains(why) && listed["codec"].is_null(), "{listed}");
}

/// A frame of `bytes` zeros, which no decoder has to understand.
fn made_up(seq: u64, kind: Kind, bytes: usize) -> EncodedFrame {
    let avcc = [1, 0x42, 0xc0, 0x1e, 0xff, 0xe1, 0, 4, 0x67, 0x42, 0xc0, 0x1e, 1, 0, 2, 0x68, 0xce];
    let codec = Arc::new(Codec { avcc: Bytes::copy_from_slice(&avcc), size: Size::new(640, 360) });
    EncodedFrame { stamp: stamp(seq), codec, kind, data: vec![0; bytes].into() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_viewer_goes_on_at_a_key_frame() {
    let daemon = Daemon::start().await;
    let front = daemon.camera("front");
    front.video.set_offer(Offer::H264 { encoder: "made-up" });
    let mut watch = Watch::start(&daemon, "front").await;
    wait_until("watched", || front.video.wanted()).await;
    // More than the sockets hold, faster than it is read.
    for seq in 1..=400 {
        let kind = if seq % 10 == 1 { Kind::Key } else { Kind::Delta };
        front.video.show(made_up(seq, kind, 100_000));
        tokio::time::sleep(Duration::from_micros(200)).await;
    }
    let (mut last, mut lost) = (0, 0);
    assert_eq!(watch.start_message().await, ("video/mp4; codecs=\"avc1.42C01E\"".into(), Size::new(640, 360)));
    while last < 400 {
        let fragment = watch.fragment().await;
        if fragment.seq != last + 1 {
            assert_eq!(fragment.sample().kind, Kind::Key);
            lost += fragment.seq - last - 1;
        }
        last = fragment.seq;
    }
    assert!(lost > 100, "{lost} frames lost");
    let metrics = reqwest::get(daemon.url("/metrics")).await.unwrap().text().await.unwrap();
    assert!(metrics.contains(&format!("sightd_stream_messages_lost_total {lost}\n")), "{lost}: {metrics}");
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn viewers_are_told_when_the_encoder_fails() {
    let daemon = Daemon::start().await;
    let front = daemon.camera("front");
    front.video.set_offer(Offer::H264 { encoder: "made-up" });
    let mut watch = Watch::start(&daemon, "front").await;
    front.video.show(made_up(1, Kind::Key, 100));
    watch.start_message().await;
    watch.fragment().await;
    let long = format!("it broke: {}", "ä".repeat(100));
    front.video.set_offer(Offer::None(long.clone()));
    match watch.hear().await {
        Heard::Close { code: 1011, reason } => assert!(reason.len() > 120 && long.starts_with(&reason), "{reason}"),
        other => panic!("{other:?}"),
    }
    daemon.stop().await;
}

/// Whether this process runs only `test` and has forgotten the elements `without`; if not, the test is run in such a
/// process.
fn is_without(without: &[&str], test: &str) -> bool {
    if support::role().is_none() {
        let run = support::again(&format!("video::{test}"), "alone").output().unwrap();
        let out = String::from_utf8_lossy(&run.stdout);
        assert!(run.status.success() && out.contains("1 passed"), "{out}{}", String::from_utf8_lossy(&run.stderr));
        return false;
    }
    gst::init().unwrap();
    for factory in without.iter().filter_map(|element| gst::ElementFactory::find(element)) {
        gst::Registry::get().remove_feature(&factory);
    }
    true
}

#[tokio::test(flavor = "multi_thread")]
async fn openh264_stands_in_for_x264() {
    if !is_without(&["x264enc"], "openh264_stands_in_for_x264") {
        return;
    }
    let daemon = Daemon::start().await;
    let camera = Camera::start(&daemon, "front", config("test://counter"));
    let mut watch = Watch::start(&daemon, "front").await;
    assert_eq!(listed(&daemon, "front").await["encoder"], "openh264enc");
    let (mime, _) = watch.start_message().await;
    assert!(mime.starts_with("video/mp4; codecs=\"avc1.42"), "{mime}");
    let fragments = watch.fragments(70).await;
    assert_contiguous(&fragments);
    let keys = fragments.iter().filter(|fragment| fragment.sample().kind == Kind::Key).count();
    assert!(keys >= 3, "{keys} key frames");
    let numbers: Vec<_> = fragments.iter().map(|fragment| fragment.seq as u16).collect();
    assert_eq!(decoded_numbers(&fragments), numbers);
    camera.stop();
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_encoder_the_packages_are_named() {
    if !is_without(&["x264enc", "openh264enc"], "without_an_encoder_the_packages_are_named") {
        return;
    }
    let daemon = Daemon::start().await;
    let camera = Camera::start(&daemon, "front", config("test://smpte"));
    assert_refused(&daemon, "front", "x264enc (gstreamer1.0-plugins-ugly), openh264enc (gstreamer1.0-plugins-bad)")
        .await;
    assert!(!camera.feed.status.borrow().pipeline.contains("video-gate"));
    camera.stop();
    daemon.stop().await;
}
