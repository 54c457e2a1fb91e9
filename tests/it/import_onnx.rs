//! ONNX surgery on small detectors of the known forms, made here with random weights: what comes out must compute and
//! decode as a plain reading of the source does.

use crate::support::bytes_of;
use crate::support::small_net::{Map, Net, SIZE};
use detector::decode::{Config, Decoder, Overlaps, Thresholds};
use detector::infer::{self, Runtime};
use detector::manifest::{Activation, Decode};
use workshop::import::{ImportOptions, Imported, Written, import, write};
use workshop::onnx::proto::{self, Attribute, Dimension, DimensionValue, Graph, Node, ValueInfo};
use workshop::onnx::{self, int, ints};

use prost::Message;
use std::path::Path;

/// Classes, without the background.
const CLASSES: usize = 4;

struct Run {
    written: Written,
    outputs: Vec<(String, Vec<usize>, Vec<f32>)>,
}

impl detector::tensor::RawOutputs for Run {
    fn output(&self, name: &str) -> Option<detector::tensor::RawTensor<'_>> {
        let (_, shape, data) = self.outputs.iter().find(|o| o.0 == name)?;
        Some(detector::tensor::RawTensor { shape, data })
    }
}

/// Imports `graph`, written to `folder`, and runs the result on `picture`.
fn run(folder: &Path, graph: Graph, options: &ImportOptions, picture: &[f32]) -> (Imported, Run) {
    let source = folder.join("source.onnx");
    let mut model = onnx::model(graph, String::new());
    model.metadata_props.clear();
    std::fs::write(&source, model.encode_to_vec()).unwrap();
    let imported = import(&source, options).unwrap_or_else(|e| panic!("{e}"));
    let written = write(&imported, &folder.join("imported.onnx")).unwrap();
    let config = infer::Config::default();
    let runtime = Runtime::load(&config).unwrap();
    let mut engine = runtime.open(&config, &written.model, &|_| {}).unwrap();
    engine.input().copy_from_slice(picture);
    engine.run().unwrap();
    let outputs = written.model.manifest.decode.outputs().map(|name| {
        let tensor = engine.output(name).unwrap();
        (name.to_owned(), tensor.shape.to_vec(), tensor.data.to_vec())
    });
    let outputs = outputs.collect();
    (imported, Run { written, outputs })
}

fn assert_close(ours: &[f32], wanted: &[f32], what: &str) {
    assert_eq!(ours.len(), wanted.len(), "{what}");
    let worst = ours.iter().zip(wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst < 1e-4, "{what} differs by {worst}");
}

fn picture() -> Vec<f32> {
    (0..3 * SIZE * SIZE).map(|i| ((i * 7919) % 255) as f32 / 127.5 - 1.0).collect()
}

fn labels(folder: &Path) -> ImportOptions {
    let path = folder.join("labels.txt");
    std::fs::write(&path, "cat\ndog\nbird\nfish\n").unwrap();
    ImportOptions { labels: Some(workshop::import::Labels::File(path)), ..ImportOptions::default() }
}

/// The detections at a score that leaves many, boxes as corners.
fn decoded(run: &Run, score: f32, overlaps: Overlaps) -> Vec<(u32, f32, [f32; 4])> {
    let manifest = &run.written.model.manifest;
    let rules = Config { score: score.try_into().unwrap(), overlaps, ..Config::default() };
    let thresholds = Thresholds::resolve(&rules, &manifest.labels).unwrap();
    let mut found = Vec::new();
    Decoder::new(manifest).unwrap().decode(run, &thresholds, &mut found).unwrap();
    let corners = |d: &detector::detection::Detection| [d.bbox.x_min, d.bbox.y_min, d.bbox.x_max, d.bbox.y_max];
    found.iter().map(|d| (d.class_id, d.score, corners(d))).collect()
}

