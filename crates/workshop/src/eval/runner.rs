//! Takes a dataset's pictures through a model, on several engines side by side.

use super::{
    dataset::{CocoResult, Dataset, Image},
    scaler::{LiveScaler, MakeScaler, Picture, Resize},
};
use detector::{
    Detector, DetectorError,
    decode::{Fraction, Thresholds},
    detection::Detection,
    geometry::Size,
    infer::{self, InferError, Runtime},
    manifest::Model,
    photo::{self, Orientation, PhotoError},
};
use indicatif::{ProgressBar, ProgressStyle};
use std::{
    io,
    path::PathBuf,
    sync::{
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
};

/// Scores above this count: precision is read along the whole curve.
const MIN_SCORE: Fraction = Fraction::new(1e-8).unwrap();
/// The suppression of the reference figures.
const MAX_IOU: Fraction = Fraction::new(0.6).unwrap();
/// COCO counts no more.
const MAX_DETECTIONS: usize = 100;

/// Why the pictures could not be evaluated.
#[derive(Debug, thiserror::Error)]
pub(super) enum RunnerError {
    /// A picture cannot be read.
    #[error("a picture of the dataset: {0}")]
    Unreadable(#[from] io::Error),
    /// A picture cannot be decoded.
    #[error("the dataset's picture {path:?}: {error}")]
    Photo {
        /// The file.
        path: PathBuf,
        /// Why.
        error: PhotoError,
    },
    /// A picture has another size than the labels were made on.
    #[error("the dataset's picture {path:?} has {found} pixels, but instances.json says {said}")]
    Size {
        /// The file.
        path: PathBuf,
        /// Size of the file's picture.
        found: Size,
        /// Size in the description.
        said: Size,
    },
    /// The scaler of the live path cannot be created, or rejects a picture.
    #[error("{path:?}: {error}")]
    Scale {
        /// The folder or picture.
        path: PathBuf,
        /// Why.
        error: anyhow::Error,
    },
    /// The network could not be run.
    #[error(transparent)]
    Detector(#[from] DetectorError),
}

impl From<InferError> for RunnerError {
    fn from(error: InferError) -> Self {
        Self::Detector(error.into())
    }
}

/// What the engines need to know.
pub(super) struct DatasetRunner<'a> {
    pub runtime: Runtime,
    pub config: infer::Config,
    pub model: &'a Model,
    pub dataset: &'a Dataset,
    /// Where the pictures are.
    pub folder: PathBuf,
    pub resize: Resize,
    /// Makes the live path's scaler.
    pub live: &'a MakeScaler<'a>,
}

/// The detections of all pictures.
pub(super) struct DatasetDetections {
    /// All detections, picture by picture.
    pub found: Vec<CocoResult>,
    /// The execution provider they were made on.
    pub provider: String,
}

/// One engine with what brings pictures to its size.
struct Worker {
    detector: Detector,
    /// The live path's scaler, if that is asked for.
    scaler: Option<Box<dyn LiveScaler>>,
}

impl DatasetRunner<'_> {
    /// Takes all pictures through `jobs` engines. Shows a progress bar if the standard error is a terminal.
    pub(super) fn run(&self, jobs: usize) -> Result<DatasetDetections, RunnerError> {
        let mut workers = vec![self.worker()?];
        let provider = workers[0].detector.provider().to_string();
        for _ in 1..jobs {
            workers.push(self.worker()?);
        }
        let next = AtomicUsize::new(0);
        let (done, results) = mpsc::channel();
        let found = thread::scope(|scope| {
            for worker in workers {
                let (next, done) = (&next, done.clone());
                scope.spawn(move || self.work(worker, next, &done));
            }
            drop(done);
            self.collect(results) // an error drops the receiver, which ends the workers
        })?;
        Ok(DatasetDetections { found, provider })
    }

    fn worker(&self) -> Result<Worker, RunnerError> {
        let scaler = match self.resize {
            Resize::Tf1 => None,
            Resize::Live => Some(
                (self.live)(self.model.manifest.input.size())
                    .map_err(|error| RunnerError::Scale { path: self.folder.clone(), error })?,
            ),
        };
        Ok(Worker { detector: Detector::open(&self.runtime, &self.config, self.model)?, scaler })
    }

    /// One engine's work: picture after picture while there are any.
    fn work(&self, mut worker: Worker, next: &AtomicUsize, done: &mpsc::Sender<Result<Vec<CocoResult>, RunnerError>>) {
        let classes = self.classes();
        let thresholds = Thresholds::uniform(MIN_SCORE, classes.len(), MAX_IOU, MAX_DETECTIONS);
        let mut found = Vec::new();
        while let Some(image) = self.dataset.images.get(next.fetch_add(1, Ordering::Relaxed)) {
            let looked = self.detect_in(image, &mut worker, &thresholds, &mut found);
            if done.send(looked.map(|()| in_coco_form(image, &found, &classes))).is_err() {
                return;
            }
        }
    }

    fn detect_in(
        &self,
        image: &Image,
        worker: &mut Worker,
        thresholds: &Thresholds,
        found: &mut Vec<Detection>,
    ) -> Result<(), RunnerError> {
        let path = self.folder.join(&image.file_name);
        let bytes = fs_err::read(&path)?;
        let broken = |error| RunnerError::Photo { path: path.clone(), error };
        let (size, said) = (photo::size(&bytes).map_err(broken)?, Size::new(image.width, image.height));
        if size != said {
            return Err(RunnerError::Size { path, found: size, said });
        }
        let decode = |bytes: &[u8]| photo::decode(bytes, Orientation::AsStored).map_err(broken);
        match &mut worker.scaler {
            None => worker.detector.detect_still(&decode(&bytes)?, thresholds, found)?,
            Some(scaler) => {
                let picture = match photo::Format::of(&bytes).map_err(broken)? {
                    photo::Format::Jpeg => Picture::Jpeg(bytes.into()),
                    _ => Picture::Rgb { size, data: decode(&bytes)?.into_raw().into() },
                };
                let pixels = scaler.scale(picture).map_err(|error| RunnerError::Scale { path, error })?;
                worker.detector.detect(&pixels, thresholds, found)?
            }
        };
        Ok(())
    }

    fn collect(
        &self,
        results: mpsc::Receiver<Result<Vec<CocoResult>, RunnerError>>,
    ) -> Result<Vec<CocoResult>, RunnerError> {
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
}

/// Boxes in pixels, classes by the dataset's numbers; classes that the dataset does not have are left out.
fn in_coco_form(image: &Image, found: &[Detection], classes: &[Option<u32>]) -> Vec<CocoResult> {
    let (width, height) = (f64::from(image.width), f64::from(image.height));
    let known = |found: &Detection| {
        let bbox = &found.bbox;
        Some(CocoResult {
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
