//! What the command line of `sightd detect` takes.

use clap::Args;
use detector::decode::Fraction;
use std::path::PathBuf;

/// `sightd detect`
#[derive(Clone, Debug, Args)]
pub struct DetectArgs {
    /// Pictures (JPEG, PNG, WebP, BMP; of a GIF the first frame), folders of them, patterns such as '*.jpg', or - for
    /// standard input
    #[arg(required = true, value_name = "IMAGE")]
    pub images: Vec<PathBuf>,
    /// Print JSON: a line for each picture
    #[arg(long, conflicts_with = "csv")]
    pub json: bool,
    /// Print CSV: a line for each detection, boxes in pixels
    #[arg(long)]
    pub csv: bool,
    /// Write the pictures to this folder, with the detections drawn into them
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Name of a model, or path of an ONNX file
    #[arg(long, alias = "network", value_name = "NAME")]
    pub model: Option<String>,
    /// The score a detection must exceed, 0 to 1
    #[arg(long, value_name = "SCORE")]
    pub score: Option<Fraction>,
}