fn floating(name: &str, dims: &[i64], elem_type: i32) -> ValueInfo {
    let dim = |&d: &i64| Dimension { value: (d > 0).then_some(DimensionValue::Size(d)) };
    let shape = proto::Shape { dim: dims.iter().map(dim).collect() };
    let tensor_type = proto::TensorType { elem_type, shape: Some(shape) };
    ValueInfo { name: name.into(), r#type: Some(proto::Type { tensor_type: Some(tensor_type) }) }
}

/// The preprocessing of exported detectors: bytes of any size, a loop that resizes, `x * 2 / 255 - 1`.
fn zoo_preprocessing(graph: &mut Graph) {
    let to = [i64::try_from(SIZE).unwrap(); 2];
    let body = Graph {
        name: "body".into(),
        node: vec![onnx::node("Resize", &["picture", "", "", "Preprocessor/ResizeImage/size"], "resized", vec![])],
        initializer: vec![onnx::int64s("Preprocessor/ResizeImage/size", &to)],
        ..Graph::default()
    };
    let body = Attribute { name: "body".into(), g: Some(body), r#type: 5, ..Attribute::default() };
    graph.input.push(floating("image_tensor:0", &[1, 0, 0, 3], proto::data_type::UINT8));
    graph.initializer.push(onnx::floats("Preprocessor/mul/x:0", &[], &[2.0 / 255.0]));
    graph.initializer.push(onnx::floats("Preprocessor/sub/y:0", &[], &[1.0]));
    graph.node.extend([
        onnx::node("Cast", &["image_tensor:0"], "cast:0", vec![int("to", 1)]),
        onnx::node("Loop", &["", "", "cast:0"], "Preprocessor/map/loop:0", vec![body]),
        onnx::node("Mul", &["Preprocessor/map/loop:0", "Preprocessor/mul/x:0"], "Preprocessor/mul:0", vec![]),
        onnx::node("Sub", &["Preprocessor/mul:0", "Preprocessor/sub/y:0"], "Preprocessor/sub:0", vec![]),
        onnx::node("Transpose", &["Preprocessor/sub:0"], "nchw:0", vec![ints("perm", &[0, 3, 1, 2])]),
    ]);
}

/// Flattens `head` with a shape that the graph computes, as exporters do.
fn flattened(graph: &mut Graph, head: &str, columns: i64) -> String {
    let name = |what: &str| format!("{head}/{what}");
    graph.initializer.push(onnx::int64s(&name("rest"), &[-1, columns]));
    let perm = ints("perm", &[0, 2, 3, 1]);
    graph.node.extend([
        onnx::node("Transpose", &[head], &name("nhwc"), vec![perm]),
        onnx::node("Shape", &[&name("nhwc")], &name("shape"), vec![]),
        onnx::node("Concat", &[&name("shape"), &name("rest")], &name("target"), vec![int("axis", 0)]),
        onnx::node("Reshape", &[&name("nhwc"), &name("target")], &name("flat"), vec![]),
    ]);
    name("flat")
}

fn zoo(net: &Net, activation: &str) -> Graph {
    let mut graph = Graph::default();
    zoo_preprocessing(&mut graph);
    net.emit(&mut graph, "nchw:0");
    let (mut boxes, mut logits) = (Vec::new(), Vec::new());
    for (i, _) in net.maps().iter().enumerate() {
        boxes.push(flattened(&mut graph, &format!("box_{i}"), 4));
        logits.push(flattened(&mut graph, &format!("class_{i}"), CLASSES as i64 + 1));
    }
    let join = |parts: &[String], name: &str| {
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        onnx::node("Concat", &parts, name, vec![int("axis", 1)])
    };
    graph.node.extend([
        join(&boxes, "boxes_joined"),
        join(&logits, "logits_joined"),
        onnx::node(activation, &["logits_joined"], "scores", vec![]),
        onnx::node("Transpose", &["scores"], "scores_t", vec![ints("perm", &[0, 2, 1])]),
        onnx::node("NonMaxSuppression", &["boxes_joined", "scores_t"], "kept", vec![]),
    ]);
    graph.output.push(floating("kept", &[0, 3], proto::data_type::INT64));
    graph
}

#[test]
fn a_zoo_form_is_cut_to_what_a_plain_network_computes() {
    for (activation, wanted) in [("Sigmoid", Activation::Sigmoid), ("Softmax", Activation::Softmax)] {
        let folder = tempfile::tempdir().unwrap();
        let net = Net::random(11, CLASSES + 1);
        let (imported, run) = run(folder.path(), zoo(&net, activation), &labels(folder.path()), &picture());
        let operators: Vec<&str> = imported.report.kept.keys().map(String::as_str).collect();
        assert_eq!(operators, ["Clip", "Concat", "Conv", "Reshape", "Transpose"], "no loop, no suppression, no bytes");
        let Decode::Ssd { activation, .. } = &imported.manifest.decode else { panic!("an SSD") };
        assert_eq!(*activation, wanted);
        assert_eq!(imported.manifest.input.scale.to_bits(), (2.0_f32 / 255.0).to_bits());
        let computed = net.run(&picture());
        let rows = |maps: &[Map]| maps.iter().flat_map(Map::cells).collect::<Vec<f32>>();
        assert_close(&run.outputs[0].2, &rows(&computed.boxes), "raw_boxes");
        assert_close(&run.outputs[1].2, &rows(&computed.logits), "logits");
        let found = decoded(&run, 0.3, Overlaps::Suppress);
        assert!(!found.is_empty() && found.iter().all(|f| (1..=CLASSES as u32).contains(&f.0)));
    }
}

/// A graph that decodes its own boxes, with a batch dimension left open.
fn pytorch_ssd(net: &Net) -> Graph {
    let size = i64::try_from(SIZE).unwrap();
    let mut graph = Graph { input: vec![floating("input_0", &[0, 3, size, size], 1)], ..Graph::default() };
    net.emit(&mut graph, "input_0");
    let classes = CLASSES as i64 + 1;
    let anchors: i64 = net.maps().iter().map(|m| (m.side * m.side * m.anchors) as i64).sum();
    for (kind, columns) in [("class", classes), ("box", 4)] {
        let mut flat = Vec::new();
        graph.initializer.push(onnx::int64s(&format!("{kind}_to"), &[1, -1, columns]));
        for i in 0..net.maps().len() {
            let (turned, made) = (format!("{kind}_{i}/t"), format!("{kind}_{i}/f"));
            let perm = ints("perm", &[0, 2, 3, 1]);
            graph.node.push(onnx::node("Transpose", &[&format!("{kind}_{i}")], &turned, vec![perm]));
            graph.node.push(onnx::node("Reshape", &[&turned, &format!("{kind}_to")], &made, vec![]));
            flat.push(made);
        }
        let flat: Vec<&str> = flat.iter().map(String::as_str).collect();
        graph.node.push(onnx::node("Concat", &flat, &format!("{kind}_all"), vec![int("axis", 1)]));
    }
    graph.node.push(onnx::node("Softmax", &["class_all"], "scores", vec![int("axis", 2)]));
    graph.node.push(onnx::node("Sigmoid", &["box_all"], "boxes", vec![]));
    graph.output = vec![floating("scores", &[1, anchors, classes], 1), floating("boxes", &[1, anchors, 4], 1)];
    graph
}

#[test]
fn a_pytorch_ssd_is_kept_and_decoded_as_detectnet_does() {
    let folder = tempfile::tempdir().unwrap();
    let net = Net::random(23, CLASSES + 1);
    let (imported, run) = run(folder.path(), pytorch_ssd(&net), &labels(folder.path()), &picture());
    let input = &imported.manifest.input;
    assert_eq!((input.name.as_str(), input.scale, input.offset[0]), ("input_0", 1.0 / 128.0, -127.0 / 128.0));
    let computed = net.run(&picture());
    let softmax = |row: &[f32]| {
        let sum: f32 = row.iter().map(|v| v.exp()).sum();
        row.iter().map(|v| v.exp() / sum).collect::<Vec<f32>>()
    };
    let logits: Vec<f32> = computed.logits.iter().flat_map(Map::cells).collect();
    let scores: Vec<f32> = logits.chunks(CLASSES + 1).flat_map(softmax).collect();
    let boxes: Vec<f32> = computed.boxes.iter().flat_map(Map::cells).map(|v| 1.0 / (1.0 + (-v).exp())).collect();
    assert_close(&run.outputs[0].2, &boxes, "boxes");
    assert_close(&run.outputs[1].2, &scores, "scores");
    // detectNet: of each prior the best class but the background, if above the threshold; then clustering.
    let ours = decoded(&run, 0.25, Overlaps::Merge);
    let mut list: Vec<(u32, f32, [f32; 4])> = Vec::new();
    for (scores, corners) in run.outputs[1].2.chunks(CLASSES + 1).zip(run.outputs[0].2.chunks(4)) {
        let (class, score) = (1..).zip(&scores[1..]).fold((0, 0.25), |b, (c, &s)| if s > b.1 { (c, s) } else { b });
        if class > 0 {
            cluster(&mut list, (class, score, [corners[0], corners[1], corners[2], corners[3]]));
        }
    }
    list.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    list.truncate(100);
    assert!(!list.is_empty());
    assert_eq!(ours, list);
}

fn cluster(list: &mut Vec<(u32, f32, [f32; 4])>, new: (u32, f32, [f32; 4])) {
    let area = |c: &[f32; 4]| (c[2] - c[0]).max(0.0) * (c[3] - c[1]).max(0.0);
    for old in list.iter_mut().filter(|o| o.0 == new.0) {
        let (o, n) = (old.2, new.2);
        let both = [o[0].max(n[0]), o[1].max(n[1]), o[2].min(n[2]), o[3].min(n[3])];
        if area(&both) / area(&o).max(area(&n)) > 0.75 {
            old.2 = [o[0].min(n[0]), o[1].min(n[1]), o[2].max(n[2]), o[3].max(n[3])];
            old.1 = old.1.max(new.1);
            return;
        }
    }
    list.push(new);
}

/// Coverage and boxes of one grid, as a DetectNet converted from Caffe has them.
fn detectnet(net: &Net) -> Graph {
    let size = i64::try_from(SIZE).unwrap();
    let mut graph = Graph { input: vec![floating("data", &[1, 3, size, size], 1)], ..Graph::default() };
    net.emit(&mut graph, "data");
    let Map { side, .. } = net.maps()[0];
    // The first map's heads: as many coverage channels as there are anchors times logits, and boxes of one anchor.
    graph.initializer.push(onnx::int64s("four/start", &[0]));
    graph.initializer.push(onnx::int64s("four/end", &[4]));
    graph.initializer.push(onnx::int64s("four/axis", &[1]));
    graph.initializer.push(onnx::floats("pixels", &[], &[8.0]));
    let slice = |from: &str, to: &str| onnx::node("Slice", &[from, "four/start", "four/end", "four/axis"], to, vec![]);
    graph.node.extend([
        slice("class_0", "class_4"),
        onnx::node("Sigmoid", &["class_4"], "coverage", vec![]),
        slice("box_0", "box_4"),
        onnx::node("Mul", &["box_4", "pixels"], "bboxes", vec![]),
    ]);
    let side = i64::try_from(side).unwrap();
    graph.output = vec![floating("coverage", &[1, 4, side, side], 1), floating("bboxes", &[1, 4, side, side], 1)];
    graph
}

#[test]
fn a_detectnet_is_kept_and_decoded_as_its_source_does() {
    let folder = tempfile::tempdir().unwrap();
    let net = Net::random(37, CLASSES + 1);
    let options = ImportOptions { mean: Some(117.0), ..labels(folder.path()) };
    let (imported, run) = run(folder.path(), detectnet(&net), &options, &picture());
    let input = &imported.manifest.input;
    assert_eq!((input.name.as_str(), input.scale, input.offset[0]), ("data", 1.0, -117.0));
    let computed = net.run(&picture());
    let plane = |map: &Map, channel: usize| map.values[channel * map.side * map.side..][..map.side * map.side].to_vec();
    let coverage: Vec<f32> =
        (0..4).flat_map(|c| plane(&computed.logits[0], c)).map(|v| 1.0 / (1.0 + (-v).exp())).collect();
    let boxes: Vec<f32> = (0..4).flat_map(|c| plane(&computed.boxes[0], c)).map(|v| v * 8.0).collect();
    assert_close(&run.outputs[0].2, &coverage, "coverage");
    assert_close(&run.outputs[1].2, &boxes, "bboxes");
    let (coverage, boxes) = (&run.outputs[0].2, &run.outputs[1].2);
    let (side, cells) = (computed.boxes[0].side, computed.boxes[0].side.pow(2));
    let cell = (SIZE / side) as f32;
    let mut list: Vec<(u32, f32, [f32; 4])> = Vec::new();
    for class in 0..4 {
        for i in (0..cells).filter(|i| coverage[class * cells + i] >= 0.55) {
            let (x, y) = ((i % side) as f32 * cell, (i / side) as f32 * cell);
            let at = |s: usize, from: f32| (boxes[s * cells + i] + from) / SIZE as f32;
            let n = [at(0, x), at(1, y), at(2, x), at(3, y)];
            let id = class as u32 + 1;
            let touches = |o: &[f32; 4]| !(n[0] > o[2] || n[2] < o[0] || n[1] > o[3] || n[3] < o[1]);
            match list.iter_mut().find(|o| o.0 == id && touches(&o.2)) {
                Some(old) => {
                    let o = old.2;
                    old.2 = [o[0].min(n[0]), o[1].min(n[1]), o[2].max(n[2]), o[3].max(n[3])];
                }
                None => list.push((id, coverage[class * cells + i], n)),
            }
        }
    }
    list.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    list.iter_mut().for_each(|found| found.2 = found.2.map(|v| v.clamp(0.0, 1.0)));
    assert!(!list.is_empty());
    assert_eq!(decoded(&run, 0.55, Overlaps::Suppress), list);
}

#[test]
fn an_import_of_an_import_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let net = Net::random(5, CLASSES + 1);
    let (first, run) = run(folder.path(), zoo(&net, "Sigmoid"), &labels(folder.path()), &picture());
    let again = import(&run.written.model.path, &ImportOptions::default()).unwrap();
    assert_eq!(bytes_of(&again), bytes_of(&first));
    assert_eq!(again.manifest, first.manifest);
}

#[test]
fn what_cannot_be_done_is_named_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let net = Net::random(3, CLASSES + 1);
    let mut graph = zoo(&net, "Sigmoid");
    let clip: &mut Node = graph.node.iter_mut().find(|n| n.op_type == "Clip").unwrap();
    let place = clip.output[0].clone();
    clip.op_type = "HardSwish".into();
    let mut model = onnx::model(graph, String::new());
    model.metadata_props.clear();
    let path = folder.path().join("odd.onnx");
    std::fs::write(&path, model.encode_to_vec()).unwrap();
    let error = import(&path, &ImportOptions::default()).unwrap_err().to_string();
    assert!(error.contains("odd.onnx") && error.contains(&format!("operator HardSwish at {place}")), "{error}");
}
