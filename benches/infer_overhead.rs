//! What inference costs beside the network itself, and how many threads it should have.
//!
//! 1. `Engine::run`, as the daemon calls it with bound tensors and a watchdog, against the C API's RunWithBinding in a
//!    bare loop on tensors of the same size: a network of one node, whose own work is next to nothing.
//! 2. The default model with 1 and 2 threads, spinning off and on: back to back, and at 15 frames per second, where
//!    spinning threads burn the time between two frames.
//!
//! `cargo bench --bench infer_overhead`. Wall and CPU time are medians of interleaved rounds.
#![expect(unsafe_code, reason = "the C API is called directly to be compared with")]

use detector::{
    infer::{Config, DeadlineMonitor, Engine, Runtime},
    manifest::{Activation, Anchors, Channels, Decode, Input, Interpolated, Manifest, Model},
};
use ort::sys;
use prost::Message;
use rustix::time::{ClockId, clock_gettime};
use std::{
    ffi::CString,
    hint::black_box,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    ptr,
    time::{Duration, Instant},
};
use workshop::onnx::{self, proto::Graph};

const ROUNDS: usize = 5;

type Anything<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Anything<()> {
    let folder = tempfile::tempdir()?;
    let runtime = Runtime::load(&Config::default())?.watched(DeadlineMonitor::start(|stuck| panic!("{stuck}"))?);
    println!("ONNX Runtime {} (C API {})", runtime.version(), runtime.api());
    overhead(&runtime, folder.path())?;
    threads(&runtime)
}

/// One node that makes the two outputs from halves of the input.
fn one_node(folder: &Path) -> Anything<Model> {
    let mut split = onnx::node("Split", &["image"], "raw_boxes", vec![onnx::int("axis", 2)]);
    split.output.push("logits".to_owned());
    let graph = Graph {
        node: vec![split],
        name: "one node".to_owned(),
        input: vec![onnx::value("image", &[1, 3, 8, 8])],
        output: ["raw_boxes", "logits"].map(|name| onnx::value(name, &[1, 3, 4, 8])).to_vec(),
        ..Graph::default()
    };
    let path = folder.join("one-node.onnx");
    std::fs::write(&path, onnx::model(graph, String::new()).encode_to_vec())?;
    Ok(model(path, manifest("one-node", 8)))
}

/// A model whose checksum is of no interest: nothing is cached.
fn model(path: PathBuf, manifest: Manifest) -> Model {
    Model { path, sha256: String::new(), manifest, stands_in_for: None }
}

fn manifest(name: &str, size: u32) -> Manifest {
    Manifest {
        name: name.to_owned(),
        sha256: None,
        licence: None,
        source: None,
        labels: Vec::new(),
        input: Input {
            name: "image".to_owned(),
            width: size,
            height: size,
            channels: Channels::Rgb,
            scale: 1.0,
            offset: [0.0; 3],
        },
        decode: Decode::Ssd {
            boxes: "raw_boxes".to_owned(),
            logits: "logits".to_owned(),
            activation: Activation::Sigmoid,
            scales: [1.0; 4],
            anchors: Anchors {
                layers: Vec::new(),
                min_scale: 0.2,
                max_scale: 0.9,
                ratios: Vec::new(),
                reduce_lowest_layer: false,
                interpolated: Interpolated::None,
            },
        },
    }
}

/// Part 1.
fn overhead(runtime: &Runtime, folder: &Path) -> Anything<()> {
    const RUNS: u32 = 20_000;
    let model = one_node(folder)?;
    let config: Config = toml::from_str("threads = 1")?;
    let mut engine = runtime.open(&config, &model, &|_| {})?;
    let raw = Raw::new(&model.path)?;
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        bare.push(per_run(RUNS, || raw.run())?);
        ours.push(per_run(RUNS, || Ok(engine.run()?))?);
    }
    let (ours, bare) = (median(ours), median(bare));
    println!("\none node, median of {ROUNDS} x {RUNS} runs, one thread:");
    println!("  C API in a loop   {:8.2} µs", bare * 1e6);
    println!("  Engine::run       {:8.2} µs", ours * 1e6);
    println!("  overhead          {:8.2} µs (to be under 20)", (ours - bare) * 1e6);
    Ok(())
}

fn per_run(runs: u32, mut run: impl FnMut() -> Anything<()>) -> Anything<f64> {
    let began = Instant::now();
    for _ in 0..runs {
        run()?;
    }
    Ok(began.elapsed().as_secs_f64() / f64::from(runs))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// CPU time of the whole process so far, all threads.
fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap_or(0), time.tv_nsec.try_into().unwrap_or(0))
}

