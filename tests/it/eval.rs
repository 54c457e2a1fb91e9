//! The figures of `model eval` against those of pycocotools.

use crate::support::{part, shared};
use flate2::read::GzDecoder;
use serde_json::Value;
use sightd::cli::live_scaler;
use std::{
    fs::{self, File},
    path::Path,
};
use tempfile::TempDir;
use workshop::{
    eval::{
        EvalArgs, Resize,
        dataset::{CocoResult, Dataset},
        evaluate,
        score::{Summary, score},
    },
    import::{ImportOptions, import, write},
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
    let found: Vec<CocoResult> = serde_json::from_reader(File::open(folder.join("found.json")).unwrap()).unwrap();
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
    let found: Vec<CocoResult> = serde_json::from_reader(GzDecoder::new(File::open(found).unwrap())).unwrap();
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
    let found: Vec<CocoResult> = dataset
        .annotations
        .iter()
        .filter(|object| object.iscrowd == 0)
        .map(|o| CocoResult { image_id: o.image_id, category_id: o.category_id, bbox: o.bbox, score: 0.9 })
        .collect();
    let perfect = score(&dataset, &found).summary;
    assert!([perfect.ap, perfect.ap50, perfect.ap75, perfect.ar100].iter().all(|v| (v.unwrap() - 1.0).abs() < 1e-12));
    let empty = score(&dataset, &[]).summary;
    assert_eq!((empty.ap, empty.ar100), (Some(0.0), Some(0.0)));
}

/// The default model, imported into a folder of its own.
struct DefaultModel {
    folder: TempDir,
}

impl DefaultModel {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let imported = import(&part("weights/coco-ssd/model.json"), &ImportOptions::default()).unwrap();
        write(&imported, &folder.path().join("ssd.onnx")).unwrap();
        Self { folder }
    }

    fn args(&self, dataset: &Path, resize: Resize) -> EvalArgs {
        EvalArgs {
            dataset: dataset.to_owned(),
            model: self.folder.path().join("ssd.onnx").to_str().unwrap().to_owned(),
            resize,
            limit: None,
            jobs: None,
            json: false,
            detections: None,
        }
    }
}

#[test]
fn the_default_model_has_its_reference_figures_and_the_live_scaler_costs_little() {
    let Some(dataset) = shared("data/coco-dev") else { return };
    let model = DefaultModel::new();
    let still = evaluate(&model.args(&dataset, Resize::Tf1), &live_scaler).unwrap();
    assert!(still.unknown_classes.is_empty());
    let wanted = serde_json::json!({"ap": 0.2674, "ap50": 0.4105, "ar100": 0.3456});
    assert_figures(still.scores.summary, &wanted, 0.001, "coco-dev");

    let live = evaluate(&model.args(&dataset, Resize::Live), &live_scaler).unwrap();
    let cost = still.scores.summary.ap.unwrap() - live.scores.summary.ap.unwrap();
    assert!(cost <= 0.005, "the live path's scaling costs {cost} AP\n{live}\n{still}");
}

/// A dataset of one grey picture, 20 x 30, with the description that `change` makes of a right one.
fn small_dataset(change: impl Fn(&str) -> String) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let json = r#"{"images": [{"id": 1, "file_name": "a.png", "width": 20, "height": 30}],
        "categories": [{"id": 7, "name": "person"}, {"id": 8, "name": "gnome"}],
        "annotations": [{"image_id": 1, "category_id": 7, "bbox": [1, 1, 9, 9], "area": 81}]}"#;
    fs::write(folder.path().join("instances.json"), change(json)).unwrap();
    fs::create_dir(folder.path().join("images")).unwrap();
    image::RgbImage::new(20, 30).save(folder.path().join("images/a.png")).unwrap();
    folder
}

#[test]
fn both_resizes_take_png_and_classes_go_by_name() {
    let model = DefaultModel::new();
    let dataset = small_dataset(str::to_owned);
    for resize in [Resize::Tf1, Resize::Live] {
        let detections = dataset.path().join("found.json");
        let args = EvalArgs { detections: Some(detections.clone()), ..model.args(dataset.path(), resize) };
        let report = evaluate(&args, &live_scaler).unwrap();
        assert_eq!((report.pictures, report.objects), (1, 1));
        assert_eq!(report.unknown_classes, ["gnome"]);
        assert!(report.to_string().contains("not evaluated, unknown to the model: gnome"), "{report}");
        let found: Vec<CocoResult> = serde_json::from_reader(File::open(detections).unwrap()).unwrap();
        assert_eq!(found.len(), report.detections);
        assert!(found.iter().all(|found| found.image_id == 1 && found.category_id == 7));
    }
}

#[test]
fn a_dataset_that_cannot_be_evaluated_is_refused_by_name() {
    let model = DefaultModel::new();
    for (from, to, says) in [
        ("a.png", "b.png", "b.png`: No such file"),
        ("\"width\": 20", "\"width\": 21", "a.png\" has 20x30 pixels, but instances.json says 21x30"),
        ("person", "troll", "has none of the dataset's classes (troll, gnome)"),
        ("a.png", "../instances.json", "instances.json\": it is neither a JPEG nor a PNG, WebP"),
    ] {
        let dataset = small_dataset(|json| json.replace(from, to));
        let error = evaluate(&model.args(dataset.path(), Resize::Tf1), &live_scaler).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
    let empty = small_dataset(str::to_owned);
    let args = EvalArgs { limit: Some(0), ..model.args(empty.path(), Resize::Tf1) };
    assert!(evaluate(&args, &live_scaler).unwrap_err().to_string().contains("contains no pictures"));
}
