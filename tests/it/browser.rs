//! The dashboard in real Chromium. Screenshots are left in `target/screenshots`.

use crate::{
    fake::{Daemon, SIZE, detection, stamp},
    program::Daemon as Program,
    support::{self, counting},
};
use detector::status::EnginePhase;
use image::{GrayImage, ImageFormat, Luma};
use sightd::{
    frame::{Picture, Stamp},
    state::CameraFeed,
};
use std::{
    io::{Cursor, Write},
    path::PathBuf,
    process::Stdio,
    sync::Arc,
    time::{Duration, Instant},
};
use tempfile::{NamedTempFile, TempDir};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::Command,
    task::JoinHandle,
    time::{sleep, timeout},
};

/// Far more than any scenario takes, on a machine that does much else.
const TIMEOUT: Duration = Duration::from_secs(240);

/// Runs `tests/browser/SCENARIO.mjs` against `url`; `act` does what the scenario asks for.
async fn scenario(name: &str, url: &str, mut act: impl AsyncFnMut(&str)) {
    let screenshots = support::root().join("target/screenshots");
    std::fs::create_dir_all(&screenshots).unwrap();
    let mut node = Command::new("node")
        .arg(support::root().join(format!("tests/browser/{name}.mjs")))
        .arg(url)
        .arg(support::part("browser"))
        .arg(&screenshots)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("node starts (set-up installs it)");
    let mut answers = node.stdin.take().unwrap();
    let mut lines = BufReader::new(node.stdout.take().unwrap()).lines();
    let ended = timeout(TIMEOUT, async {
        while let Some(line) = lines.next_line().await.unwrap() {
            if let Some(words) = line.strip_prefix("do: ") {
                act(words).await;
                answers.write_all(b"done\n").await.unwrap();
            } else {
                println!("{line}");
            }
        }
        node.wait().await.unwrap()
    });
    let status = ended.await.unwrap_or_else(|_| panic!("{name} is not done after {TIMEOUT:?}"));
    assert!(status.success(), "{name} failed: see above");
}

/// Two cameras whose pictures show their frame's number.
const COUNTERS: &str = "[camera.front]\nsource = \"test://counter\"\nfps = 15\n\
                        [camera.yard]\nsource = \"test://counter\"\nfps = 10\n";

/// The real program, with a network that reads the number in a picture.
struct Sight {
    folder: TempDir,
    program: Program,
    url: String,
}

impl Sight {
    /// With `config` beside the model; without a listener.
    fn start(config: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let model = counting::write(folder.path());
        let text = format!("{config}\n[model]\nname = {model:?}\n[runtime]\nthreads = 1\n");
        std::fs::write(config_in(&folder), text).unwrap();
        let program = run(&folder, "127.0.0.1:0");
        let url = tokio::task::block_in_place(|| program.url());
        Self { folder, program, url }
    }

    /// Ends as by `systemctl stop`.
    fn stop(&mut self) {
        self.program.signal("TERM");
        let (code, log) = tokio::task::block_in_place(|| self.program.wait_for_end(TIMEOUT));
        assert_eq!(code, Some(0), "{log}");
    }

    /// Starts again where it was.
    fn start_again(&mut self) {
        self.program = run(&self.folder, self.url.trim_start_matches("http://"));
    }
}

fn config_in(folder: &TempDir) -> PathBuf {
    folder.path().join("sightd.toml")
}

fn run(folder: &TempDir, listen: &str) -> Program {
    Program::spawn(&["run", "--config", config_in(folder).to_str().unwrap(), "--listen", listen])
}

/// Frames of `feed`, 12 a second: pictures with their number painted, and scenes whose boxes follow from it. Every
/// third frame is skipped by the engine; a scene comes now before, now after its picture.
fn play(daemon: &Daemon, feed: &Arc<CameraFeed>) -> JoinHandle<()> {
    let (state, feed) = (daemon.state.clone(), feed.clone());
    tokio::spawn(async move {
        for seq in 1.. {
            let due = Instant::now() + Duration::from_millis(83);
            let stamp = stamp(seq);
            let scene_late = Duration::from_millis(seq * 37 % 50);
            let picture = feed.pictures.wanted().then(|| numbered(stamp));
            if seq % 2 == 0 {
                feed.pictures.show_some(picture.clone());
            }
            sleep(scene_late).await;
            if seq % 3 != 0 && matches!(*state.status.phase.borrow(), EnginePhase::Ready) {
                state.publish(crate::fake::scene(&feed.name, stamp, detections(seq)));
            }
            sleep(Duration::from_millis(15)).await;
            if seq % 2 != 0 {
                feed.pictures.show_some(picture);
            }
            sleep(due.saturating_duration_since(Instant::now())).await;
        }
    })
}

trait ShowSome {
    fn show_some(&self, picture: Option<Picture>);
}

impl ShowSome for sightd::channels::pictures::Pictures {
    fn show_some(&self, picture: Option<Picture>) {
        if let Some(picture) = picture {
            self.show(picture);
        }
    }
}

