//! Sources: real GStreamer pipelines, from a camera or file to the latest frames and the pictures.

mod bursts;
mod fake_elements;
mod faults;
mod files;
mod gates;
mod http;
mod jetson;
mod keyframes;
mod listing;
mod many;
mod multipart;
mod rtsp;
mod scaler;
mod shape;
mod teardown;
mod video;

use detector::geometry::Size;
use gstreamer::glib;
use sightd::{
    camera::{CameraName, CameraState, CameraStatus},
    channels::{
        latest_frames::{LatestFrames, Next},
        pictures::Pictures,
        video::Video,
    },
    frame::Frame,
    source::{self, Config, Handle, SourceError, SourceOutputs},
};
use std::{
    fs,
    path::Path,
    process::Command,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tokio::sync::watch;

const INPUT: Size = Size::new(300, 300);
/// Long enough for a busy machine; reached only when something is broken.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A camera under test, and all that it gives.
struct Bench {
    latest_frames: LatestFrames,
    pictures: Arc<Pictures>,
    video: Arc<Video>,
    status: watch::Receiver<CameraStatus>,
    handle: Handle,
}

impl Bench {
    fn start(uri: &str) -> Result<Self, SourceError> {
        Self::with(Config::new(uri.parse()?))
    }

    fn with(config: Config) -> Result<Self, SourceError> {
        let camera: CameraName = "cam".parse().unwrap();
        let (latest_frames, frames_handle) = LatestFrames::new();
        let pictures = Arc::new(Pictures::default());
        let (sender, status) = watch::channel(CameraStatus::new(String::new()));
        let video = Arc::new(Video::default());
        let outputs = SourceOutputs {
            frames: frames_handle.open(&camera),
            camera,
            pictures: pictures.clone(),
            video: video.clone(),
            status: sender,
        };
        let handle = source::spawn(config, INPUT, outputs)?;
        Ok(Self { latest_frames, pictures, video, status, handle })
    }

    fn status(&self) -> CameraStatus {
        self.status.borrow().clone()
    }

    fn frame(&mut self) -> Frame {
        match self.latest_frames.next(TIMEOUT) {
            Next::Frame(_, frame) => frame,
            other => panic!("{other:?}; {:?}", self.status()),
        }
    }

    fn wait_until(&self, what: &str, is_so: impl Fn(&CameraStatus) -> bool) -> CameraStatus {
        let until = Instant::now() + TIMEOUT;
        loop {
            let status = self.status();
            if is_so(&status) {
                return status;
            }
            assert!(Instant::now() < until, "not {what}: {status:?}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn wait_for(&self, state: CameraState) -> CameraStatus {
        self.wait_until(&state.to_string(), |status| status.state == state)
    }

    fn stop(self) {
        self.handle.stop(Instant::now() + TIMEOUT).unwrap();
    }
}

/// A video of `frames` frames whose every frame differs, at 25 fps, made by GStreamer itself.
fn video(path: &Path, frames: u32, more: &str) {
    make(path, frames, "avimux", more);
}

/// As [`video`], put into a file by the element `mux`.
fn make(path: &Path, frames: u32, mux: &str, more: &str) {
    let text = format!(
        "-q videotestsrc num-buffers={frames} pattern=ball \
         ! video/x-raw,format=I420,width=320,height=240,framerate=25/1 ! jpegenc ! {mux} name=mux ! filesink {more}"
    );
    let arguments = text.split_whitespace().flat_map(|word| match word {
        "filesink" => vec![word.to_owned(), format!("location={}", path.display())],
        _ => vec![word.to_owned()],
    });
    let run = Command::new("gst-launch-1.0").args(arguments).output().unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
}

/// Whether this process runs nothing but the test `name` of this module; if not, runs it in such a process, and fails
/// when it fails there. For tests that count threads or register elements under others' names.
fn is_alone(name: &str) -> bool {
    const ALONE: &str = "SIGHTD_TEST_ALONE";
    if std::env::var_os(ALONE).is_some() {
        return true;
    }
    let run = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("source::{name}"), "--nocapture", "--test-threads=1"])
        .env(ALONE, "1")
        .env("MALLOC_ARENA_MAX", "2") // as in systemd/sightd.service
        .output()
        .unwrap();
    let (out, errors) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    eprintln!("{errors}");
    assert!(run.status.success() && out.contains("1 passed"), "{out}");
    false
}

/// What GLib and GStreamer complain of in this process from now on: warnings and what is graver. For tests that are
/// alone in their process.
#[derive(Clone, Default)]
struct Complaints(Arc<Mutex<Vec<String>>>);

impl Complaints {
    fn listen() -> Self {
        let complaints = Self::default();
        let lines = complaints.0.clone();
        glib::log_set_default_handler(move |domain, level, text| {
            if matches!(level, glib::LogLevel::Error | glib::LogLevel::Critical | glib::LogLevel::Warning) {
                lines.lock().unwrap().push(format!("{}: {text}", domain.unwrap_or_default()));
            }
        });
        complaints
    }

    fn assert_none(&self) {
        let lines = self.0.lock().unwrap();
        assert!(lines.is_empty(), "{} complaints, the first: {:?}", lines.len(), &lines[..lines.len().min(5)]);
    }
}

/// What this process holds.
#[derive(Clone, Copy, Debug)]
struct Load {
    threads: usize,
    files: usize,
    /// Resident memory.
    kib: usize,
}

impl Load {
    fn now() -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let number = |key: &str| {
            let line = status.lines().find(|line| line.starts_with(key)).unwrap();
            line.split_whitespace().nth(1).unwrap().parse().unwrap()
        };
        let files = fs::read_dir("/proc/self/fd").unwrap().count();
        Self { threads: number("Threads:"), files, kib: number("VmRSS:") }
    }

    /// Fails when `after` holds more than a little more.
    fn assert_kept(&self, after: &Self) {
        assert!(after.threads <= self.threads + 2, "threads: {self:?} {after:?}");
        assert!(after.files <= self.files + 4, "open files: {self:?} {after:?}");
        assert!(after.kib < self.kib + 4 * 1024, "memory: {self:?} {after:?}");
    }
}
