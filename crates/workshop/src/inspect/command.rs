//! `sightd model inspect`.

use super::arch::{Architecture, Scaling};
use super::graph::layers;
use super::report::Inspection;
use super::{html, published, tensorrt};
use crate::onnx;
use anyhow::{Context, ensure};
use bytes::Bytes;
use clap::Args;
use std::io::Write;
use std::path::{Path, PathBuf};

/// `sightd model inspect`
#[derive(Debug, Args)]
pub struct InspectArgs {
    /// The ONNX file; import a model of another format first
    #[arg(required_unless_present = "arch")]
    pub file: Option<PathBuf>,
    /// A reference architecture instead of a file
    #[arg(long, value_name = "NAME", conflicts_with = "file")]
    pub arch: Option<Architecture>,
    /// Width multiplier of a MobileNet
    #[arg(long, default_value_t = 1.0, conflicts_with = "file")]
    pub alpha: f64,
    /// Side of the architecture's square input in pixels
    #[arg(long, default_value_t = 224, conflicts_with = "file", value_parser = clap::value_parser!(u64).range(32..=4096))]
    pub size: u64,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Write a page with plots
    #[arg(long, value_name = "FILE.html")]
    pub html: Option<PathBuf>,
}

/// Counts a network and writes the outcome to `out` or a page.
///
/// # Errors
/// When the file is no ONNX, or the page cannot be written.
pub(crate) fn run_inspect(args: &InspectArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    let inspection = match (&args.file, args.arch) {
        (Some(file), _) => inspect_file(file)?,
        (None, Some(arch)) => inspect_architecture(arch, Scaling { alpha: args.alpha, size: args.size })?,
        (None, None) => anyhow::bail!("give a FILE or --arch NAME"),
    };
    if let Some(path) = &args.html {
        fs_err::write(path, html::page(&inspection))?;
    }
    if args.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&inspection)?)?;
    } else {
        write!(out, "{inspection}")?;
    }
    Ok(())
}

fn inspect_file(file: &Path) -> anyhow::Result<Inspection> {
    let bytes = fs_err::read(file)?;
    let model = onnx::read(&Bytes::from(bytes)).with_context(|| {
        format!(
            "{} cannot be inspected; a model of another format must be imported first (sightd model import)",
            file.display()
        )
    })?;
    let layers = model.graph.as_ref().map(layers).unwrap_or_default();
    let mut inspection = Inspection::new(file.display().to_string(), layers);
    inspection.tensorrt_obstacles = Some(tensorrt::obstacles(&model));
    Ok(inspection)
}

fn inspect_architecture(arch: Architecture, scaling: Scaling) -> anyhow::Result<Inspection> {
    ensure!(
        scaling.alpha > 0.0 && scaling.alpha <= 4.0,
        "--alpha {} is out of range: it must be above 0 and at most 4",
        scaling.alpha
    );
    let plain = (scaling.alpha - 1.0).abs() < f64::EPSILON;
    ensure!(plain || arch.has_width(), "--alpha {}: only MobileNet (v1) has a width multiplier", scaling.alpha);
    let name = format!("{arch:?}, alpha {}, {} x {}", scaling.alpha, scaling.size, scaling.size);
    let mut inspection = Inspection::new(name, arch.layers(scaling));
    inspection.published = published::published(arch, scaling);
    Ok(inspection)
}
