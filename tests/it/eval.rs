//! The figures of `model eval` against those of pycocotools.

use crate::support::{part, shared};
use flate2::read::GzDecoder;
use serde_json::Value;
use sightd::model::{
    eval::{
        EvalArgs, Resize,
        dataset::{Dataset, Found},
        evaluate,
        score::{Summary, score},
    },
    import::{ImportOptions, import, write},
};
use std::{
    fs::File,
    path::{Path, PathBuf},
};

fn assert_figures(summary: Summary, wanted: &Value, tolerance: f64, about: &str) {
    let summary = serde_json::to_value(summary).unwrap();
    for (name, wanted) in wanted.as_object().unwrap() {
        let close = match (summary[name].as_f64(), wanted.as_f64()) {
            (Some(got), Some(wanted)) => (got - wanted).abs() <= tolerance,
            (got, wanted) => got == wanted,
        };
        assert!(close, "{name} of {about}: {} is not {wanted}", summary[name]);
    }
}

/// A synthetic set with crowds, all sizes, equal scores, a class without objects, and more detections than count;
/// `pycocotools.json` holds what pycocotools 2.0.11 says of it.
#[test]
fn a_synthetic_set_gets_the_figures_of_pycocotools() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/eval");
    let dataset = Dataset::read(&folder).unwrap();
    let found: Vec<Found> = serde_json::from_reader(File::open(folder.join("found.json")).unwrap()).unwrap();
    let wanted: Value = serde_json::from_reader(File::open(folder.join("pycocotools.json")).unwrap()).unwrap();
    let scores = score(&dataset, &found);
    assert_figures(scores.summary, &wanted["all"], 1e-12, "all");
    assert_eq!(scores.classes.len(), 4);
    for class in scores.classes {
        assert_figures(class.summary, &wanted[&class.name], 1e-12, &class.name);
    }
}

#[test]
fn given_detections_of_coco_dev_get_the_reference_figures() {
    let (Some(dataset), Some(found)) =
        (shared("data/coco-dev"), shared("data/reference/coco-dev.detections.tf1.json.gz"))
    else {
        return;
    };
    let dataset = Dataset::read(&dataset).unwrap();
    let found: Vec<Found> = serde_json::from_reader(GzDecoder::new(File::open(found).unwrap())).unwrap();
    let summary = score(&dataset, &found).summary;
    let wanted = serde_json::json!({"ap": 0.2674, "ap50": 0.4105, "ap75": 0.2847, "ar100": 0.3456});
    assert_figures(summary, &wanted, 0.00005, "coco-dev");
    // All twelve, as pycocotools 2.0.11 prints them for the same file.
    let wanted = serde_json::json!({
        "ap": 0.267411, "ap50": 0.410463, "ap75": 0.284701,
        "ap_small": 0.048945, "ap_medium": 0.193340, "ap_large": 0.628536,
        "ar1": 0.227051, "ar10": 0.327786, "ar100": 0.345579,
        "ar_small": 0.075295, "ar_medium": 0.310489, "ar_large": 0.720688,
    });
    assert_figures(summary, &wanted, 5e-7, "coco-dev");
}

#[test]
fn a_perfect_answer_is_perfect_and_an_empty_one_is_not() {
    let dataset = Dataset::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/eval")).unwrap();
    let found: Vec<Found> = dataset
        .annotations
        .iter()
        .filter(|object| object.iscrowd == 0)
        .map(|o| Found { image_id: o.image_id, category_id: o.category_id, bbox: o.bbox, score: 0.9 })
        .collect();
    let perfect = score(&dataset, &found).summary;
    assert!([perfect.ap, perfect.ap50, perfect.ap75, perfect.ar100].iter().all(|v| (v.unwrap() - 1.0).abs() < 1e-12));
    let empty = score(&dataset, &[]).summary;
    assert_eq!((empty.ap, empty.ar100), (Some(0.0), Some(0.0)));
}

/// The default model on coco-dev.
fn evaluate_coco_dev(dataset: PathBuf, model: &Path, resize: Resize) -> Summary {
    let model = model.to_owned();
    let args = EvalArgs { dataset, model, resize, limit: None, jobs: None, json: false, detections: None };
    let report = evaluate(&args).unwrap();
    assert!(report.unknown_classes.is_empty());
    report.scores.summary
}

#[test]
fn the_default_model_has_its_reference_figures_and_the_live_scaler_costs_little() {
    let Some(dataset) = shared("data/coco-dev") else { return };
    let folder = tempfile::tempdir().unwrap();
    let imported = import(&part("weights/coco-ssd/model.json"), &ImportOptions::default()).unwrap();
    let model = write(&imported, &folder.path().join("ssd.onnx")).unwrap().onnx;

    let still = evaluate_coco_dev(dataset.clone(), &model, Resize::Tf1);
    let wanted = serde_json::json!({"ap": 0.2674, "ap50": 0.4105, "ar100": 0.3456});
    assert_figures(still, &wanted, 0.001, "coco-dev");

    let live = evaluate_coco_dev(dataset, &model, Resize::Live);
    let cost = still.ap.unwrap() - live.ap.unwrap();
    assert!(cost <= 0.005, "the live path's scaling costs {cost} AP: {live:?} against {still:?}");
}
