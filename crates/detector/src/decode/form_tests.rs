//! The forms of other frameworks against plain readings of their sources.

use super::*;
use crate::manifest::{Channels, Input};
use crate::{geometry::Rect, tensor::RawTensor};
use proptest::prelude::*;
use std::collections::HashMap;

/// Classes, background included.
const CLASSES: usize = 3;

fn decoder(decode: Decode) -> Decoder {
    let manifest = Manifest {
        name: "small".into(),
        sha256: None,
        licence: None,
        source: None,
        labels: ["background", "cat", "dog"].map(String::from).into(),
        input: Input {
            name: "image".into(),
            width: 64,
            height: 48,
            channels: Channels::Bgr,
            scale: 1.0,
            offset: [0.0; 3],
        },
        decode,
    };
    Decoder::new(&manifest).unwrap()
}

#[derive(Clone, Debug)]
struct Outputs(HashMap<&'static str, (Vec<usize>, Vec<f32>)>);

impl RawOutputs for Outputs {
    fn output(&self, name: &str) -> Option<RawTensor<'_>> {
        self.0.get(name).map(|(shape, data)| RawTensor { shape, data })
    }
}

/// Score, class and corners of a detection, for comparison.
type Plain = (f32, u32, [f32; 4]);

fn decode(decode: Decode, outputs: &Outputs, score: f32, overlaps: Overlaps) -> Vec<Plain> {
    let config = Config { score: Fraction::try_from(score).unwrap(), overlaps, ..Config::default() };
    let labels = ["background", "cat", "dog"].map(String::from);
    let thresholds = Thresholds::resolve(&config, &labels).unwrap();
    let mut detections = Vec::new();
    decoder(decode).decode(outputs, &thresholds, &mut detections).unwrap();
    detections.iter().map(|d| (d.score, d.class_id, corners(&d.bbox))).collect()
}

fn corners(r: &Rect) -> [f32; 4] {
    [r.x_min, r.y_min, r.x_max, r.y_max]
}

fn rect([x_min, y_min, x_max, y_max]: [f32; 4]) -> Rect {
    Rect { x_min, y_min, x_max, y_max }
}

/// Best first, ties by class; clipped, as the decoder hands them out.
fn handed_out(mut plain: Vec<Plain>) -> Vec<Plain> {
    plain.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    plain.truncate(100);
    plain.into_iter().map(|(score, class, c)| (score, class, corners(&rect(c).clipped()))).collect()
}

/// `detectNet::clusterDetections` for SSDs, with the clustering threshold 0.75: each detection that comes is compared
/// with those before it.
fn detectnets_clustering(raw: &[Plain]) -> Vec<Plain> {
    let mut list: Vec<Plain> = Vec::new();
    'next: for &(score, class, c) in raw {
        for old in &mut list {
            let overlap = rect(old.2).intersection(&rect(c)) / rect(old.2).area().max(rect(c).area());
            if old.1 == class && overlap > 0.75 {
                let o = old.2;
                old.2 = [o[0].min(c[0]), o[1].min(c[1]), o[2].max(c[2]), o[3].max(c[3])];
                old.0 = old.0.max(score);
                continue 'next;
            }
        }
        list.push((score, class, c));
    }
    list
}

fn boxes_and_scores() -> impl Strategy<Value = Vec<([f32; 4], [f32; CLASSES])>> {
    let bbox = (0u8..8, 0u8..8, 1u8..9, 1u8..9).prop_map(|(x, y, w, h)| {
        let [x, y, w, h] = [x, y, w, h].map(|v| f32::from(v) / 10.0);
        [x - 0.1, y - 0.1, x + w, y + h]
    });
    let scores = [0u8..20, 0u8..20, 0u8..20].prop_map(|s| s.map(|v| f32::from(v) / 20.0));
    proptest::collection::vec((bbox, scores), 1..40)
}

fn corner_form(priors: &[([f32; 4], [f32; CLASSES])]) -> (Decode, Outputs) {
    let boxes: Vec<f32> = priors.iter().flat_map(|p| p.0).collect();
    let scores: Vec<f32> = priors.iter().flat_map(|p| p.1).collect();
    let outputs = HashMap::from([
        ("boxes", (vec![1, priors.len(), 4], boxes)),
        ("scores", (vec![1, priors.len(), CLASSES], scores)),
    ]);
    (Decode::Corners { boxes: "boxes".into(), scores: "scores".into() }, Outputs(outputs))
}

