//! What a frame costs besides the network: `cargo bench --bench frame_path`.
//!
//! In one run and with one inference thread, `session.run` alone and the whole frame path: from an I420 frame that is
//! pushed into the scaler, through the latest frames and the inference loop on its thread, to the scene that a subscriber of
//! the state receives. Both take turns in short blocks, so that a busy machine hurts both alike. Counted are the CPU
//! time of the whole process and the wall time for each frame: the median of five rounds of 500 frames. Ends with
//! failure if the path costs more CPU time than [`MOST`] times the network alone.
//!
//! `SIGHTD_BENCH_ROUNDS` and `SIGHTD_BENCH_FRAMES` shorten it.

use anyhow::Context;
use bytes::Bytes;
use detector::{
    DetectorError, StageTimings,
    decode::{self, Thresholds},
    geometry::Size,
    infer::{self, Engine, Runtime},
    manifest::Model,
};
use jiff::Timestamp;
use rustix::time::{ClockId, clock_gettime};
use sightd::{
    camera::{CameraName, CameraStatus},
    channels::latest_frames::{FramesHandle, LatestFrames, Sender},
    frame::{Frame, Motion, Stamp},
    pipeline::{self, AllThresholds, LiveThresholds, Stages},
    scene::Timings,
    source::scale::{Image, RawFormat, Scaler},
    state::{DaemonState, PublishedScene},
};
use std::{
    collections::BTreeMap,
    env,
    path::Path,
    process::ExitCode,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};
use tokio::sync::broadcast;
use workshop::import::{ImportOptions, import, write};

/// The most that the whole path may cost, as a multiple of `session.run` alone.
const MOST: f64 = 1.10;
const SIZES: [Size; 2] = [Size::new(640, 360), Size::new(1280, 720)];
/// Frames of one kind in a row.
const BLOCK: usize = 20;
/// Rounds before those that count.
const WARM_UP: usize = 1;

fn main() -> anyhow::Result<ExitCode> {
    let rounds = setting("SIGHTD_BENCH_ROUNDS", 5)?;
    let frames = setting("SIGHTD_BENCH_FRAMES", 500)?.next_multiple_of(BLOCK);
    let folder = tempfile::tempdir()?;
    let model = default_model(folder.path())?;
    let config = infer::Config { threads: Some(1.try_into().map_err(anyhow::Error::msg)?), ..infer::Config::default() };
    let runtime = Runtime::load(&config)?;
    let open = || runtime.open(&config, &model, &|_| {});
    let mut alone = open()?;
    let mut path = FramePath::start(open()?, &model)?;
    println!(
        "{} on ONNX Runtime {}, {}, 1 thread; median of {rounds} rounds of {frames} frames\n",
        model.manifest.name,
        runtime.version(),
        alone.info().active_provider()
    );
    let mut worst = 0.0_f64;
    for size in SIZES {
        worst = worst.max(compare(alone.as_mut(), &mut path, size, rounds, frames)?);
    }
    path.stop()?;
    if worst > MOST {
        println!("the frame path costs {worst:.3} times session.run: more than {MOST:.2}");
        return Ok(ExitCode::FAILURE);
    }
    println!("the frame path costs at most {worst:.3} times session.run (allowed: {MOST:.2})");
    Ok(ExitCode::SUCCESS)
}

/// A whole number from the environment, at least 1.
fn setting(name: &str, default: usize) -> anyhow::Result<usize> {
    match env::var(name) {
        Ok(text) => text
            .parse()
            .ok()
            .filter(|count| *count > 0)
            .with_context(|| format!("{name}={text}: give a number above 0")),
        Err(_) => Ok(default),
    }
}

fn default_model(folder: &Path) -> anyhow::Result<Model> {
    let weights = Path::new(env!("CARGO_MANIFEST_DIR")).join(".sightd/weights/coco-ssd/model.json");
    let options = ImportOptions { name: Some("ssdlite-mobilenet-v2".into()), ..ImportOptions::default() };
    let imported = import(&weights, &options).context("the weights are fetched by scripts/setup.sh")?;
    Ok(write(&imported, &folder.join("model.onnx"))?.model)
}

/// CPU and wall time.
#[derive(Clone, Copy, Debug, Default)]
struct Cost {
    cpu: Duration,
    wall: Duration,
}

/// Reads both clocks.
struct Clock {
    cpu: Duration,
    wall: Instant,
}

impl Clock {
    fn start() -> Self {
        Self { cpu: process_cpu_time(), wall: Instant::now() }
    }

    fn read(&self) -> Cost {
        Cost { wall: self.wall.elapsed(), cpu: process_cpu_time().saturating_sub(self.cpu) }
    }
}

/// CPU time of all threads of this process.
fn process_cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
}

impl std::ops::AddAssign for Cost {
    fn add_assign(&mut self, other: Self) {
        self.cpu += other.cpu;
        self.wall += other.wall;
    }
}

/// One round's sums.
#[derive(Clone, Copy, Debug, Default)]
struct Round {
    alone: Cost,
    path: Cost,
    scale: Cost,
    /// Wall time until the inference thread was free, and in its stages.
    wait: Duration,
    stages: StageTimings,
}

/// Both ways at one size; prints them and gives the ratio of CPU times.
fn compare(
    alone: &mut dyn Engine,
    path: &mut FramePath,
    size: Size,
    rounds: usize,
    frames: usize,
) -> anyhow::Result<f64> {
    let picture = noise(size);
    let mut measured = Vec::new();
    for round in 0..WARM_UP + rounds {
        let mut sums = Round::default();
        for _ in 0..frames / BLOCK {
            let clock = Clock::start();
            for _ in 0..BLOCK {
                alone.run()?;
            }
            sums.alone += clock.read();
            let clock = Clock::start();
            for _ in 0..BLOCK {
                path.pass(size, picture.clone(), &mut sums)?;
            }
            sums.path += clock.read();
        }
        if round >= WARM_UP {
            measured.push(sums);
        }
    }
    Ok(report(size, &measured, frames))
}

