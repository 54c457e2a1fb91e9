//! The decoder against a slow, plain one.

use super::{
    outputs::{logit, sigmoid},
    *,
};
use crate::tensor::RawTensor;
use crate::{
    geometry::Rect,
    manifest::{Activation, Anchors, Channels, Input, Interpolated},
};
use proptest::prelude::*;
use std::collections::HashMap;

const CLASSES: usize = 4;

/// 1 + 4 * 6 anchors: enough for overlaps, few enough to be slow with.
fn manifest(activation: Activation) -> Manifest {
    Manifest {
        name: "small".into(),
        sha256: None,
        licence: None,
        source: None,
        labels: ["background", "cat", "", "dog"].map(String::from).into(),
        input: Input {
            name: "image".into(),
            width: 8,
            height: 8,
            channels: Channels::Rgb,
            scale: 1.0,
            offset: [0.0; 3],
        },
        decode: Decode::Ssd {
            boxes: "raw_boxes".into(),
            logits: "logits".into(),
            activation,
            scales: [10.0, 10.0, 5.0, 5.0],
            anchors: Anchors {
                layers: vec![[2, 2], [1, 1]],
                min_scale: 0.2,
                max_scale: 0.95,
                ratios: vec![1.0, 2.0, 0.5],
                reduce_lowest_layer: false,
                interpolated: Interpolated::Last,
            },
        },
    }
}

const ANCHORS: usize = 5 * 4;

struct Outputs(HashMap<&'static str, (Vec<usize>, Vec<f32>)>);

impl RawOutputs for Outputs {
    fn output(&self, name: &str) -> Option<RawTensor<'_>> {
        self.0.get(name).map(|(shape, data)| RawTensor { shape, data })
    }
}

fn outputs(boxes: &[f32], logits: &[f32]) -> Outputs {
    Outputs(HashMap::from([
        ("raw_boxes", (vec![1, ANCHORS, 4], boxes.to_vec())),
        ("logits", (vec![1, ANCHORS, CLASSES], logits.to_vec())),
    ]))
}

/// Class by class, every step in the plainest form and in f64; boxes as y_min, x_min, y_max, x_max.
fn plain(boxes: &[f32], logits: &[f32], activation: Activation, thresholds: &Thresholds) -> Vec<(u32, f64, [f64; 4])> {
    let Decode::Ssd { anchors, .. } = manifest(activation).decode else { panic!("an SSD") };
    let anchors = anchors::generate(&anchors).unwrap();
    let boxes: Vec<[f64; 4]> = (0..ANCHORS)
        .map(|i| {
            let t: Vec<f64> = boxes[4 * i..4 * i + 4].iter().map(|&v| v.into()).collect();
            let a = [anchors[i].y, anchors[i].x, anchors[i].h, anchors[i].w].map(f64::from);
            let (y, x) = (t[0] / 10.0 * a[2] + a[0], t[1] / 10.0 * a[3] + a[1]);
            let (h, w) = ((t[2] / 5.0).exp() * a[2], (t[3] / 5.0).exp() * a[3]);
            [y - h / 2.0, x - w / 2.0, y + h / 2.0, x + w / 2.0]
        })
        .collect();
    let score = |i: usize, class: usize| {
        let row: Vec<f64> = logits[CLASSES * i..CLASSES * (i + 1)].iter().map(|&v| v.into()).collect();
        match activation {
            Activation::Sigmoid => 1.0 / (1.0 + (-row[class]).exp()),
            Activation::Softmax => row[class].exp() / row.iter().map(|v| v.exp()).sum::<f64>(),
        }
    };
    let overlap = |a: [f64; 4], b: [f64; 4]| {
        let side = |i: usize| (a[i + 2].min(b[i + 2]) - a[i].max(b[i])).max(0.0);
        let area = |r: [f64; 4]| (r[2] - r[0]) * (r[3] - r[1]);
        let both = side(0) * side(1);
        both / (area(a) + area(b) - both)
    };
    let mut all = Vec::new();
    for class in 1..CLASSES {
        let Some(wanted) = thresholds.score(class as u32) else { continue };
        let mut order: Vec<usize> = (0..ANCHORS).filter(|&i| score(i, class) > wanted.into()).collect();
        order.sort_by(|&a, &b| score(b, class).total_cmp(&score(a, class)).then(a.cmp(&b)));
        let mut kept: Vec<usize> = Vec::new();
        for i in order {
            if kept.iter().all(|&k| overlap(boxes[k], boxes[i]) <= thresholds.max_iou.into()) {
                kept.push(i);
            }
        }
        all.extend(kept.into_iter().map(|i| (class, i, score(i, class))));
    }
    all.sort_by(|a, b| b.2.total_cmp(&a.2).then(a.0.cmp(&b.0)).then(a.1.cmp(&b.1)));
    all.truncate(thresholds.max_detections);
    all.into_iter().map(|(class, i, score)| (class as u32, score, boxes[i].map(|v| v.clamp(0.0, 1.0)))).collect()
}

fn fraction(value: f32) -> Fraction {
    value.try_into().unwrap()
}

