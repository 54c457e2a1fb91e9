//! `sightd detect`: what the model sees on single pictures.

mod output;

use anyhow::{Context, bail};
use clap::Args;
use detector::{
    Detector,
    decode::{self, Fraction, Thresholds},
    infer::{self, Runtime},
    manifest::Model,
    photo::{self, Orientation},
};
use output::{Format, PictureDetections};
use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

/// `sightd detect`
#[derive(Clone, Debug, Args)]
pub struct DetectArgs {
    /// JPEG or PNG pictures
    #[arg(required = true, value_name = "IMAGE")]
    pub images: Vec<PathBuf>,
    /// Print JSON: a line for each picture
    #[arg(long, conflicts_with = "out")]
    pub json: bool,
    /// Write the pictures with what was found drawn into them to this folder
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Name of a model, or path of an ONNX file
    #[arg(long, alias = "network", value_name = "NAME")]
    pub model: Option<String>,
    /// The score a detection must exceed, 0 to 1
    #[arg(long, value_name = "SCORE")]
    pub score: Option<Fraction>,
}

/// Looks at each picture and writes to `out` what was found. `model` is the one that `args` and configuration lead
/// to; `detection` says what counts, where `args` do not.
///
/// Pictures that cannot be read do not keep the others from being looked at.
///
/// # Errors
/// When the model cannot be opened, a class name is unknown, or any picture cannot be read or written.
pub fn run(
    args: &DetectArgs,
    model: &Model,
    runtime: &infer::Config,
    detection: &decode::Config,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let format = Format::of(args)?;
    let detection = decode::Config { score: args.score.unwrap_or(detection.score), ..detection.clone() };
    let thresholds = Thresholds::resolve(&detection, &model.manifest.labels)
        .map_err(|unknown| anyhow::anyhow!(unknown.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")))?;
    let mut detector = Detector::open(&Runtime::load(runtime)?, runtime, model)?;
    let mut faults = Vec::new();
    for path in &args.images {
        match detect_in(&mut detector, path, &thresholds) {
            Ok(seen) => format.write(seen, detector.info(), out)?,
            Err(fault) => faults.push(format!("{fault:#}")),
        }
    }
    match faults.len() {
        0 => Ok(()),
        _ => bail!(faults.join("\n")),
    }
}

fn detect_in(detector: &mut Detector, path: &Path, thresholds: &Thresholds) -> anyhow::Result<PictureDetections> {
    let name = || format!("picture {}", path.display());
    let bytes = fs::read(path).with_context(name)?;
    let picture = photo::decode(&bytes, Orientation::Upright).with_context(name)?;
    let mut detections = Vec::new();
    detector.detect_still(&picture, thresholds, &mut detections).with_context(name)?;
    Ok(PictureDetections { path: path.to_owned(), picture, detections })
}