proptest! {
    #[test]
    fn pytorch_ssd_is_suppressed_class_by_class(priors in boxes_and_scores(), score in 0.0f32..1.0) {
        let (form, outputs) = corner_form(&priors);
        let mut wanted = Vec::new();
        for class in 1..CLASSES {
            let mut left: Vec<Plain> =
                priors.iter().map(|p| (p.1[class], class as u32, p.0)).filter(|p| p.0 > score).collect();
            left.sort_by(|a, b| b.0.total_cmp(&a.0));
            while !left.is_empty() {
                let best = left.remove(0);
                left.retain(|other| rect(other.2).iou(&rect(best.2)) <= 0.6);
                wanted.push(best);
            }
        }
        prop_assert_eq!(decode(form, &outputs, score, Overlaps::Suppress), handed_out(wanted));
    }

    #[test]
    fn pytorch_ssd_is_merged_as_detectnet_does(priors in boxes_and_scores(), score in 0.0f32..1.0) {
        let (form, outputs) = corner_form(&priors);
        let mut raw = Vec::new();
        for (corners, scores) in &priors {
            let mut best = (score, 0, *corners);
            for (class, &score) in (0..).zip(scores).skip(1) {
                if score > best.0 {
                    best = (score, class, *corners);
                }
            }
            if best.1 > 0 {
                raw.push(best);
            }
        }
        let wanted = handed_out(detectnets_clustering(&raw));
        prop_assert_eq!(decode(form, &outputs, score, Overlaps::Merge), wanted);
    }

    #[test]
    fn detectnets_grid_is_read_as_its_source_does(
        coverage in proptest::collection::vec(-1i8..12, 2 * 4 * 3),
        boxes in proptest::collection::vec(-20i8..60, 4 * 4 * 3),
        threshold in 0.0f32..1.0,
    ) {
        // 64x48 pixels in 4 columns and 3 rows: cells of 16 pixels.
        let (columns, rows, cell) = (4, 3, 16.0);
        let coverage: Vec<f32> = coverage.into_iter().map(|v| f32::from(v) / 10.0).collect();
        let boxes: Vec<f32> = boxes.into_iter().map(f32::from).collect();
        let mut list: Vec<Plain> = Vec::new();
        for class in 0..2 {
            for y in 0..rows {
                for x in 0..columns {
                    let score = coverage[class * 12 + y * columns + x];
                    if score < threshold {
                        continue;
                    }
                    let side = |s: usize| boxes[s * 12 + y * columns + x];
                    let (mx, my) = (x as f32 * cell, y as f32 * cell);
                    let c = [(side(0) + mx) / 64.0, (side(1) + my) / 48.0, (side(2) + mx) / 64.0, (side(3) + my) / 48.0];
                    let overlap = |o: &[f32; 4]| !(c[0] > o[2] || c[2] < o[0] || c[1] > o[3] || c[3] < o[1]);
                    match list.iter_mut().find(|o| o.1 == class as u32 + 1 && overlap(&o.2)) {
                        Some(old) => {
                            let o = old.2;
                            old.2 = [o[0].min(c[0]), o[1].min(c[1]), o[2].max(c[2]), o[3].max(c[3])];
                        }
                        None => list.push((score.clamp(0.0, 1.0), class as u32 + 1, c)),
                    }
                }
            }
        }
        let outputs = Outputs(HashMap::from([
            ("coverage", (vec![1, 2, rows, columns], coverage)),
            ("bboxes", (vec![1, 4, rows, columns], boxes)),
        ]));
        let form = Decode::Detectnet { coverage: "coverage".into(), boxes: "bboxes".into() };
        prop_assert_eq!(decode(form, &outputs, threshold, Overlaps::Suppress), handed_out(list));
    }

    #[test]
    fn merging_leaves_no_pair_that_came_close(priors in boxes_and_scores()) {
        let mut detections: Vec<Candidate> =
            priors.iter().map(|p| Candidate { class_id: 1, score: p.1[1], bbox: rect(p.0) }).collect();
        let before = detections.clone();
        merge::merge(&mut detections);
        prop_assert!(detections.len() <= before.len());
        for old in &before {
            prop_assert!(detections.iter().any(|new| new.score >= old.score && new.bbox.union(&old.bbox) == new.bbox));
        }
    }
}

fn postprocessed(first_class: u16) -> Decode {
    Decode::Postprocessed {
        boxes: "boxes".into(),
        classes: "classes".into(),
        scores: "scores".into(),
        count: "count".into(),
        first_class,
    }
}

#[test]
fn tensorflows_detections_are_taken_as_they_are() {
    let outputs = Outputs(HashMap::from([
        ("boxes", (vec![1, 4, 4], [[0.1, 0.2, 0.5, 0.6], [0.0; 4], [-0.5, 0.0, 2.0, 1.0], [0.0; 4]].concat())),
        ("classes", (vec![1, 4], vec![1.0, 9.0, 0.0, 1.0])),
        ("scores", (vec![1, 4], vec![0.9, 0.8, 0.7, 0.6])),
        ("count", (vec![1], vec![3.0])),
    ]));
    // TensorFlow Lite counts from 0: class 1 is the second. The fourth is beyond the count, class 9 has no name.
    let lite = decode(postprocessed(1), &outputs, 0.5, Overlaps::Suppress);
    assert_eq!(lite, [(0.9, 2, [0.2, 0.1, 0.6, 0.5]), (0.7, 1, [0.0, 0.0, 1.0, 1.0])]);
    // TensorFlow counts from 1; 0 is the background.
    let graph = decode(postprocessed(0), &outputs, 0.5, Overlaps::Suppress);
    assert_eq!(graph, [(0.9, 1, [0.2, 0.1, 0.6, 0.5])]);
}

#[test]
fn outputs_of_another_shape_are_refused_by_name() {
    let (form, mut outputs) = corner_form(&[([0.0; 4], [0.0; CLASSES])]);
    outputs.0.insert("boxes", (vec![1, 2, 4], vec![0.0; 8]));
    let thresholds =
        Thresholds::uniform(Fraction::try_from(0.5).unwrap(), CLASSES, Fraction::try_from(0.6).unwrap(), 9);
    let error = decoder(form).decode(&outputs, &thresholds, &mut Vec::new()).unwrap_err();
    assert_eq!(error, DecodeError::Shape { name: "boxes".into(), found: vec![1, 2, 4], wanted: vec![1, 1, 4] });
}
