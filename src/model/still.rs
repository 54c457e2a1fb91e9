//! A model that looks at single pictures: for `detect`, evaluation and everything else that has no camera.

use super::Model;
use crate::{
    decode::{DecodeError, Decoder, Thresholds},
    detection::Detection,
    frame::Pixels,
    infer::{self, Engine, InferError, Runtime},
    manifest::Input,
    preprocess::{self, PreprocessError},
    status::EngineInfo,
};
use image::RgbImage;

/// Why a picture could not be looked at.
#[derive(Debug, thiserror::Error)]
pub enum StillError {
    /// The picture does not fit.
    #[error(transparent)]
    Preprocess(#[from] PreprocessError),
    /// The network could not be opened or run.
    #[error(transparent)]
    Infer(#[from] InferError),
    /// The network's outputs are not what the manifest says.
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

/// An engine with what goes before and after it.
pub struct StillDetector {
    engine: Box<dyn Engine>,
    decoder: Decoder,
    input: Input,
}

impl StillDetector {
    /// Opens `model`; see [`Runtime::open`] for how long that may take.
    ///
    /// # Errors
    /// When the model can not be opened, or its manifest makes no sense.
    pub fn open(runtime: &Runtime, config: &infer::Config, model: &Model) -> Result<Self, StillError> {
        let decoder = Decoder::new(&model.manifest)?;
        let engine = runtime.open(config, &model.path, &model.manifest, &|_| {})?;
        Ok(Self { engine, decoder, input: model.manifest.input.clone() })
    }

    /// What the model runs on.
    pub fn info(&self) -> &EngineInfo {
        self.engine.info()
    }

    /// Puts what is seen on `picture`, which may have any size, into `found`, whose old content goes.
    ///
    /// # Errors
    /// When the picture is empty or the network fails.
    pub fn detect(
        &mut self,
        picture: &RgbImage,
        thresholds: &Thresholds,
        found: &mut Vec<Detection>,
    ) -> Result<(), StillError> {
        preprocess::fill_from_still(picture, &self.input, self.engine.input())?;
        self.run(thresholds, found)
    }

    /// As [`StillDetector::detect`], on pixels that have the model's size already.
    ///
    /// # Errors
    /// When the pixels have another size or the network fails.
    pub fn detect_scaled(
        &mut self,
        pixels: &Pixels,
        thresholds: &Thresholds,
        found: &mut Vec<Detection>,
    ) -> Result<(), StillError> {
        preprocess::fill(pixels, &self.input, self.engine.input())?;
        self.run(thresholds, found)
    }

    fn run(&mut self, thresholds: &Thresholds, found: &mut Vec<Detection>) -> Result<(), StillError> {
        self.engine.run()?;
        Ok(self.decoder.decode(&*self.engine, thresholds, found)?)
    }
}
