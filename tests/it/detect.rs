//! `sightd detect` on real pictures.

use crate::support::{part, shared};
use detector::{decode, infer, manifest::Model};
use serde_json::Value;
use sightd::detect::{DetectArgs, run};
use std::{
    fs,
    path::{Path, PathBuf},
};
use tempfile::TempDir;
use workshop::import::{ImportOptions, import, write};

/// The default model in a folder of its own.
fn default_model(folder: &TempDir) -> Model {
    let options = ImportOptions { name: Some("ssdlite-mobilenet-v2".into()), ..ImportOptions::default() };
    let imported = import(&part("weights/coco-ssd/model.json"), &options).unwrap();
    write(&imported, &folder.path().join("model.onnx")).unwrap().model
}

fn args(images: &[&Path]) -> DetectArgs {
    let images = images.iter().map(PathBuf::from).collect();
    DetectArgs { images, json: false, out: None, model: None, score: None }
}

/// What is printed, and the error if there is one.
fn detect(args: &DetectArgs, model: &Model) -> (String, Result<(), String>) {
    let mut printed = Vec::new();
    let result = run(args, model, &infer::Config::default(), &decode::Config::default(), &mut printed);
    (String::from_utf8(printed).unwrap(), result.map_err(|error| format!("{error:#}")))
}

#[test]
fn the_reference_pictures_show_what_the_reference_says() {
    let (Some(photos), Some(reference)) = (shared("data/photos"), shared("data/reference/reference_detections.json"))
    else {
        return;
    };
    let reference: Value = serde_json::from_str(&fs::read_to_string(reference).unwrap()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let model = default_model(&folder);
    let here: Vec<_> = reference.as_object().unwrap().iter().filter(|(name, _)| photos.join(name).exists()).collect();
    assert!(here.len() >= 4, "{here:?}");
    for (name, wanted) in here {
        let (printed, result) = detect(&DetectArgs { json: true, ..args(&[&photos.join(name)]) }, &model);
        result.unwrap();
        let line: Value = serde_json::from_str(&printed).unwrap();
        assert_eq!(line["model"], "ssdlite-mobilenet-v2");
        assert_eq!((&line["frame"]["width"], &line["frame"]["height"]), (&wanted["width"], &wanted["height"]));
        // Decoders of JPEG differ a little, so do scores; near the threshold that decides who is there.
        let score = |detection: &Value| detection["score"].as_f64().unwrap();
        let sure = |detection: &&Value| score(detection) > 0.52;
        let wanted: Vec<_> = wanted["tf1"]["dets"].as_array().unwrap().iter().filter(sure).collect();
        let found: Vec<_> = line["detections"].as_array().unwrap().iter().filter(sure).collect();
        assert_eq!(found.len(), wanted.len(), "{name}: {found:?}");
        for wanted in wanted {
            let same =
                |found: &&&Value| found["label"] == wanted["label"] && (score(found) - score(wanted)).abs() < 0.02;
            assert!(found.iter().any(|found| same(&found)), "{name}: {wanted} is not among {found:?}");
        }
    }
}

#[test]
fn a_drawn_copy_has_the_size_of_the_picture_and_boxes_on_it() {
    let Some(photo) = shared("data/photos/humans_0.jpg") else { return };
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("new/folder");
    let (printed, result) = detect(&DetectArgs { out: Some(out.clone()), ..args(&[&photo]) }, &default_model(&folder));
    result.unwrap();
    assert!(printed.contains("humans_0.jpg"), "{printed}");
    let drawn = image::open(out.join("humans_0.jpg")).unwrap().into_rgb8();
    let original = image::open(photo).unwrap().into_rgb8();
    assert_eq!(drawn.dimensions(), original.dimensions());
    let differing = drawn.pixels().zip(original.pixels()).filter(|(a, b)| (0..3).any(|c| a[c].abs_diff(b[c]) > 60));
    assert!(differing.count() > 500);
}

#[test]
fn bad_pictures_are_named_and_keep_none_of_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let [empty, text, good, missing] = ["empty.jpg", "text.png", "good.png", "no.jpg"].map(|n| folder.path().join(n));
    fs::write(&empty, "").unwrap();
    fs::write(&text, "no picture").unwrap();
    image::RgbImage::new(20, 30).save(&good).unwrap();
    let model = default_model(&folder);
    let (printed, result) = detect(&args(&[&empty, &text, &missing, &good]), &model);
    assert!(printed.contains("good.png (20x30)\n  nothing found"), "{printed}");
    let error = result.unwrap_err();
    let lines: Vec<_> = error.lines().collect();
    assert_eq!(lines.len(), 3, "{error}");
    for (line, (name, says)) in lines.into_iter().zip([
        ("empty.jpg", "it is neither a JPEG nor a PNG, WebP, GIF or BMP picture"),
        ("text.png", "it is neither a JPEG nor a PNG, WebP, GIF or BMP picture"),
        ("no.jpg", "No such file"),
    ]) {
        assert!(line.contains(name) && line.contains(says), "{line}");
    }
}

#[test]
fn no_picture_is_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let [a, b] = ["a", "b"].map(|name| folder.path().join(name));
    for place in [&a, &b] {
        fs::create_dir(place).unwrap();
        image::RgbImage::new(20, 30).save(place.join("x.png")).unwrap();
    }
    let model = default_model(&folder);
    let (x, y) = (a.join("x.png"), b.join("x.png"));
    for (images, out, says) in [
        (vec![x.as_path()], a, "would overwrite"),
        (vec![&x, &y], folder.path().join("c"), "would both become the same file"),
    ] {
        let error = detect(&DetectArgs { out: Some(out), ..args(&images) }, &model).1.unwrap_err();
        assert!(error.contains(says), "{error}");
    }
}