/// Left edge of the person in frame `seq`.
fn left(seq: u64) -> f32 {
    0.05 + 0.6 * ((seq % 128) as f32 / 128.0)
}

fn detections(seq: u64) -> Vec<detector::detection::Detection> {
    let x = left(seq);
    vec![
        detection("person", 0.92, [x, 0.3, x + 0.12, 0.85]),
        detection("dog", 0.71, [0.8, 0.62, 0.95, 0.86]),
        detection("bicycle", 0.54, [0.84, 0.16, 0.97, 0.4]),
    ]
}

/// A grey scene with a figure, and the number as 16 bits along the lower edge, the lowest to the left.
fn numbered(stamp: Stamp) -> Picture {
    let (width, height) = (SIZE.width as f32, SIZE.height as f32);
    let x0 = left(stamp.seq);
    let image = GrayImage::from_fn(SIZE.width, SIZE.height, |x, y| {
        let (x, y) = (x as f32 / width, y as f32 / height);
        if y > 0.875 {
            let bit = ((x * 16.0) as u32).min(15);
            return Luma([if stamp.seq >> bit & 1 == 1 { 235 } else { 20 }]);
        }
        let (across, up) = ((x - x0) / 0.12, (y - 0.3) / 0.55);
        let head = (across - 0.5).powi(2) * 5.0 + (up - 0.12).powi(2) * 60.0 < 0.7;
        let body = (0.2..0.8).contains(&across) && (0.24..1.0).contains(&up);
        let ground = if y > 0.55 { 95.0 + 60.0 * (y - 0.55) } else { 175.0 - 60.0 * y };
        Luma([if head || body { 60 } else { ground as u8 }])
    });
    let mut jpeg = Vec::new();
    image.write_to(&mut Cursor::new(&mut jpeg), ImageFormat::Jpeg).unwrap();
    Picture { stamp, size: SIZE, jpeg: jpeg.into() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_visit() {
    let sight = Sight::start(COUNTERS);
    scenario("visit", &sight.url, async |_| {}).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_are_boxed_in_real_footage() {
    let daemon = Program::on_footage();
    let url = tokio::task::block_in_place(|| daemon.url());
    scenario("footage", &url, async |_| {}).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pictures_and_boxes_are_in_step() {
    let sight = Sight::start(COUNTERS);
    scenario("in-step", &sight.url, async |_| {}).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_works_behind_a_path() {
    let sight = Sight::start(COUNTERS);
    scenario("prefix", &sight.url, async |_| {}).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jpeg_stands_in_for_h264() {
    let sight = Sight::start(&format!("{COUNTERS}[camera.yard.video]\ncodec = \"off\"\n"));
    scenario("fallback", &sight.url, async |_| {}).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h264_plays_on_and_on() {
    let sight = Sight::start(COUNTERS);
    scenario("endurance", &sight.url, async |_| {}).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pictures_that_the_engine_skipped_are_not_drawn() {
    let daemon = Daemon::start().await;
    let player = play(&daemon, &daemon.camera("front"));
    scenario("skipped", &daemon.url("/"), async |_| {}).await;
    player.abort();
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_build_is_followed() {
    let daemon = Daemon::start().await;
    let player = play(&daemon, &daemon.camera("front"));
    scenario("engine-build", &daemon.url("/"), async |words| match words {
        "build the engine" => {
            let since = Instant::now() - Duration::from_secs(40);
            let phase = EnginePhase::Building { since, usual: Some(Duration::from_secs(240)) };
            daemon.state.status.phase.send_replace(phase);
        }
        "engine ready" => {
            daemon.state.status.phase.send_replace(EnginePhase::Ready);
        }
        other => panic!("no idea how to {other}"),
    })
    .await;
    player.abort();
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_camera_comes_back() {
    let mut camera = Sight::start(COUNTERS);
    let source = format!("[camera.gate]\nsource = \"{}/cameras/front/live.mjpg\"\n", camera.url);
    let sight = Sight::start(&source);
    scenario("camera-lost", &sight.url, async |words| match words {
        "lose the camera" => camera.stop(),
        "camera back" => camera.start_again(),
        other => panic!("no idea how to {other}"),
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_under_an_open_page_mends_by_itself() {
    let mut sight = Sight::start(COUNTERS);
    scenario("restart", &sight.url.clone(), async |words| match words {
        "stop the daemon" => sight.stop(),
        "start the daemon" => sight.start_again(),
        other => panic!("no idea how to {other}"),
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_is_asked_for_once() {
    let mut token = NamedTempFile::new().unwrap(); // made with mode 0600
    writeln!(token, "read-token-0123456789").unwrap();
    let sight = Sight::start(&format!("[http]\ntoken_file = {:?}\n{COUNTERS}", token.path()));
    scenario("login", &sight.url, async |_| {}).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn detections_of_a_dropped_picture_are_shown() {
    let sight = Sight::start(COUNTERS);
    scenario("try", &sight.url, async |_| {}).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_apply_live() {
    let sight = Sight::start(COUNTERS);
    scenario("settings", &sight.url, async |_| {}).await;
}