fn report(size: Size, rounds: &[Round], frames: usize) -> f64 {
    // Milliseconds for one frame.
    let each =
        |of: &dyn Fn(&Round) -> Duration| median(rounds.iter().map(|r| of(r).as_secs_f64() * 1e3 / frames as f64));
    let ratio_cpu = median(rounds.iter().map(|r| r.path.cpu.as_secs_f64() / r.alone.cpu.as_secs_f64()));
    let ratio_wall = median(rounds.iter().map(|r| r.path.wall.as_secs_f64() / r.alone.wall.as_secs_f64()));
    println!("{size}                 CPU ms   wall ms");
    println!("  session.run alone   {:8.3}  {:8.3}", each(&|r| r.alone.cpu), each(&|r| r.alone.wall));
    println!("  whole frame path    {:8.3}  {:8.3}", each(&|r| r.path.cpu), each(&|r| r.path.wall));
    println!("  ratio               {ratio_cpu:8.3}  {ratio_wall:8.3}");
    let total = each(&|r| r.path.wall);
    let share = |name: &str, cpu: Option<f64>, wall: f64| {
        let cpu = cpu.map_or_else(|| "       -".to_owned(), |ms| format!("{ms:8.3}"));
        println!("    {name:<18}{cpu}  {wall:8.3}  {:5.1} %", 100.0 * wall / total);
    };
    share("scale", Some(each(&|r| r.scale.cpu)), each(&|r| r.scale.wall));
    share("wait (latest frames)", None, each(&|r| r.wait));
    share("preprocess", None, each(&|r| r.stages.preprocess));
    share("infer", None, each(&|r| r.stages.infer));
    share("decode", None, each(&|r| r.stages.decode));
    let known = |r: &Round| r.scale.wall + r.wait + r.stages.preprocess + r.stages.infer + r.stages.decode;
    share("publish, receive", None, each(&|r| r.path.wall.saturating_sub(known(r))));
    println!();
    ratio_cpu
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// A grey picture with noise of a fixed seed: the elements' work does not depend on the content.
fn noise(size: Size) -> Bytes {
    let (luma, chroma) = (size.width * size.height, size.width.div_ceil(2) * size.height.div_ceil(2));
    let mut state = 1u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8 / 2 + 64
    };
    (0..luma + 2 * chroma).map(|_| next()).collect::<Vec<u8>>().into()
}

/// The daemon's own path of a frame, with the scaler on this thread in place of a camera's.
struct FramePath {
    scaler: Scaler,
    camera: CameraName,
    seq: u64,
    slot: Sender,
    frames_handle: FramesHandle,
    scenes: broadcast::Receiver<Arc<PublishedScene>>,
    inference: thread::JoinHandle<Result<(), DetectorError>>,
}

impl FramePath {
    fn start(engine: Box<dyn Engine>, model: &Model) -> anyhow::Result<Self> {
        let camera: CameraName = "bench".parse()?;
        let thresholds = Thresholds::resolve(&decode::Config::default(), &model.manifest.labels)
            .map_err(|unknown| anyhow::anyhow!("{unknown:?}"))?;
        let thresholds = LiveThresholds::from_pointee(AllThresholds {
            cameras: BTreeMap::from([(camera.clone(), thresholds.clone())]),
            stills: thresholds,
        });
        let state = DaemonState::default();
        state.cameras.add(&camera, CameraStatus::new("bench".into()));
        let scenes = state.scenes.subscribe();
        let (mut latest_frames, frames_handle) = LatestFrames::new();
        let slot = frames_handle.open(&camera);
        let mut stages = Stages::new(engine, &model.manifest)?;
        let scaler = Scaler::new(model.manifest.input.size())?;
        let inference = thread::Builder::new()
            .name("inference".into())
            .spawn(move || pipeline::run(&mut latest_frames, &mut stages, &thresholds, &state))?;
        Ok(Self { scaler, camera, seq: 0, slot, frames_handle, scenes, inference })
    }

    /// Takes one picture all the way.
    fn pass(&mut self, size: Size, data: Bytes, sums: &mut Round) -> anyhow::Result<()> {
        let captured = Instant::now();
        self.seq += 1;
        let stamp = Stamp { seq: self.seq, captured_at: Timestamp::now(), captured };
        let clock = Clock::start();
        let pixels = self.scaler.scale(Image::Raw { format: RawFormat::I420, size, data })?;
        sums.scale += clock.read();
        let arrived = Instant::now();
        self.slot.put(Frame {
            stamp,
            source_size: size,
            pixels,
            motion: Motion::Unmeasured,
            is_damaged: false,
            arrived,
        });
        let scene = self.scenes.blocking_recv()?;
        anyhow::ensure!(scene.scene.stamp == stamp && scene.scene.camera == self.camera, "another frame's scene");
        let Timings { wait, stages: StageTimings { preprocess, infer, decode }, .. } = scene.scene.timings;
        sums.wait += wait;
        sums.stages.preprocess += preprocess;
        sums.stages.infer += infer;
        sums.stages.decode += decode;
        Ok(())
    }

    fn stop(self) -> anyhow::Result<()> {
        self.frames_handle.close();
        let ended = self.inference.join().map_err(|_| anyhow::anyhow!("the inference thread panicked"))?;
        Ok(ended?)
    }
}
