//! `sightd model import`: what it honours, and what it refuses instead of writing a model that misleads.

use crate::program::run_to_end;
use prost::Message;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use workshop::load;
use workshop::onnx::proto::{self, Dimension, DimensionValue, Graph, Model, ValueInfo, data_type};
use workshop::onnx::{self, floats, int, ints, node};

/// Side of the input in pixels.
const SIZE: i64 = 32;
/// Two boxes as corners, and their scores of background and one class.
const BOXES: [f32; 8] = [0.1, 0.1, 0.4, 0.6, 0.5, 0.2, 0.9, 0.8];
const SCORES: [f32; 4] = [0.9, 0.1, 0.25, 0.75];

fn info(name: &str, dims: &[i64], elem_type: i32) -> ValueInfo {
    let dim = |&d: &i64| Dimension { value: Some(DimensionValue::Size(d)) };
    let shape = proto::Shape { dim: dims.iter().map(dim).collect() };
    let tensor_type = proto::TensorType { elem_type, shape: Some(shape) };
    ValueInfo { name: name.into(), r#type: Some(proto::Type { tensor_type: Some(tensor_type) }) }
}

/// A detector with the outputs of pytorch-ssd, which gives the same boxes and scores for every picture.
fn constant_detector(boxes: &[f32], scores: &[f32]) -> Model {
    let graph = Graph {
        input: vec![info("input_0", &[1, 3, SIZE, SIZE], data_type::FLOAT)],
        initializer: vec![
            floats("nothing", &[], &[0.0]),
            floats("all_boxes", &[1, 2, 4], boxes),
            floats("all_scores", &[1, 2, 2], scores),
        ],
        node: vec![
            node("ReduceMean", &["input_0"], "mean", vec![ints("axes", &[1, 2, 3]), int("keepdims", 0)]),
            node("Mul", &["mean", "nothing"], "zero", vec![]),
            node("Add", &["all_boxes", "zero"], "boxes", vec![]),
            node("Add", &["all_scores", "zero"], "scores", vec![]),
        ],
        output: vec![info("scores", &[1, 2, 2], data_type::FLOAT), info("boxes", &[1, 2, 4], data_type::FLOAT)],
        ..Graph::default()
    };
    let mut model = onnx::model(graph, String::new());
    model.metadata_props.clear();
    model
}

/// A folder with `source.onnx`, and the command line on it.
struct Bench {
    folder: TempDir,
}

impl Bench {
    fn new(model: &Model) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("source.onnx"), model.encode_to_vec()).unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// `sightd model import FROM -o TO ...`, where options that begin with `@` name a file of the folder.
    fn import(&self, from: &str, to: &str, options: &[&str]) -> (Option<i32>, String) {
        let path = |name: &str| self.path(name).to_str().unwrap().to_owned();
        let mut arguments = vec!["model".to_owned(), "import".to_owned(), path(from), "-o".to_owned(), path(to)];
        arguments.extend(options.iter().map(|o| o.strip_prefix('@').map_or_else(|| (*o).to_owned(), path)));
        run_to_end(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
    }

    fn imports(&self, from: &str, to: &str, options: &[&str]) -> detector::manifest::Manifest {
        let (code, said) = self.import(from, to, options);
        assert_eq!(code, Some(0), "{said}");
        load(&self.path(to)).unwrap().manifest
    }

    /// The message of an import that must fail and leave no output.
    fn refuses(&self, from: &str, options: &[&str]) -> String {
        let (code, said) = self.import(from, "refused.onnx", options);
        assert!(code.is_some_and(|code| code != 0), "{code:?}: {said}");
        assert!(!self.path("refused.onnx").exists() && !self.path("refused.toml").exists(), "{said}");
        let hidden = |entry: &fs::DirEntry| entry.file_name().to_string_lossy().starts_with('.');
        assert!(!fs::read_dir(self.folder.path()).unwrap().any(|entry| hidden(&entry.unwrap())), "scratch files stay");
        said
    }
}

fn assert_says(said: &str, words: &str) {
    assert!(said.contains(words), "{words:?} is not in {said}");
}

#[test]
fn a_blank_line_behind_the_labels_shifts_no_class() {
    let bench = Bench::new(&constant_detector(&BOXES, &SCORES));
    fs::write(bench.path("labels.txt"), "face\n\n").unwrap();
    let manifest = bench.imports("source.onnx", "out.onnx", &["--labels", "@labels.txt"]);
    assert_eq!(manifest.labels, ["background", "face"]);
    fs::write(bench.path("labels.txt"), "face\nhand\nfoot\n").unwrap();
    let said = bench.refuses("source.onnx", &["--labels", "@labels.txt"]);
    assert_says(&said, "3 labels, but the network has 1 class: usually the file belongs to another network");
}

#[test]
fn options_count_for_an_earlier_import_too() {
    let bench = Bench::new(&constant_detector(&BOXES, &SCORES));
    let first = bench.imports("source.onnx", "first.onnx", &["--licence", "MIT"]);
    assert_eq!((first.labels[1].as_str(), first.licence.as_deref(), first.source), ("class 1", Some("MIT"), None));
    fs::write(bench.path("labels.txt"), "face\n").unwrap();
    let options = ["--labels", "@labels.txt", "--licence", "Apache-2.0", "--source", "my own", "--size", "32"];
    let second = bench.imports("first.onnx", "second.onnx", &options);
    assert_eq!(second.labels, ["background", "face"]);
    assert_eq!((second.licence.as_deref(), second.source.as_deref()), (Some("Apache-2.0"), Some("my own")));
    assert_eq!(second.name, "second");
    // Not only in the file beside it.
    fs::remove_file(bench.path("second.toml")).unwrap();
    let embedded = load(&bench.path("second.onnx")).unwrap().manifest;
    assert_eq!(embedded, detector::manifest::Manifest { sha256: None, ..second });
    let third = bench.imports("second.onnx", "third.onnx", &[]);
    assert_eq!((third.licence, third.source), (embedded.licence, embedded.source), "what is not given stays");

    let said = bench.refuses("first.onnx", &["--size", "48"]);
    assert_says(&said, "--size does not apply: the input of the file has the fixed size 32x32, not 48x48");
    assert_says(&bench.refuses("first.onnx", &["--mean", "117"]), "--mean does not apply: only a DetectNet");
}

#[test]
fn options_that_do_not_apply_to_a_file_are_refused() {
    let bench = Bench::new(&constant_detector(&BOXES, &SCORES));
    let said = bench.refuses("source.onnx", &["--size", "300"]);
    assert_says(&said, "--size does not apply: the input of the file has the fixed size 32x32, not 300x300");
    assert_says(&bench.refuses("source.onnx", &["--mean", "117"]), "--mean does not apply");
    let source = bench.path("source.onnx");
    for option in ["--size", "--alpha"] {
        let (code, said) = run_to_end(&["model", "inspect", source.to_str().unwrap(), option, "64"]);
        assert_eq!(code, Some(2), "{said}");
        assert_says(&said, "cannot be used with");
    }
}

#[test]
fn no_input_is_overwritten() {
    let bench = Bench::new(&constant_detector(&BOXES, &SCORES));
    let before = fs::read(bench.path("source.onnx")).unwrap();
    std::os::unix::fs::symlink("source.onnx", bench.path("link.onnx")).unwrap();
    fs::write(bench.path("new.toml"), "face\n").unwrap();
    for (to, options, overwritten) in [
        ("source.onnx", &[][..], "source.onnx"),
        ("link.onnx", &[], "source.onnx"),
        ("new.onnx", &["--labels", "@new.toml"], "new.toml"),
    ] {
        let (code, said) = bench.import("source.onnx", to, options);
        assert!(code.is_some_and(|code| code != 0), "{said}");
        assert_says(&said, "would overwrite");
        assert_says(&said, overwritten);
    }
    assert_eq!(fs::read(bench.path("source.onnx")).unwrap(), before);
    assert_eq!(fs::read_to_string(bench.path("new.toml")).unwrap(), "face\n");
}

#[test]
fn what_the_board_cannot_run_is_refused() {
    let change = |change: &dyn Fn(&mut Model)| {
        let mut model = constant_detector(&BOXES, &SCORES);
        change(&mut model);
        Bench::new(&model)
    };
    let input = |model: &mut Model, elem_type: i32| {
        let graph = model.graph.as_mut().unwrap();
        graph.input[0] = info("input_0", &[1, 3, SIZE, SIZE], elem_type);
    };
    for (bench, reason) in [
        (change(&|m| input(m, 10)), "its input input_0 has elements of type float16"),
        (change(&|m| input(m, data_type::UINT8)), "its input input_0 has elements of type uint8"),
        (change(&|m| m.opset_import[0].version = 21), "it has opset 21, the board's ONNX Runtime 1.11 runs up to 15"),
        (change(&|m| m.opset_import[0].version = 16), "export it again with opset 13"),
        (change(&|m| m.ir_version = 11), "it has IR version 11, the board's ONNX Runtime 1.11 reads up to 8"),
    ] {
        assert_says(&bench.refuses("source.onnx", &[]), reason);
    }
    // The newest that it takes.
    change(&|m| (m.ir_version, m.opset_import[0].version) = (8, 15)).imports("source.onnx", "out.onnx", &[]);
}

#[test]
fn a_model_that_does_not_run_takes_no_place() {
    let mut model = constant_detector(&BOXES, &SCORES);
    let bench = Bench::new(&model);
    bench.imports("source.onnx", "out.onnx", &[]);
    let good = fs::read(bench.path("out.onnx")).unwrap();
    model.graph.as_mut().unwrap().node[1].op_type = "NoSuchOperator".into();
    fs::write(bench.path("source.onnx"), model.encode_to_vec()).unwrap();
    let said = bench.refuses("source.onnx", &[]);
    assert_says(&said, "the model does not run");
    assert_says(&said, "NoSuchOperator");
    assert_says(&said, "source.onnx");
    let (code, said) = bench.import("source.onnx", "out.onnx", &[]);
    assert!(code.is_some_and(|code| code != 0), "{said}");
    assert_eq!(fs::read(bench.path("out.onnx")).unwrap(), good);
}

/// Networks without their box decoding have outputs of the same names and shapes.
#[test]
fn raw_offsets_and_logits_are_no_boxes_and_scores() {
    let decoded = Bench::new(&constant_detector(&BOXES, &SCORES));
    decoded.imports("source.onnx", "out.onnx", &[]);
    let logits = Bench::new(&constant_detector(&BOXES, &[4.5, -2.25, 0.5, 1.0]));
    let said = logits.refuses("source.onnx", &[]);
    assert_says(&said, "output scores has values from -2.250 to 4.500, but scores are within 0..1");
    let offsets = [0.3, -0.2, 1.5, -0.7, 0.1, 0.4, -2.5, 0.2];
    let said = Bench::new(&constant_detector(&offsets, &SCORES)).refuses("source.onnx", &[]);
    assert_says(&said, "output boxes has values from -2.500 to 1.500, and not every box has its second corner");
}

#[test]
fn a_file_that_is_missing_is_named() {
    let bench = Bench::new(&constant_detector(&BOXES, &SCORES));
    let said = bench.refuses("none.onnx", &[]);
    assert_says(&said, "none.onnx");
    assert_says(&said, "No such file");
    assert_says(&bench.refuses("source.onnx", &["--labels", "@none.txt"]), "none.txt");
    assert!(Path::new(&bench.path("source.onnx")).exists());
}
