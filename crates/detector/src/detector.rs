//! A network with the stages before and behind it: pixels in, detections out.

use crate::{
    decode::{DecodeError, Decoder, Thresholds},
    detection::Detection,
    infer::{self, Engine, InferError, Runtime},
    manifest::{Input, Manifest, Model},
    pixels::Pixels,
    preprocess::{self, PreprocessError},
    status::EngineInfo,
};
use image::RgbImage;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// Why detection in a picture failed.
#[derive(Debug, thiserror::Error)]
pub enum DetectorError {
    /// The picture does not fit the network.
    #[error(transparent)]
    Preprocess(#[from] PreprocessError),
    /// The network could not be opened or run.
    #[error(transparent)]
    Infer(#[from] InferError),
    /// Its outputs do not have the form its manifest says.
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

/// Time spent in each stage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StageTimings {
    /// Filling the input tensor.
    pub preprocess: Duration,
    /// The network.
    pub infer: Duration,
    /// Decoding and non-maximum suppression.
    pub decode: Duration,
}

/// An opened model.
pub struct Detector {
    engine: Box<dyn Engine>,
    decoder: Decoder,
    input: Input,
    provider: Arc<str>,
}

impl Detector {
    /// `engine`, which runs the model that `manifest` describes.
    ///
    /// # Errors
    /// When the manifest's decoder cannot be built.
    pub fn new(engine: Box<dyn Engine>, manifest: &Manifest) -> Result<Self, DecodeError> {
        Ok(Self {
            decoder: Decoder::new(manifest)?,
            input: manifest.input.clone(),
            provider: engine.info().active_provider().into(),
            engine,
        })
    }

    /// Opens `model`; see [`Runtime::open`] for how long that may take.
    ///
    /// # Errors
    /// When the model cannot be opened, or its manifest makes no sense.
    pub fn open(runtime: &Runtime, config: &infer::Config, model: &Model) -> Result<Self, DetectorError> {
        let engine = runtime.open(config, model, &|_| {})?;
        Ok(Self::new(engine, &model.manifest)?)
    }

    /// What it runs on.
    pub fn info(&self) -> &EngineInfo {
        self.engine.info()
    }

    /// The execution provider that most of it runs on.
    pub fn provider(&self) -> &Arc<str> {
        &self.provider
    }

    /// The network's input.
    pub fn input(&self) -> &Input {
        &self.input
    }

    /// Detects in `pixels`, which have the network's size; the old content of `detections` is replaced. The timings are
    /// those of the three stages.
    ///
    /// # Errors
    /// When the pixels have another size, the network fails, or its outputs have not the form the manifest says.
    pub fn detect(
        &mut self,
        pixels: &Pixels,
        thresholds: &Thresholds,
        detections: &mut Vec<Detection>,
    ) -> Result<StageTimings, DetectorError> {
        let began = Instant::now();
        preprocess::fill(pixels, &self.input, self.engine.input())?;
        self.finish(began, thresholds, detections)
    }

    /// As [`Detector::detect`], for a picture of any size, which is scaled as the network was trained.
    ///
    /// # Errors
    /// When the picture is empty, the network fails, or its outputs have not the form the manifest says.
    pub fn detect_still(
        &mut self,
        picture: &RgbImage,
        thresholds: &Thresholds,
        detections: &mut Vec<Detection>,
    ) -> Result<StageTimings, DetectorError> {
        let began = Instant::now();
        preprocess::fill_from_still(picture, &self.input, self.engine.input())?;
        self.finish(began, thresholds, detections)
    }

    /// Runs on what lies in the input since `began`, and decodes.
    fn finish(
        &mut self,
        began: Instant,
        thresholds: &Thresholds,
        detections: &mut Vec<Detection>,
    ) -> Result<StageTimings, DetectorError> {
        let filled = Instant::now();
        self.engine.run()?;
        let ran = Instant::now();
        self.decoder.decode(&*self.engine, thresholds, detections)?;
        let timings = StageTimings { preprocess: filled - began, infer: ran - filled, decode: ran.elapsed() };
        Ok(timings)
    }
}
