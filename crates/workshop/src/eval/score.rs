//! Average precision and recall by the rules of pycocotools (`COCOeval` for boxes), in f64.
//!
//! For each class, each picture's detections are taken by falling score, and each claims the free object it overlaps
//! with most, at ten thresholds of intersection over union. Objects that are crowds or of another size than asked for
//! are ignored, and so are detections that match them, or match nothing and have another size themselves. Precision
//! is made monotonic and read at 101 recalls.

use super::dataset::{Annotation, CocoResult, Dataset};
use serde::Serialize;
use std::collections::BTreeMap;

/// Thresholds of intersection over union: 0.50, 0.55, ..., 0.95.
const IOUS: usize = 10;
/// Points of recall: 0.00, 0.01, ..., 1.00.
const RECALLS: usize = 101;
/// How many detections of a picture and class count at most.
const MAX_DETECTIONS: usize = 100;

/// What the figures are about: objects of some size, and how many detections of each picture and class count.
#[derive(Clone, Copy, Debug)]
struct Setting {
    /// Smallest and largest area, both included, in square pixels.
    area: (f64, f64),
    max_detections: usize,
}

const ALL: (f64, f64) = (0.0, 1e10);
const SETTINGS: [Setting; 6] = [
    Setting { area: ALL, max_detections: MAX_DETECTIONS },
    Setting { area: ALL, max_detections: 1 },
    Setting { area: ALL, max_detections: 10 },
    Setting { area: (0.0, 1024.0), max_detections: MAX_DETECTIONS },
    Setting { area: (1024.0, 9216.0), max_detections: MAX_DETECTIONS },
    Setting { area: (9216.0, 1e10), max_detections: MAX_DETECTIONS },
];

/// COCO's twelve figures, each the mean over classes (and IoU 0.50..0.95 where the name has no number); `None` where
/// there was no object to find.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the names are COCO's")]
pub struct Summary {
    pub ap: Option<f64>,
    pub ap50: Option<f64>,
    pub ap75: Option<f64>,
    /// Objects under 32 x 32 pixels.
    pub ap_small: Option<f64>,
    /// Objects from 32 x 32 to 96 x 96 pixels.
    pub ap_medium: Option<f64>,
    /// Objects over 96 x 96 pixels.
    pub ap_large: Option<f64>,
    /// Recall with one detection for each picture and class.
    pub ar1: Option<f64>,
    pub ar10: Option<f64>,
    pub ar100: Option<f64>,
    pub ar_small: Option<f64>,
    pub ar_medium: Option<f64>,
    pub ar_large: Option<f64>,
}

/// One class's figures.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClassSummary {
    /// The dataset's number of it.
    pub category_id: u32,
    /// Its name.
    pub name: String,
    /// Labelled objects, crowds not counted.
    pub objects: usize,
    /// The figures for it alone.
    #[serde(flatten)]
    pub summary: Summary,
}

/// All figures.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Scores {
    /// Over all classes.
    pub summary: Summary,
    /// Each class of the dataset, by ascending id.
    pub classes: Vec<ClassSummary>,
}

/// Compares `found` with the dataset's annotations. Detections of pictures or categories that the dataset does not
/// have are left out.
pub fn score(dataset: &Dataset, found: &[CocoResult]) -> Scores {
    let mut pictures = collect(dataset, found);
    let per_class: Vec<[Option<Curves>; SETTINGS.len()]> = dataset
        .categories
        .iter()
        .map(|category| {
            let pictures: Vec<_> =
                pictures.remove(&category.id).unwrap_or_default().into_values().map(Picture::new).collect();
            SETTINGS.map(|setting| curves(&pictures, setting))
        })
        .collect();
    let class = |(category, curves): (&super::dataset::Category, _)| ClassSummary {
        category_id: category.id,
        name: category.name.clone(),
        objects: dataset.annotations.iter().filter(|a| a.category_id == category.id && a.iscrowd == 0).count(),
        summary: summarise(std::slice::from_ref(curves)),
    };
    Scores { summary: summarise(&per_class), classes: dataset.categories.iter().zip(&per_class).map(class).collect() }
}