/// Part 2.
fn threads(runtime: &Runtime) -> Anything<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let places =
        [".sightd/models/ssdlite-mobilenet-v2.onnx", "../shared/data/reference/ssdlite_mobilenet_v2_coco.onnx"];
    let Some(path) = places.iter().map(|place| root.join(place)).find(|path| path.exists()) else {
        println!("\nleft out: threads and spinning need the default model; `make test` imports it");
        return Ok(());
    };
    let model = model(path, manifest("default", 300));
    let mut rows = Vec::new();
    for threads in [1, 2] {
        for spinning in [false, true] {
            let config: Config = toml::from_str(&format!("threads = {threads}\nspinning = {spinning}"))?;
            let engine = runtime.open(&config, &model, &|_| {})?;
            rows.push(Row { threads, spinning, engine, steady: Vec::new(), paced: Vec::new() });
        }
    }
    for _ in 0..ROUNDS {
        for row in &mut rows {
            row.steady.push(steady(row.engine.as_mut())?);
            row.paced.push(paced(row.engine.as_mut())?);
        }
    }
    println!("\ndefault model, medians of {ROUNDS} rounds (wall ms, CPU ms for each run):");
    println!("  threads  spinning   back to back       at 15 fps: run, CPU of the whole frame time");
    for row in rows {
        let [steady, paced] = [&row.steady, &row.paced].map(|samples| {
            let of = |pick: fn(&Sample) -> f64| median(samples.iter().map(pick).collect()) * 1e3;
            (of(|sample| sample.wall), of(|sample| sample.cpu))
        });
        let spinning = if row.spinning { "on" } else { "off" };
        println!(
            "  {:7}  {spinning:8}   {:6.2} {:6.2}      {:6.2} {:6.2}",
            row.threads, steady.0, steady.1, paced.0, paced.1
        );
    }
    Ok(())
}

struct Row {
    threads: usize,
    spinning: bool,
    engine: Box<dyn Engine>,
    steady: Vec<Sample>,
    paced: Vec<Sample>,
}

/// Seconds for each run.
struct Sample {
    wall: f64,
    cpu: f64,
}

/// Runs without a pause.
fn steady(engine: &mut dyn Engine) -> Anything<Sample> {
    const RUNS: u32 = 40;
    engine.run()?;
    let (wall, used) = (Instant::now(), cpu());
    for _ in 0..RUNS {
        engine.run()?;
    }
    let per = |span: Duration| span.as_secs_f64() / f64::from(RUNS);
    Ok(Sample { wall: per(wall.elapsed()), cpu: per(cpu() - used) })
}

/// Runs at 15 frames per second: the time of the runs alone, the CPU time of everything.
fn paced(engine: &mut dyn Engine) -> Anything<Sample> {
    const RUNS: u32 = 20;
    const FRAME: Duration = Duration::from_micros(66_667);
    engine.run()?;
    let (used, mut wall) = (cpu(), Duration::ZERO);
    for _ in 0..RUNS {
        let began = Instant::now();
        engine.run()?;
        wall += began.elapsed();
        std::thread::sleep(FRAME.saturating_sub(began.elapsed()));
    }
    let per = |span: Duration| span.as_secs_f64() / f64::from(RUNS);
    Ok(Sample { wall: per(wall), cpu: per(cpu() - used) })
}

/// A session of the C API, with one thread and bound tensors. Nothing is released: it lives as long as the process.
struct Raw {
    session: *mut sys::OrtSession,
    options: *const sys::OrtRunOptions,
    binding: *const sys::OrtIoBinding,
}

impl Raw {
    fn new(model: &Path) -> Anything<Self> {
        let api = ort::api();
        let mut allocator = ptr::null_mut();
        let mut env = ptr::null_mut();
        let mut options = ptr::null_mut();
        let mut session = ptr::null_mut();
        let mut binding = ptr::null_mut();
        let mut run = ptr::null_mut();
        let path = CString::new(model.as_os_str().as_bytes())?;
        // SAFETY: the table is ONNX Runtime's; each call gets objects that the calls before it made, C strings that
        // outlive the call, and a place for its answer.
        unsafe {
            ok((api.CreateEnv)(sys::OrtLoggingLevel::ORT_LOGGING_LEVEL_WARNING, c"bench".as_ptr(), &raw mut env))?;
            ok((api.CreateSessionOptions)(&raw mut options))?;
            ok((api.SetIntraOpNumThreads)(options, 1))?;
            ok((api.SetInterOpNumThreads)(options, 1))?;
            ok((api.CreateSession)(env, path.as_ptr(), options, &raw mut session))?;
            ok((api.GetAllocatorWithDefaultOptions)(&raw mut allocator))?;
            ok((api.CreateIoBinding)(session, &raw mut binding))?;
            let input = tensor(allocator, &[1, 3, 8, 8])?;
            ok((api.BindInput)(binding, c"image".as_ptr(), input))?;
            for name in [c"raw_boxes", c"logits"] {
                let output = tensor(allocator, &[1, 3, 4, 8])?;
                ok((api.BindOutput)(binding, name.as_ptr(), output))?;
            }
            ok((api.CreateRunOptions)(&raw mut run))?;
        }
        Ok(Self { session, options: run, binding })
    }

    fn run(&self) -> Anything<()> {
        // SAFETY: all three were made by `new` and live on.
        ok(unsafe { (ort::api().RunWithBinding)(self.session, self.options, black_box(self.binding)) })
    }
}

/// A tensor of f32 from the runtime's allocator.
fn tensor(allocator: *mut sys::OrtAllocator, shape: &[i64]) -> Anything<*const sys::OrtValue> {
    let mut value = ptr::null_mut();
    let kind = sys::ONNXTensorElementDataType::ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT;
    // SAFETY: the allocator is the runtime's, the shape is a slice with its length.
    ok(unsafe { (ort::api().CreateTensorAsOrtValue)(allocator, shape.as_ptr(), shape.len(), kind, &raw mut value) })?;
    Ok(value)
}

/// The status as an error.
fn ok(status: sys::OrtStatusPtr) -> Anything<()> {
    // SAFETY: the status was just returned by the runtime and is taken over here.
    Ok(unsafe { ort::Error::result_from_status(status) }?)
}
