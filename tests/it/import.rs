//! The importers, on the weights that set-up fetched.

use crate::support::{again, bytes_of, part, read_f32, role, shared};
use bytes::Bytes;
use detector::infer::{Config, Runtime};
use std::io::Write;
use std::path::Path;
use workshop::check::verify;
use workshop::import::{ImportOptions, Imported, import, import_bytes, write};
use workshop::load;

fn default_model() -> Imported {
    import(&part("weights/coco-ssd/model.json"), &ImportOptions::default()).expect("the default model imports")
}

#[test]
fn the_default_model_becomes_the_graph_of_the_recipe() {
    let report = default_model().report;
    let kept: Vec<(&str, usize)> = report.kept.iter().map(|(op, &n)| (op.as_str(), n)).collect();
    let wanted = [("Add", 10), ("Clip", 59), ("Concat", 2), ("Conv", 88), ("Reshape", 12), ("Transpose", 12)];
    assert_eq!(kept, wanted);
    assert_eq!((report.anchors, report.classes), (1917, 90));
}

#[test]
fn what_was_written_loads_with_and_without_the_file_beside_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = folder.path().join("ssd.onnx");
    let imported = default_model();
    let written = write(&imported, &out).expect("the model is written");
    let beside = load(&out).expect("the pair loads");
    assert_eq!(beside.manifest, written.model.manifest);
    std::fs::remove_file(&written.toml).expect("the manifest goes");
    let embedded = load(&out).expect("the file alone loads");
    assert_eq!(embedded.manifest, imported.manifest);
    let left: Vec<_> = std::fs::read_dir(folder.path()).expect("the folder").collect();
    assert_eq!(left.len(), 1, "no partial files stay behind: {left:?}");
}

#[test]
fn a_changed_truncated_or_missing_model_is_named_with_the_way_out() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = folder.path().join("ssd.onnx");
    let missing = load(&out).unwrap_err().to_string();
    assert!(missing.contains("ssd.onnx does not exist") && missing.contains("sightd model pull"), "{missing}");
    let written = write(&default_model(), &out).expect("the model is written");
    let whole = std::fs::read(&out).expect("the model");
    std::fs::write(&out, &whole[..whole.len() / 2]).expect("the half is written");
    let changed = load(&out).unwrap_err().to_string();
    assert!(changed.contains("SHA-256") && changed.contains("truncated"), "{changed}");
    std::fs::remove_file(&written.toml).expect("the manifest goes");
    let truncated = load(&out).unwrap_err().to_string();
    assert!(truncated.contains("is truncated"), "{truncated}");
}

/// The largest differences (boxes, logits) between an imported model and given outputs, on the reference picture.
fn differences(imported: &Imported) -> Option<[f32; 2]> {
    let data = shared("data/reference")?;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let written = write(imported, &folder.path().join("ssd.onnx")).expect("the model is written");
    let config = Config::default();
    let runtime = Runtime::load(&config).expect("ONNX Runtime");
    let mut engine = runtime.open(&config, &written.model, &|_| {}).expect("the model opens");
    engine.input().copy_from_slice(&read_f32(&data.join("humans_0.tf1.chw.f32")));
    engine.run().expect("the model runs");
    Some([("raw_boxes", "humans_0.raw.f32"), ("logits", "humans_0.logits.f32")].map(|(output, file)| {
        let (ours, theirs) = (engine.output(output).expect("an output").data, read_f32(&data.join(file)));
        assert_eq!(ours.len(), theirs.len());
        ours.iter().zip(&theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
    }))
}

#[test]
fn the_default_model_gives_the_reference_outputs() {
    let Some(worst) = differences(&default_model()) else { return };
    assert!(worst.iter().all(|&w| w < 1e-4), "boxes and logits differ by {worst:?}");
}

#[test]
fn a_frozen_graph_imports() {
    let file = part("weights/pedestrian/frozen_inference_graph.pb");
    let imported = import(&file, &ImportOptions::default()).expect("the frozen graph imports");
    assert_eq!(imported.report.kept["Conv"], 88);
    assert_eq!((imported.report.anchors, imported.report.classes), (1917, 1));
}

#[test]
fn face_apis_weights_import() {
    let file = part("weights/face-api/ssd_mobilenetv1_model-weights_manifest.json");
    let imported = import(&file, &ImportOptions::default()).expect("the weights import");
    assert_eq!((imported.report.anchors, imported.report.classes), (5118, 1));
}

#[test]
fn a_quantised_tflite_model_imports() {
    let Some(file) = shared("data/weights/ssd_mobilenet_v1_075_coco_quant.tflite") else { return };
    let imported = import(&file, &ImportOptions::default()).expect("the model imports");
    assert_eq!((imported.report.anchors, imported.report.classes), (1917, 90));
}

/// A NumPy file of float arrays with their shapes, as a Python tuple.
fn npz(path: &Path, arrays: &[(&str, &str, &[f32])]) {
    let mut archive = zip::ZipWriter::new(std::fs::File::create(path).expect("a file"));
    for (name, shape, values) in arrays {
        archive.start_file(format!("{name}.npy"), zip::write::SimpleFileOptions::default()).expect("an entry");
        let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}\n");
        let length = u16::try_from(header.len()).expect("short").to_le_bytes();
        let data: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        let npy = [b"\x93NUMPY\x01\x00", &length[..], header.as_bytes(), &data].concat();
        archive.write_all(&npy).expect("an array");
    }
    archive.finish().expect("an archive");
}

