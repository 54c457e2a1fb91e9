//! Imported networks against their originals, as TensorFlow and its TFLite runtime run them on a real picture
//! (`tests/data/reference.json`, recorded by `tests/data/reference.py`).

use crate::support::{part, read_f32, root, shared};
use detector::{
    decode::{Decoder, Fraction, Thresholds},
    detection::Detection,
    geometry::Rect,
    infer::{Config, Engine, Runtime},
    manifest::Manifest,
};
use serde::Deserialize;
use std::{fs, path::Path};
use workshop::{
    import::{ImportOptions, import, write},
    load,
};

#[derive(Deserialize)]
struct Reference {
    pedestrian: Vec<Row>,
    tflite: Quantised,
}

/// A detection of the original.
#[derive(Deserialize)]
struct Row {
    /// Top, left, bottom, right in units of the picture.
    #[serde(rename = "box")]
    bbox: [f32; 4],
    score: f32,
    class: u32,
}

#[derive(Deserialize)]
struct Quantised {
    detections: Vec<Row>,
    raw_boxes: Steps,
    logits: Steps,
}

/// Every 32nd anchor's values: `(step - zero) * scale`.
#[derive(Deserialize)]
struct Steps {
    scale: f32,
    zero: i32,
    steps: Vec<i32>,
}

fn reference() -> Reference {
    serde_json::from_str(&fs::read_to_string(root().join("tests/data/reference.json")).unwrap()).unwrap()
}

/// The imported network `file`, run on the reference picture; it is loaded without the manifest beside it.
fn run(file: &Path, data: &Path) -> (Box<dyn Engine>, Manifest) {
    let folder = tempfile::tempdir().unwrap();
    let written = write(&import(file, &ImportOptions::default()).unwrap(), &folder.path().join("lone.onnx")).unwrap();
    fs::remove_file(&written.toml).unwrap();
    let model = load(&written.model.path).unwrap();
    let config = Config::default();
    let mut engine = Runtime::load(&config).unwrap().open(&config, &model, &|_| {}).unwrap();
    engine.input().copy_from_slice(&read_f32(&data.join("humans_0.tf1.chw.f32")));
    engine.run().unwrap();
    (engine, model.manifest)
}

fn detections(engine: &dyn Engine, manifest: &Manifest, score: f32) -> Vec<Detection> {
    let [score, iou] = [score, 0.6].map(|value| Fraction::new(value).unwrap());
    let thresholds = Thresholds::uniform(score, manifest.labels.len(), iou, 100);
    let mut found = Vec::new();
    Decoder::new(manifest).unwrap().decode(engine, &thresholds, &mut found).unwrap();
    found
}

fn corners(Rect { x_min, y_min, x_max, y_max }: Rect) -> [f32; 4] {
    [y_min, x_min, y_max, x_max]
}

/// The largest difference of two lists of one length.
fn largest(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn the_pedestrian_network_gives_tensorflows_hundred_detections() {
    let Some(data) = shared("data/reference") else { return };
    let (engine, manifest) = run(&part("weights/pedestrian/frozen_inference_graph.pb"), &data);
    let (ours, theirs) = (detections(&*engine, &manifest, 1e-8), reference().pedestrian);
    assert_eq!((ours.len(), theirs.len()), (100, 100));
    for (rank, (ours, theirs)) in ours.iter().zip(&theirs).enumerate() {
        let (boxes, scores) = (largest(&corners(ours.bbox), &theirs.bbox), (ours.score - theirs.score).abs());
        assert!(boxes < 1e-5 && scores < 1e-5, "rank {rank}: boxes differ by {boxes}, scores by {scores}");
        assert_eq!(ours.class_id, theirs.class);
    }
}

#[test]
fn the_quantised_network_stays_within_its_quantisation() {
    let (Some(data), Some(weights)) = (shared("data/reference"), shared("data/weights")) else { return };
    let (engine, manifest) = run(&weights.join("ssd_mobilenet_v1_075_coco_quant.tflite"), &data);
    let reference = reference().tflite;
    for (name, theirs) in [("raw_boxes", &reference.raw_boxes), ("logits", &reference.logits)] {
        let output = engine.output(name).unwrap();
        let columns = output.shape[2];
        let ours = output.data.chunks(columns).step_by(32).flatten();
        let steps: Vec<f32> = ours.map(|value| value / theirs.scale + theirs.zero as f32).collect();
        assert_eq!(steps.len(), theirs.steps.len());
        let off: Vec<f32> =
            steps.iter().zip(&theirs.steps).map(|(ours, &theirs)| (ours - theirs as f32).abs()).collect();
        let mean = off.iter().sum::<f32>() / off.len() as f32;
        let most = off.iter().copied().fold(0.0, f32::max);
        assert!(mean < 1.0 && most < 8.0, "{name}: off by {mean} steps on average, {most} at most");
    }
    let ours = detections(&*engine, &manifest, 0.1);
    for theirs in reference.detections.iter().filter(|found| found.score > 0.5) {
        let [top, left, bottom, right] = theirs.bbox;
        let bbox = Rect { x_min: left, y_min: top, x_max: right, y_max: bottom };
        // TFLite counts classes from 0, without the background.
        let same = ours.iter().find(|found| found.class_id == theirs.class + 1 && found.bbox.iou(&bbox) > 0.85);
        let same = same.unwrap_or_else(|| panic!("no {} at {:?} in {ours:?}", theirs.class, theirs.bbox));
        assert!((same.score - theirs.score).abs() < 0.1, "{} and {}", same.score, theirs.score);
    }
}
