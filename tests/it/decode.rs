//! The decoder on the reference tensors of one picture.

use crate::support::{coco_ssd, read_f32, shared};
use detector::{
    decode::{Decoder, Fraction, Thresholds},
    detection::Detection,
    tensor::{RawOutputs, RawTensor},
};
use std::{fs, path::Path};

const ANCHORS: usize = 1917;
const CLASSES: usize = 91;

struct Reference {
    raw_boxes: Vec<f32>,
    logits: Vec<f32>,
}

impl Reference {
    fn read(folder: &Path) -> Self {
        let read = |name: &str| read_f32(&folder.join(format!("humans_0.{name}.f32")));
        Self { raw_boxes: read("raw"), logits: read("logits") }
    }
}

impl RawOutputs for Reference {
    fn output(&self, name: &str) -> Option<RawTensor<'_>> {
        match name {
            "raw_boxes" => Some(RawTensor { shape: &[1, ANCHORS, 4], data: &self.raw_boxes }),
            "logits" => Some(RawTensor { shape: &[1, ANCHORS, CLASSES], data: &self.logits }),
            _ => None,
        }
    }
}

fn fraction(value: f32) -> Fraction {
    value.try_into().unwrap()
}

fn decode(outputs: &Reference, thresholds: &Thresholds) -> Vec<Detection> {
    let mut found = Vec::new();
    Decoder::new(&coco_ssd()).unwrap().decode(outputs, thresholds, &mut found).unwrap();
    found
}

/// y_min, x_min, y_max, x_max, as the reference has it.
fn corners(found: &Detection) -> [f32; 4] {
    [found.bbox.y_min, found.bbox.x_min, found.bbox.y_max, found.bbox.x_max]
}

#[test]
fn every_box_and_score_of_the_reference_picture_is_right() {
    let Some(folder) = shared("data/reference") else { return };
    let outputs = Reference::read(&folder);
    let boxes = read_f32(&folder.join("humans_0.boxes.f32"));
    let scores = read_f32(&folder.join("humans_0.scores.f32")); // no column for the background
    for class_id in 1..CLASSES {
        // Nothing is suppressed, nothing left out: every anchor shows its box and its score.
        let one_class =
            toml::from_str(&format!("score = 0.0\niou = 1.0\nmax_detections = 1917\nonly = [\"class {class_id}\"]"));
        let found = decode(&outputs, &Thresholds::resolve(&one_class.unwrap(), &coco_ssd().labels).unwrap());
        assert_eq!(found.len(), ANCHORS);
        let logit = |anchor: usize| outputs.logits[anchor * CLASSES + class_id];
        let mut order: Vec<usize> = (0..ANCHORS).collect();
        order.sort_by(|&a, &b| logit(b).total_cmp(&logit(a)));
        for (found, anchor) in found.iter().zip(order) {
            assert_eq!(found.class_id as usize, class_id);
            assert!((found.score - scores[anchor * (CLASSES - 1) + class_id - 1]).abs() < 1e-4);
            for (got, want) in corners(found).into_iter().zip(&boxes[4 * anchor..]) {
                assert!((got - want.clamp(0.0, 1.0)).abs() < 1e-4, "class {class_id}, anchor {anchor}");
            }
        }
    }
}

#[test]
fn the_reference_detections_come_out_in_order() {
    let Some(folder) = shared("data/reference") else { return };
    let json = fs::read_to_string(folder.join("reference_detections.json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let picture = &json["humans_0.jpg"];
    let number = |value: &serde_json::Value| value.as_f64().unwrap() as f32;
    let (width, height) = (number(&picture["width"]), number(&picture["height"]));
    let wanted = picture["tf1"]["dets"].as_array().unwrap();

    let threshold = number(&wanted.last().unwrap()["score"]) - 1e-4;
    let found =
        decode(&Reference::read(&folder), &Thresholds::uniform(fraction(threshold), CLASSES, fraction(0.6), 100));
    assert_eq!(found.len(), wanted.len());
    for (found, wanted) in found.iter().zip(wanted) {
        assert_eq!(found.class_id, wanted["class_id"].as_u64().unwrap() as u32);
        assert!((found.score - number(&wanted["score"])).abs() < 1e-4);
        let corners = corners(found);
        for (got, key, size) in [
            (corners[0], "y1", height),
            (corners[1], "x1", width),
            (corners[2], "y2", height),
            (corners[3], "x2", width),
        ] {
            // The reference is rounded to a hundredth of a pixel.
            assert!((got - number(&wanted[key]) / size).abs() < 1e-4, "{key} of {wanted}");
        }
    }
}
