//! Takes a dataset's pictures through a model, on several engines side by side.

use super::dataset::{Dataset, Found, Image};
use crate::{
    decode::{Fraction, Thresholds},
    detection::Detection,
    geometry::Size,
    infer::{self, InferError, Runtime},
    model::{
        Model,
        still::{StillDetector, StillError},
    },
    photo::{self, Orientation, PhotoError},
};
use image::RgbImage;
use indicatif::{ProgressBar, ProgressStyle};
use std::{
    fs, io,
    path::PathBuf,
    sync::{
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
};

/// Scores above this count: precision is read along the whole curve.
const LEAST_SCORE: Fraction = Fraction::new(1e-8).unwrap();
/// The suppression of the reference figures.
const MAX_IOU: Fraction = Fraction::new(0.6).unwrap();
/// COCO counts no more.
const MAX_DETECTIONS: usize = 100;

/// Why the pictures could not be looked at.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    /// A picture can not be read.
    #[error("the dataset's picture {path:?} can not be read: {error}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A picture can not be decoded.
    #[error("the dataset's picture {path:?}: {error}")]
    Photo {
        /// The file.
        path: PathBuf,
        /// Why.
        error: PhotoError,
    },
    /// A picture has another size than the labels were made on.
    #[error("the dataset's picture {path:?} has {found} pixels, instances.json says {said}")]
    Size {
        /// The file.
        path: PathBuf,
        /// Size of the file's picture.
        found: Size,
        /// Size in the description.
        said: Size,
    },
    /// The network could not be run.
    #[error(transparent)]
    Still(#[from] StillError),
}

impl From<InferError> for LookError {
    fn from(error: InferError) -> Self {
        Self::Still(error.into())
    }
}

/// What the engines need to know.
pub(super) struct Looker<'a> {
    pub runtime: Runtime,
    pub config: infer::Config,
    pub model: &'a Model,
    pub dataset: &'a Dataset,
    /// Where the pictures are.
    pub folder: PathBuf,
}

impl Looker<'_> {
    /// All detections, picture by picture, and the provider they were made on. Shows a progress bar if the standard
    /// error is a terminal.
    pub fn look_at_all(&self, jobs: usize) -> Result<(Vec<Found>, String), LookError> {
        let first = self.open()?;
        let provider = first.info().active_provider().to_owned();
        let mut detectors = vec![first];
        for _ in 1..jobs {
            detectors.push(self.open()?);
        }
        let next = AtomicUsize::new(0);
        let (done, results) = mpsc::channel();
        let found = thread::scope(|scope| {
            for detector in detectors {
                let (next, done) = (&next, done.clone());
                scope.spawn(move || self.work(detector, next, &done));
            }
            drop(done);
            self.collect(results) // an error drops the receiver, which ends the workers
        })?;
        Ok((found, provider))
    }

    fn open(&self) -> Result<StillDetector, StillError> {
        StillDetector::open(&self.runtime, &self.config, self.model)
    }

    /// One engine's work: picture after picture while there are any.
    fn work(
        &self,
        mut detector: StillDetector,
        next: &AtomicUsize,
        done: &mpsc::Sender<Result<Vec<Found>, LookError>>,
    ) {
        let classes = self.classes();
        let thresholds = Thresholds::uniform(LEAST_SCORE, classes.len(), MAX_IOU, MAX_DETECTIONS);
        let mut found = Vec::new();
        while let Some(image) = self.dataset.images.get(next.fetch_add(1, Ordering::Relaxed)) {
            let result = self.picture(image).and_then(|picture| {
                detector.detect(&picture, &thresholds, &mut found)?;
                Ok(in_coco_form(image, &found, &classes))
            });
            if done.send(result).is_err() {
                return;
            }
        }
    }

    fn collect(&self, results: mpsc::Receiver<Result<Vec<Found>, LookError>>) -> Result<Vec<Found>, LookError> {
        let bar = ProgressBar::new(self.dataset.images.len() as u64).with_style(
            ProgressStyle::with_template("{bar:40} {pos}/{len} pictures, {per_sec}, {eta} left")
                .unwrap_or_else(|_| ProgressStyle::default_bar()),
        );
        let mut all = Vec::new();
        for result in results {
            all.extend(result?);
            bar.inc(1);
        }
        bar.finish_and_clear();
        all.sort_by_key(|found| found.image_id); // engines overtake each other
        Ok(all)
    }

    /// The dataset's category of each of the model's classes: the one of the same name.
    fn classes(&self) -> Vec<Option<u32>> {
        let category = |label: &String| self.dataset.categories.iter().find(|category| category.name == *label);
        self.model.manifest.labels.iter().map(|label| category(label).map(|category| category.id)).collect()
    }

    fn picture(&self, image: &Image) -> Result<RgbImage, LookError> {
        let path = || self.folder.join(&image.file_name);
        let bytes = fs::read(path()).map_err(|error| LookError::Unreadable { path: path(), error })?;
        let picture =
            photo::decode(&bytes, Orientation::AsStored).map_err(|error| LookError::Photo { path: path(), error })?;
        let found = Size::new(picture.width(), picture.height());
        let said = Size::new(image.width, image.height);
        if found == said { Ok(picture) } else { Err(LookError::Size { path: path(), found, said }) }
    }
}

/// Boxes in pixels, classes by the dataset's numbers; classes that the dataset does not have are left out.
fn in_coco_form(image: &Image, found: &[Detection], classes: &[Option<u32>]) -> Vec<Found> {
    let (width, height) = (f64::from(image.width), f64::from(image.height));
    let known = |found: &Detection| {
        let bbox = &found.bbox;
        Some(Found {
            image_id: image.id,
            category_id: classes[found.class_id as usize]?,
            bbox: [
                f64::from(bbox.x_min) * width,
                f64::from(bbox.y_min) * height,
                (f64::from(bbox.x_max) - f64::from(bbox.x_min)) * width,
                (f64::from(bbox.y_max) - f64::from(bbox.y_min)) * height,
            ],
            score: found.score.into(),
        })
    };
    found.iter().filter_map(known).collect()
}