/// What is to be found, and what was found, of one class in one picture.
#[derive(Default)]
struct Boxes<'a> {
    objects: Vec<&'a Annotation>,
    found: Vec<&'a CocoResult>,
}

/// By category, then by picture.
fn collect<'a>(dataset: &'a Dataset, found: &'a [CocoResult]) -> BTreeMap<u32, BTreeMap<u64, Boxes<'a>>> {
    let mut boxes: BTreeMap<u32, BTreeMap<u64, Boxes>> = BTreeMap::new();
    for object in &dataset.annotations {
        boxes.entry(object.category_id).or_default().entry(object.image_id).or_default().objects.push(object);
    }
    for found in found {
        if dataset.images.binary_search_by_key(&found.image_id, |image| image.id).is_ok() {
            boxes.entry(found.category_id).or_default().entry(found.image_id).or_default().found.push(found);
        }
    }
    boxes
}

/// [`Boxes`] with the detections by falling score and their overlaps with the objects.
struct Picture<'a> {
    objects: Vec<&'a Annotation>,
    found: Vec<&'a CocoResult>,
    /// `overlaps[d][o]` of detection `d` and object `o`.
    overlaps: Vec<Vec<f64>>,
}

impl<'a> Picture<'a> {
    fn new(Boxes { objects, mut found }: Boxes<'a>) -> Self {
        found.sort_by(|a, b| b.score.total_cmp(&a.score));
        found.truncate(MAX_DETECTIONS);
        let overlaps =
            found.iter().map(|found| objects.iter().map(|object| overlap(found, object)).collect()).collect();
        Self { objects, found, overlaps }
    }
}

/// Intersection over union; over the detection's own area if the object is a crowd.
fn overlap(found: &CocoResult, object: &Annotation) -> f64 {
    let (d, o) = (found.bbox, object.bbox);
    let side = |i: usize| (d[i] + d[i + 2]).min(o[i] + o[i + 2]) - d[i].max(o[i]);
    let (width, height) = (side(0), side(1));
    if width <= 0.0 || height <= 0.0 {
        return 0.0;
    }
    let both = width * height;
    let whole = if object.iscrowd != 0 { area(d) } else { area(d) + area(o) - both };
    both / whole
}

fn area([_, _, width, height]: [f64; 4]) -> f64 {
    width * height
}

/// What became of a detection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Hit,
    False,
    Ignored,
}

/// One detection in the pool of a class.
struct Judged {
    score: f64,
    /// At each threshold.
    outcomes: [Outcome; IOUS],
}

/// One class's results under one setting.
struct Curves {
    /// Mean precision over the points of recall, at each threshold.
    precision: [f64; IOUS],
    /// Recall of all detections, at each threshold.
    recall: [f64; IOUS],
}

/// `None` if there is no object that counts.
fn curves(pictures: &[Picture], setting: Setting) -> Option<Curves> {
    let outside = |area: f64| area < setting.area.0 || area > setting.area.1;
    let ignored = |object: &Annotation| object.iscrowd != 0 || outside(object.area);
    let objects = pictures.iter().flat_map(|p| &p.objects).filter(|object| !ignored(object)).count();
    if objects == 0 {
        return None;
    }
    let mut pool: Vec<Judged> = Vec::new();
    for picture in pictures {
        // Objects that count come first.
        let mut order: Vec<usize> = (0..picture.objects.len()).collect();
        order.sort_by_key(|&o| ignored(picture.objects[o]));
        let taken: [_; IOUS] = std::array::from_fn(|t| judge(picture, &order, iou_threshold(t), ignored, outside));
        pool.extend(
            picture
                .found
                .iter()
                .take(setting.max_detections)
                .enumerate()
                .map(|(d, found)| Judged { score: found.score, outcomes: std::array::from_fn(|t| taken[t][d]) }),
        );
    }
    pool.sort_by(|a, b| b.score.total_cmp(&a.score));
    let lines: [_; IOUS] = std::array::from_fn(|t| line(pool.iter().map(|judged| judged.outcomes[t]), objects));
    Some(Curves { precision: lines.map(|line| line.0), recall: lines.map(|line| line.1) })
}

