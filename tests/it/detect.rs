//! `sightd detect` on real pictures.

use crate::support::{part, root, shared};
use detector::{decode, infer, manifest::Model};
use serde_json::Value;
use sightd::commands::detect::{DetectArgs, run};
use std::{
    ffi::OsStr,
    fs,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
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
    DetectArgs { images, json: false, csv: false, out: None, model: None, score: None }
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
    assert!(printed.contains("good.png (20x30)\n  no detections"), "{printed}");
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
fn folders_formats_and_strange_names_are_read_and_told_as_csv_and_json_with_drawn_copies() {
    let Some(photo) = shared("data/photos/humans_0.jpg") else { return };
    let folder = tempfile::tempdir().unwrap();
    let (pictures, out) = (folder.path().join("pictures"), folder.path().join("out"));
    fs::create_dir(&pictures).unwrap();
    let model = default_model(&folder);
    let original = image::open(&photo).unwrap().into_rgb8();
    let strange = OsStr::from_bytes(b"c,\xff.png");
    original.save(pictures.join("a.webp")).unwrap();
    original.save(pictures.join("b.bmp")).unwrap();
    original.save_with_format(pictures.join(strange), image::ImageFormat::Png).unwrap();
    fs::write(pictures.join("notes.txt"), "not a picture").unwrap();

    let (printed, result) = detect(&DetectArgs { json: true, out: Some(out.clone()), ..args(&[&pictures]) }, &model);
    result.unwrap();
    let lines: Vec<Value> = printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 3, "{printed}");
    let size = serde_json::json!({ "width": original.width(), "height": original.height() });
    for (line, drawn) in lines.iter().zip([Path::new("a.webp.jpg"), Path::new("b.bmp.jpg"), Path::new(strange)]) {
        assert_eq!(line["frame"], size);
        assert_eq!(line["drawn"], out.join(drawn).display().to_string());
        assert_eq!(image::open(out.join(drawn)).unwrap().into_rgb8().dimensions(), original.dimensions());
    }
    let count = |line: &Value| line["detections"].as_array().unwrap().len();
    let found: usize = lines.iter().map(count).sum();
    assert!(lines.iter().all(|line| count(line) > 0));

    let (printed, result) = detect(&DetectArgs { csv: true, ..args(&[&pictures]) }, &model);
    result.unwrap();
    let mut rows = printed.lines();
    assert_eq!(rows.next(), Some("file,frame_width,frame_height,label,score,x,y,width,height"));
    let rows: Vec<_> = rows.collect();
    assert_eq!(rows.len(), found);
    let quoted = format!("\"{}\",{},{},", pictures.join(strange).display(), original.width(), original.height());
    assert!(rows.last().unwrap().starts_with(&quoted), "{rows:?}");
    let first = &lines[0]["detections"][0];
    let columns: Vec<_> = rows[0].split(',').skip(3).collect();
    assert_eq!(columns[0], first["label"].as_str().unwrap());
    let score: f64 = columns[1].parse().unwrap();
    assert!((score - first["score"].as_f64().unwrap()).abs() < 1e-3, "{rows:?}");
}

#[test]
fn a_picture_is_read_from_standard_input() {
    let Some(photo) = shared("data/photos/humans_0.jpg") else { return };
    let folder = tempfile::tempdir().unwrap();
    let model = default_model(&folder);
    let run = |image: &str, stdin: Stdio| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sightd"));
        command.args(["detect", "--json", "--model"]).arg(&model.path).arg(image).current_dir(root()).stdin(stdin);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    let from_stdin = run("-", Stdio::from(fs::File::open(&photo).unwrap()));
    assert_eq!(from_stdin["file"], "-");
    let from_file = run(photo.to_str().unwrap(), Stdio::null());
    assert_eq!(from_stdin["detections"], from_file["detections"]);
    assert!(!from_file["detections"].as_array().unwrap().is_empty());
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