#[test]
fn an_import_is_verified_against_given_outputs() {
    let Some(data) = shared("data/reference") else { return };
    let [image, boxes, logits] =
        ["humans_0.tf1.chw.f32", "humans_0.raw.f32", "humans_0.logits.f32"].map(|name| read_f32(&data.join(name)));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let written = write(&default_model(), &folder.path().join("ssd.onnx")).expect("the model is written");
    let reference = folder.path().join("reference.npz");
    let image = ("image", "(1, 3, 300, 300)", &image[..]);
    // Without the batch dimension as well.
    let boxes = ("raw_boxes", "(1917, 4)", &boxes[..]);
    npz(&reference, &[image, boxes, ("logits", "(1, 1917, 91)", &logits)]);
    let differences = verify(&written, &reference).expect("the model runs");
    assert!(differences.len() == 2 && differences.iter().all(|d| d.largest < 1e-4), "{differences:?}");
    let mut broken = logits.clone();
    broken[7] = f32::NAN;
    npz(&reference, &[image, boxes, ("logits", "(1, 1917, 91)", &broken)]);
    let differences = verify(&written, &reference).expect("the model runs");
    assert!(differences[1].largest.is_nan(), "what is no number is no match: {differences:?}");
}

#[test]
fn a_reference_that_lacks_an_array_or_has_another_shape_is_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let written = write(&default_model(), &folder.path().join("ssd.onnx")).expect("the model is written");
    let reference = folder.path().join("reference.npz");
    let values = vec![0.0; 270_000];
    npz(&reference, &[("image", "(1, 3, 300, 300)", &values)]);
    let error = verify(&written, &reference).expect_err("outputs are missing").to_string();
    assert!(error.contains("reference.npz has no array raw_boxes (it has image [1, 3, 300, 300])"), "{error}");
    // As many values, but with the channels last.
    npz(&reference, &[("image", "(1, 300, 300, 3)", &values)]);
    let error = verify(&written, &reference).expect_err("another shape").to_string();
    let words = "array image has the shape [1, 300, 300, 3], the model's image has [1, 3, 300, 300]";
    assert!(error.contains(words), "{error}");
    let error = verify(&written, &folder.path().join("none.npz")).expect_err("no file").to_string();
    assert!(error.contains("none.npz") && error.contains("No such file"), "{error}");
}

#[test]
fn one_network_in_four_formats_is_one_network() {
    let seed = |name: &str| std::fs::read(crate::support::root().join("fuzz/seeds").join(name)).expect("a seed");
    let tfjs = seed("tfjs/ssd");
    let end = tfjs.iter().position(|&b| b == 0).expect("the end of the JSON");
    let (json, shard) = (tfjs[..end].to_vec(), Bytes::from(tfjs[end + 1..].to_vec()));
    let run = |file: Vec<u8>| {
        let shard = &mut |_: &str| Ok(shard.clone());
        import_bytes(file.into(), "small".into(), &ImportOptions::default(), shard).unwrap_or_else(|e| panic!("{e}"))
    };
    let all = [run(json), run(seed("frozen/ssd")), run(seed("tflite/ssd")), run(seed("onnx/zoo"))];
    // TensorFlow's two forms differ in nothing; the others name their values otherwise.
    assert_eq!(bytes_of(&all[0]), bytes_of(&all[1]));
    for other in &all[1..] {
        assert_eq!(other.manifest, all[0].manifest);
        assert_eq!(other.report.kept, all[0].report.kept);
        assert_eq!((other.report.anchors, other.report.classes), (288, 1));
    }
}

/// A line of `/proc/self/status`, in bytes.
fn memory(what: &str) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find(|line| line.starts_with(what)).expect("the line");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<usize>().ok()).expect("a number") << 10
}

#[test]
fn an_import_takes_at_most_four_times_its_files_in_memory() {
    if let Some(file) = role() {
        let before = memory("VmRSS");
        let imported = import(Path::new(&file), &ImportOptions::default()).expect("an import");
        imported.onnx.write_to(&mut std::io::sink()).expect("the sink takes all");
        println!("taken {}", memory("VmHWM") - before);
        return;
    }
    let mut models = vec![
        part("weights/coco-ssd/model.json"),
        part("weights/pedestrian/frozen_inference_graph.pb"),
        part("weights/face-api/ssd_mobilenetv1_model-weights_manifest.json"),
    ];
    models.extend(shared("data/weights/ssd_mobilenet_v1_075_coco_quant.tflite"));
    for file in models {
        let test = "import::an_import_takes_at_most_four_times_its_files_in_memory";
        let output = again(test, file.to_str().expect("a path")).output().expect("the test again");
        let said = String::from_utf8_lossy(&output.stdout);
        let taken: usize = said
            .split_once("taken ")
            .and_then(|(_, rest)| rest.split_whitespace().next()?.parse().ok())
            .unwrap_or_else(|| panic!("{}: {said}", file.display()));
        // The model with its shards, which have the folder to themselves.
        let parts = std::fs::read_dir(file.parent().expect("a folder")).expect("the folder");
        let size: u64 = parts.map(|part| part.expect("a file").metadata().expect("its size").len()).sum();
        assert!(taken as u64 <= 4 * size, "{} has {size} bytes and took {taken}", file.display());
        let _ = writeln!(std::io::stderr(), "{}: {:.1} times the file", file.display(), taken as f64 / size as f64);
    }
}