proptest! {
    // The thresholds are no values that quantised logits or boxes can hit exactly, where f32 and f64 may differ.
    #[test]
    fn the_fast_way_finds_what_the_plain_way_finds(
        boxes in proptest::collection::vec(-12.0f32..12.0, ANCHORS * 4),
        quarter_logits in proptest::collection::vec(-16i8..16, ANCHORS * CLASSES),
        softmax: bool,
        score in prop::sample::select(vec![0.0, 1e-8, 0.1003, 0.31, 0.511, 0.9, 1.0]),
        iou in prop::sample::select(vec![0.0513, 0.3, 0.6, 0.95]),
        limit in 1usize..30,
    ) {
        // Equal logits are wanted, to see who wins; but softmaxes that are equal on paper may differ in the last bit.
        let apart = if softmax { 1e-5 } else { 0.0 };
        let logits: Vec<f32> =
            (0u8..).zip(quarter_logits).map(|(i, q)| f32::from(q) / 4.0 + f32::from(i).powi(2) * apart).collect();
        let activation = if softmax { Activation::Softmax } else { Activation::Sigmoid };
        let thresholds = Thresholds::uniform(fraction(score), CLASSES, fraction(iou), limit);
        let mut decoder = Decoder::new(&manifest(activation)).unwrap();
        let mut detections = Vec::new();
        decoder.decode(&outputs(&boxes, &logits), &thresholds, &mut detections).unwrap();
        let wanted = plain(&boxes, &logits, activation, &thresholds);
        prop_assert_eq!(detections.len(), wanted.len());
        for (detection, (class_id, score, bbox)) in detections.iter().zip(&wanted) {
            prop_assert_eq!(detection.class_id, *class_id);
            prop_assert!((f64::from(detection.score) - score).abs() < 1e-6);
            let Rect { x_min, y_min, x_max, y_max } = detection.bbox;
            for (got, want) in [y_min, x_min, y_max, x_max].into_iter().zip(bbox) {
                prop_assert!((f64::from(got) - want).abs() < 1e-5, "{:?} {:?}", detection.bbox, bbox);
            }
        }
    }

    #[test]
    fn no_output_makes_it_panic(
        boxes in proptest::collection::vec(any::<f32>(), ANCHORS * 4),
        logits in proptest::collection::vec(any::<f32>(), ANCHORS * CLASSES),
        softmax: bool,
    ) {
        let activation = if softmax { Activation::Softmax } else { Activation::Sigmoid };
        let thresholds = Thresholds::uniform(fraction(0.0), CLASSES, fraction(0.6), 100);
        let mut detections = Vec::new();
        Decoder::new(&manifest(activation)).unwrap().decode(&outputs(&boxes, &logits), &thresholds, &mut detections).unwrap();
        for Detection { score, bbox, .. } in &detections {
            prop_assert!((0.0..=1.0).contains(score));
            for v in [bbox.x_min, bbox.y_min, bbox.x_max, bbox.y_max] {
                prop_assert!((0.0..=1.0).contains(&v));
            }
        }
    }

    #[test]
    fn logit_undoes_sigmoid(x in -15.0f32..15.0) {
        // Both are rounded to f32: a score near 1 is known to 6e-8 only.
        let tolerance = 2e-7 * (1.0 + x.abs() + x.exp());
        prop_assert!((logit(sigmoid(x)) - x).abs() < tolerance);
    }
}

#[test]
fn the_ends_of_the_scale_have_infinite_logits() {
    assert_eq!((logit(0.0), logit(0.5), logit(1.0)), (f32::NEG_INFINITY, 0.0, f32::INFINITY));
}

#[test]
fn a_class_that_is_off_stays_away_and_labels_are_the_manifests() {
    let manifest = manifest(Activation::Sigmoid);
    let mut logits = [-9.0; ANCHORS * CLASSES];
    logits[3] = 2.0; // a dog at anchor 0
    logits[CLASSES + 1] = 3.0; // a cat at anchor 1
    let outputs = outputs(&[0.0; ANCHORS * 4], &logits);
    let mut decoder = Decoder::new(&manifest).unwrap();
    let mut detections = Vec::new();
    let mut labels = |toml: &str| {
        let config: Config = toml::from_str(toml).unwrap();
        let thresholds = Thresholds::resolve(&config, &manifest.labels).unwrap();
        decoder.decode(&outputs, &thresholds, &mut detections).unwrap();
        detections.iter().map(|d| d.label.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(labels(""), ["cat", "dog"]);
    assert_eq!(labels("[classes]\ncat = false"), ["dog"]);
    assert_eq!(labels("[classes]\ndog = 0.9"), ["cat"]);
    assert_eq!(labels("max_detections = 1"), ["cat"]);
}

#[test]
fn what_does_not_fit_is_refused_by_name() {
    let manifest = manifest(Activation::Sigmoid);
    let good = Thresholds::uniform(fraction(0.5), CLASSES, fraction(0.6), 100);
    let of_another = Thresholds::uniform(fraction(0.5), 91, fraction(0.6), 100);
    let empty = Outputs(HashMap::new());
    let short = Outputs(HashMap::from([("raw_boxes", (vec![1, 3, 4], vec![0.0; 12]))]));
    let mut decoder = Decoder::new(&manifest).unwrap();
    for (outputs, thresholds, message) in [
        (&empty, &of_another, "the thresholds are for 91 classes, the model has 4"),
        (&empty, &good, "the network has no output \"raw_boxes\", which its manifest names: import the model again"),
        (
            &short,
            &good,
            "output \"raw_boxes\" has the shape [1, 3, 4], its manifest leads to [1, 20, 4]: import the model again",
        ),
    ] {
        let error = decoder.decode(outputs, thresholds, &mut Vec::new()).unwrap_err();
        assert_eq!(error.to_string(), message);
    }
}

#[test]
fn a_manifest_that_makes_no_sense_is_refused() {
    let good = manifest(Activation::Sigmoid);
    let unlabelled = Manifest { labels: vec!["background".into()], ..good.clone() };
    assert_eq!(Decoder::new(&unlabelled).unwrap_err(), DecodeError::Labels(1));
    let mut flat = good;
    let Decode::Ssd { scales, .. } = &mut flat.decode else { panic!("an SSD") };
    scales[2] = 0.0;
    assert_eq!(Decoder::new(&flat).unwrap_err(), DecodeError::Scales([10.0, 10.0, 0.0, 5.0]));
}
