//! `sightd detect`: detections in single pictures.

mod args;
mod inputs;
mod output;

pub use args::DetectArgs;

use anyhow::{Context, bail};
use detector::{
    Detector,
    decode::{self, Thresholds},
    infer::{self, Runtime},
    manifest::Model,
    photo::{self, Orientation},
};
use indicatif::{ProgressBar, ProgressStyle};
use inputs::Input;
use output::{Output, PictureDetections};
use std::io::Write;

/// Detects in each picture and writes the results to `out`. `model` is the one that `args` and configuration lead to;
/// `detection` says what counts, where `args` do not.
///
/// A picture that cannot be read does not stop the others.
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
    let inputs = inputs::expand(&args.images)?;
    let output = Output::of(args, &inputs)?;
    let detection = decode::Config { score: args.score.unwrap_or(detection.score), ..detection.clone() };
    let thresholds = Thresholds::resolve(&detection, &model.manifest.labels)
        .map_err(|unknown| anyhow::anyhow!(unknown.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")))?;
    let mut detector = Detector::open(&Runtime::load(runtime)?, runtime, model)?;
    let bar = progress(inputs.len());
    output.write_header(out)?;
    let mut faults = Vec::new();
    for input in inputs {
        match detect_in(&mut detector, input, &thresholds) {
            Ok(result) => bar.suspend(|| output.write(result, detector.info(), out))?,
            Err(fault) => faults.push(format!("{fault:#}")),
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    match faults.len() {
        0 => Ok(()),
        _ => bail!(faults.join("\n")),
    }
}

/// A bar on standard error while there is more than one picture; only a terminal shows it.
fn progress(pictures: usize) -> ProgressBar {
    if pictures < 2 {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} pictures, {per_sec}, {eta} left");
    ProgressBar::new(pictures as u64).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn detect_in(detector: &mut Detector, input: Input, thresholds: &Thresholds) -> anyhow::Result<PictureDetections> {
    let name = || format!("picture {input}");
    let bytes = input.read().with_context(name)?;
    let picture = photo::decode(&bytes, Orientation::Upright).with_context(name)?;
    let mut detections = Vec::new();
    detector.detect_still(&picture, thresholds, &mut detections).with_context(name)?;
    let is_first_frame = photo::Format::of(&bytes).is_ok_and(|format| format == photo::Format::Gif);
    Ok(PictureDetections { input, picture, detections, is_first_frame })
}
