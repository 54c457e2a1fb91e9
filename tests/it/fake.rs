//! A pipeline without camera and model: scenes and pictures as a test wants them, served over real HTTP.

use detector::{
    StageTimings,
    detection::Detection,
    geometry::{Rect, Size},
    status::{EngineInfo, EnginePhase, ProviderState, ProviderStatus, SubstituteFor},
};
use image::{ImageFormat, Rgb, RgbImage};
use jiff::Timestamp;
use sightd::{
    camera::{CameraName, CameraState, CameraStatus},
    channels::{
        detect_queue::DetectQueue,
        latest_frames::{FramesHandle, LatestFrames, Next},
        still::DetectResult,
    },
    frame::{Picture, Stamp},
    publish::http,
    scene::{Scene, Timings},
    state::{CameraFeed, DaemonState},
};
use std::{
    io::Cursor,
    net::SocketAddr,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

/// Size of every fake picture.
pub const SIZE: Size = Size::new(640, 360);

/// A state with an engine that is ready, served on a port of its own.
pub struct Daemon {
    pub state: Arc<DaemonState>,
    pub detect_queue: DetectQueue,
    frames_handle: FramesHandle,
    pub address: SocketAddr,
    stop: CancellationToken,
    server: JoinHandle<()>,
}

impl Daemon {
    pub async fn start() -> Self {
        Self::start_with(&http::Config::default()).await
    }

    pub async fn start_with(config: &http::Config) -> Self {
        let state = Arc::new(DaemonState::default());
        state.status.phase.send_replace(EnginePhase::Ready);
        state.status.engine.send_replace(Some(Arc::new(engine())));
        let listener = TcpListener::bind((config.listen.ip(), 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let (detect_queue, frames_handle) = still_engine();
        let api = http::Api::new(state.clone(), detect_queue.clone(), config).unwrap();
        let server = tokio::spawn(http::serve(listener, api, stop.clone()));
        Self { state, detect_queue, frames_handle, address, stop, server }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn ws_url(&self, path: &str) -> String {
        format!("ws://{}{path}", self.address)
    }

    /// Adds a running camera.
    pub fn camera(&self, name: &str) -> Arc<CameraFeed> {
        self.state.cameras.add(&name.parse::<CameraName>().unwrap(), running())
    }

    /// Publishes a scene of `feed` with `detections`, now.
    pub fn publish(&self, feed: &CameraFeed, seq: u64, detections: Vec<Detection>) {
        self.state.publish(scene(&feed.name, stamp(seq), detections));
    }

    /// Stops and waits until everything has ended.
    pub async fn stop(self) {
        self.detect_queue.close();
        self.frames_handle.close();
        self.stop.cancel();
        self.server.await.unwrap();
    }
}

/// A queue whose pictures all show [`seen_on`] them.
fn still_engine() -> (DetectQueue, FramesHandle) {
    let (mut latest_frames, frames_handle) = LatestFrames::new();
    let detect_queue = DetectQueue::default();
    thread::spawn({
        let (detect_queue, frames_handle) = (detect_queue.clone(), frames_handle.clone());
        move || detect_queue.serve(&frames_handle)
    });
    thread::spawn(move || {
        loop {
            match latest_frames.next(Duration::from_secs(1)) {
                Next::Still(still) => {
                    let size = Size::new(still.picture.width(), still.picture.height());
                    let least = still.score.map_or(0.5, |score| score.get());
                    let seen = DetectResult {
                        size,
                        decoding: still.decoding,
                        timings: timings(),
                        provider: "cpu".into(),
                        model: "fake-ssd".into(),
                        detections: seen_on().into_iter().filter(|detection| detection.score > least).collect(),
                    };
                    let _ = still.answer.send(seen);
                }
                Next::Frame(..) | Next::Idle => {}
                Next::Closed => return,
            }
        }
    });
    (detect_queue, frames_handle)
}

/// What the fake engine sees on every single picture.
pub fn seen_on() -> Vec<Detection> {
    vec![
        detection("person", 0.875, [0.25, 0.125, 0.5, 0.75]),
        detection("dog", 0.625, [0.5, 0.5, 0.75, 1.0]),
        detection("bicycle", 0.375, [0.0, 0.0, 0.125, 0.25]),
    ]
}

pub fn running() -> CameraStatus {
    CameraStatus {
        state: CameraState::Running,
        fps: 15.0,
        size: Some(SIZE),
        frames: 1,
        corrupt: 0,
        restarts: 0,
        recoveries: 0,
        last_error: None,
        stall_after: Duration::from_secs(3),
        pipeline: "videotestsrc ! appsink".into(),
        source: "test://fake".into(),
    }
}

fn engine() -> EngineInfo {
    let provider = |name: &str, state, reason: Option<&str>, nodes| ProviderStatus {
        name: name.into(),
        state,
        reason: reason.map(Into::into),
        nodes,
    };
    EngineInfo {
        model: "fake-ssd".into(),
        model_sha256: "00".repeat(32),
        licence: Some("Apache-2.0".into()),
        source: Some("made up for a test".into()),
        stands_in_for: Some(SubstituteFor { name: "real-ssd".into(), difference: "made up".into() }),
        labels: ["background", "person", "bicycle", "", "dog"].map(String::from).as_slice().into(),
        input: Size::new(300, 300),
        runtime_version: "1.11.0".into(),
        runtime_api: 11,
        library: "/opt/libonnxruntime.so".into(),
        providers: vec![
            provider("tensorrt", ProviderState::Unavailable, Some("libnvinfer.so.8 is not there"), Some(0)),
            provider("cpu", ProviderState::Active, None, Some(105)),
        ],
    }
}

pub fn stamp(seq: u64) -> Stamp {
    Stamp { seq, captured_at: Timestamp::now(), captured: Instant::now() }
}

pub fn scene(camera: &CameraName, stamp: Stamp, detections: Vec<Detection>) -> Scene {
    Scene {
        camera: camera.clone(),
        stamp,
        frame_size: SIZE,
        published: Instant::now(),
        timings: timings(),
        provider: "cpu".into(),
        model: "fake-ssd".into(),
        detections,
        motion: sightd::frame::Motion::Unmeasured,
        is_damaged: false,
        notes: Vec::new(),
    }
}

pub fn detection(label: &str, score: f32, [x_min, y_min, x_max, y_max]: [f32; 4]) -> Detection {
    let class_id = match label {
        "person" => 1,
        "bicycle" => 2,
        _ => 18,
    };
    Detection { class_id, label: label.into(), score, bbox: Rect { x_min, y_min, x_max, y_max } }
}

/// A grey picture with a white rectangle at `bright`.
pub fn picture(stamp: Stamp, bright: Rect) -> Picture {
    let (width, height) = (SIZE.width as f32, SIZE.height as f32);
    let image = RgbImage::from_fn(SIZE.width, SIZE.height, |x, y| {
        let (x, y) = (x as f32 / width, y as f32 / height);
        let inside = (bright.x_min..bright.x_max).contains(&x) && (bright.y_min..bright.y_max).contains(&y);
        if inside { Rgb([250, 250, 250]) } else { Rgb([60, 70, (80.0 + 60.0 * y) as u8]) }
    });
    let mut jpeg = Vec::new();
    image.write_to(&mut Cursor::new(&mut jpeg), ImageFormat::Jpeg).unwrap();
    Picture { stamp, size: SIZE, jpeg: jpeg.into() }
}

fn timings() -> Timings {
    let stages = StageTimings {
        infer: Duration::from_millis(18),
        decode: Duration::from_micros(300),
        ..StageTimings::default()
    };
    Timings { stages, ..Timings::default() }
}