fn iou_threshold(t: usize) -> f64 {
    match t {
        9 => 0.95,
        t => 0.5 + t as f64 * ((0.95 - 0.5) / 9.0),
    }
}

/// The outcome of each detection of a picture at one threshold. `order` lists the objects, those that count first.
fn judge(
    picture: &Picture,
    order: &[usize],
    threshold: f64,
    ignored: impl Fn(&Annotation) -> bool,
    outside: impl Fn(f64) -> bool,
) -> Vec<Outcome> {
    let mut taken = vec![false; picture.objects.len()];
    let mut outcomes = Vec::with_capacity(picture.found.len());
    for (found, overlaps) in picture.found.iter().zip(&picture.overlaps) {
        let mut best: Option<usize> = None;
        let mut best_overlap = threshold.min(1.0 - 1e-10);
        for &o in order {
            let object = picture.objects[o];
            if taken[o] && object.iscrowd == 0 {
                continue;
            }
            if best.is_some_and(|best| !ignored(picture.objects[best])) && ignored(object) {
                break; // an object that counts is never given up for one that does not
            }
            if overlaps[o] >= best_overlap {
                best_overlap = overlaps[o];
                best = Some(o);
            }
        }
        outcomes.push(match best {
            Some(o) if ignored(picture.objects[o]) => Outcome::Ignored,
            Some(_) => Outcome::Hit,
            None if outside(area(found.bbox)) => Outcome::Ignored,
            None => Outcome::False,
        });
        if let Some(o) = best {
            taken[o] = true;
        }
    }
    outcomes
}

/// Mean interpolated precision and final recall of outcomes by falling score.
fn line(outcomes: impl Iterator<Item = Outcome>, objects: usize) -> (f64, f64) {
    let (mut hits, mut misses) = (0.0, 0.0);
    let mut recall = Vec::new();
    let mut precision: Vec<f64> = Vec::new();
    for outcome in outcomes {
        match outcome {
            Outcome::Hit => hits += 1.0,
            Outcome::False => misses += 1.0,
            Outcome::Ignored => {}
        }
        recall.push(hits / objects as f64);
        precision.push(hits / (hits + misses + f64::EPSILON));
    }
    for i in (1..precision.len()).rev() {
        precision[i - 1] = precision[i - 1].max(precision[i]);
    }
    let at = |point: usize| {
        let wanted = if point == RECALLS - 1 { 1.0 } else { point as f64 * 0.01 };
        precision.get(recall.partition_point(|&recall| recall < wanted)).copied().unwrap_or(0.0)
    };
    ((0..RECALLS).map(at).sum::<f64>() / RECALLS as f64, recall.last().copied().unwrap_or(0.0))
}

fn summarise(classes: &[[Option<Curves>; SETTINGS.len()]]) -> Summary {
    let curves = |setting: usize| classes.iter().filter_map(move |class| class[setting].as_ref());
    let ap = |setting: usize| mean(curves(setting).flat_map(|c| c.precision));
    let ap_at = |threshold: usize| mean(curves(0).map(|c| c.precision[threshold]));
    let ar = |setting: usize| mean(curves(setting).flat_map(|c| c.recall));
    Summary {
        ap: ap(0),
        ap50: ap_at(0),
        ap75: ap_at(5),
        ap_small: ap(3),
        ap_medium: ap(4),
        ap_large: ap(5),
        ar1: ar(1),
        ar10: ar(2),
        ar100: ar(0),
        ar_small: ar(3),
        ar_medium: ar(4),
        ar_large: ar(5),
    }
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (count, sum) = values.fold((0, 0.0), |(count, sum), value| (count + 1, sum + value));
    (count > 0).then(|| sum / f64::from(count))
}
