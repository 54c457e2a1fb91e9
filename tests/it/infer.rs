//! Inference on real ONNX Runtime libraries.

use crate::support::{coco_ssd, read_f32, shared, unread_model};
use detector::{
    infer::{Config, DeadlineMonitor, Engine, Remedy, Runtime},
    manifest::{Decode, Manifest, Model},
    status::{EnginePhase, ProviderState},
};
use prost::Message;
use std::{
    cell::RefCell,
    fs,
    path::{Path, PathBuf},
};
use workshop::onnx::{self, proto::Graph};

const MODEL: &str = "data/reference/ssdlite_mobilenet_v2_coco.onnx";

fn open(model: &Path, manifest: &Manifest) -> Result<Box<dyn Engine>, detector::infer::InferError> {
    let config = Config::default();
    Runtime::load(&config)?.open(&config, &unread_model(model, manifest.clone()), &|_| {})
}

/// The largest difference between an output and the reference of the same picture.
fn difference(engine: &dyn Engine, output: &str, reference: &Path) -> f32 {
    let ours = engine.output(output).unwrap();
    let theirs = read_f32(reference);
    assert_eq!(ours.data.len(), theirs.len());
    assert_eq!(ours.shape.iter().product::<usize>(), theirs.len());
    ours.data.iter().zip(&theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn the_reference_model_gives_the_reference_outputs() {
    let (Some(model), Some(data)) = (shared(MODEL), shared("data/reference")) else { return };
    let phases = RefCell::new(Vec::new());
    let config = Config::default();
    let mut engine = Runtime::load(&config)
        .unwrap()
        .open(&config, &unread_model(&model, coco_ssd()), &|phase| phases.borrow_mut().push(phase))
        .unwrap();
    let [EnginePhase::Building { .. }, EnginePhase::WarmingUp, EnginePhase::Ready] = phases.borrow()[..] else {
        panic!("{phases:?}")
    };
    let picture = read_f32(&data.join("humans_0.tf1.chw.f32"));
    for _ in 0..2 {
        engine.input().copy_from_slice(&picture);
        engine.run().unwrap();
        for (output, file) in [("raw_boxes", "humans_0.raw.f32"), ("logits", "humans_0.logits.f32")] {
            let worst = difference(engine.as_ref(), output, &data.join(file));
            assert!(worst < 1e-4, "{output} differs by {worst}");
        }
        // Another picture in between must leave no trace.
        engine.input().fill(0.5);
        engine.run().unwrap();
    }
    assert!(engine.output("no such output").is_none());
}

/// What a build without, or with but lacking its libraries, says of a GPU provider.
fn is_the_runtimes_word(reason: &str) -> bool {
    ["execution provider is not enabled in this build", "Failed to load ", "is not in this version of ONNX Runtime"]
        .iter()
        .any(|words| reason.contains(words))
}

#[test]
fn providers_that_are_not_available_are_reported_in_the_runtimes_words() {
    let Some(model) = shared(MODEL) else { return };
    let engine = open(&model, &coco_ssd()).unwrap();
    let providers = &engine.info().providers;
    let names: Vec<&str> = providers.iter().map(|provider| provider.name.as_str()).collect();
    assert_eq!(names, ["tensorrt", "cuda", "cpu"]);
    for provider in &providers[..2] {
        assert_eq!(provider.state, ProviderState::Unavailable);
        assert!(is_the_runtimes_word(provider.reason.as_ref().unwrap()), "{provider:?}");
    }
    assert_eq!(providers[2].state, ProviderState::Active);
    assert!(providers[2].nodes.is_some_and(|nodes| nodes > 50), "{providers:?}");
    assert_eq!(engine.info().active_provider(), "cpu");
}

#[test]
fn a_required_provider_that_is_missing_is_a_mistake_of_the_configuration() {
    let Some(model) = shared(MODEL) else { return };
    let config: Config = toml::from_str("require = \"tensorrt\"").unwrap();
    let error =
        Runtime::load(&config).unwrap().open(&config, &unread_model(&model, coco_ssd()), &|_| {}).err().unwrap();
    assert_eq!(error.remedy(), Remedy::Reconfigure);
    let text = error.to_string();
    assert!(text.starts_with("runtime.require = \"tensorrt\", but it is not available: "), "{text}");
    assert!(is_the_runtimes_word(&text), "{text}");
}

#[test]
fn a_model_that_cannot_serve_is_refused_in_words() {
    let Some(model) = shared(MODEL) else { return };
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str, bytes: &[u8]| -> PathBuf {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let bytes = fs::read(&model).unwrap();
    let truncated = place("truncated.onnx", &bytes[..bytes.len() / 2]);
    let foreign = place("foreign.onnx", b"\x89PNG\r\n\x1a\nthis is a picture");
    let empty = place("empty.onnx", b"");
    let missing = folder.path().join("missing.onnx");
    let as_it_is = coco_ssd();
    let mut wider = coco_ssd();
    wider.input.width = 320;
    let mut renamed = coco_ssd();
    renamed.input.name = "pixels".into();
    let mut other_output = coco_ssd();
    let Decode::Ssd { logits, .. } = &mut other_output.decode else { panic!("an SSD") };
    *logits = "scores".into();
    for (path, manifest, words) in [
        (&truncated, &as_it_is, "truncated.onnx cannot be used: "),
        (&foreign, &as_it_is, "foreign.onnx cannot be used: "),
        (&empty, &as_it_is, "empty.onnx cannot be used: "),
        (&missing, &as_it_is, "missing.onnx cannot be used: "),
        (&model, &wider, "the description says a tensor of f32 [1, 3, 300, 320]"),
        (&model, &renamed, "its input is called \"image\", the description says \"pixels\""),
        (&model, &other_output, "it has the outputs \"raw_boxes\", \"logits\"; \"scores\" is missing"),
    ] {
        let error = open(path, manifest).err().unwrap();
        assert!(error.to_string().contains(words), "{error}");
        assert_eq!(error.remedy(), Remedy::Reconfigure, "{error}");
    }
}

/// A network of many convolutions, each of which takes a good part of a second.
pub fn slow_model(folder: &Path) -> Model {
    const CHANNELS: usize = 64;
    let conv = |from: &str, weights: &str, to: &str| {
        onnx::node("Conv", &[from, weights], to, vec![onnx::ints("pads", &[1, 1, 1, 1])])
    };
    let mut nodes = vec![conv("image", "first", "x0")];
    nodes.extend((0..40).map(|n| conv(&format!("x{n}"), "rest", &format!("x{}", n + 1))));
    nodes.push(onnx::node("Identity", &["x40"], "raw_boxes", vec![]));
    nodes.push(onnx::node("Identity", &["x40"], "logits", vec![]));
    let kernel =
        |name: &str, inputs: usize| onnx::floats(name, &[CHANNELS, inputs, 3, 3], &vec![0.01; CHANNELS * inputs * 9]);
    let output = |name: &str| onnx::value(name, &[1, CHANNELS, 300, 300]);
    let graph = Graph {
        node: nodes,
        name: "slow".into(),
        initializer: vec![kernel("first", 3), kernel("rest", CHANNELS)],
        input: vec![onnx::value("image", &[1, 3, 300, 300])],
        output: vec![output("raw_boxes"), output("logits")],
        ..Graph::default()
    };
    let path = folder.join("slow.onnx");
    fs::write(&path, onnx::model(graph, String::new()).encode_to_vec()).unwrap();
    unread_model(&path, Manifest { name: "slow".into(), ..coco_ssd() })
}

#[test]
fn a_run_that_takes_too_long_is_terminated() {
    let folder = tempfile::tempdir().unwrap();
    let model = slow_model(folder.path());
    let config: Config = toml::from_str("deadline = \"100 ms\"").unwrap();
    let watchdog = DeadlineMonitor::start(|stuck| panic!("{stuck}")).unwrap();
    let runtime = Runtime::load(&config).unwrap().watched(watchdog);
    // The first run has the time of a build; the second of the warm-up does not.
    let error = runtime.open(&config, &model, &|_| {}).err().unwrap();
    assert_eq!(error.remedy(), Remedy::Restart);
    assert_eq!(error.to_string(), "a run of the network takes longer than runtime.deadline = 100ms");
}
