//! `sightd model ...`: the workshop on the command line.

use super::{
    catalog::{self, ListArgs, PullArgs},
    check::{self, CheckError},
    eval::{self, EvalArgs},
    import::{self, ImportOptions, Labels, Written},
    inspect::{self, InspectArgs},
    load,
};
use anyhow::{Context, ensure};
use clap::{Args, Subcommand};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Commands about models.
#[derive(Debug, Subcommand)]
pub enum ModelCommand {
    /// List the networks that are known by name, and which are installed
    List(ListArgs),
    /// Fetch a network by name, or print how to get it
    Pull(PullArgs),
    /// Turn a detector of another format into an ONNX file that sightd runs
    Import(ImportArgs),
    /// Count what a network costs, layer by layer
    Inspect(InspectArgs),
    /// Measure the accuracy of a model on a labelled dataset
    Eval(EvalArgs),
}

/// `sightd model import`
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// The detector: a TensorFlow.js graph model (model.json), a TensorFlow frozen graph (.pb), a TensorFlow Lite model
    /// (.tflite), face-api's weights (...-weights_manifest.json) or ONNX (.onnx: model zoo, pytorch-ssd, DetectNet)
    pub file: PathBuf,
    /// The ONNX file to write; its manifest is written beside it
    #[arg(short, long, value_name = "OUT.onnx")]
    pub output: PathBuf,
    /// A file with the names of the classes, one per line, or a label map (.pbtxt)
    #[arg(long, value_name = "FILE")]
    pub labels: Option<PathBuf>,
    /// Side of the square input in pixels, where the file does not specify it
    #[arg(long, value_name = "PIXELS")]
    pub size: Option<u32>,
    /// The mean that a DetectNet subtracts from every pixel value
    #[arg(long, value_name = "VALUE")]
    pub mean: Option<f32>,
    /// A NumPy file with the input and the outputs of the original, named as in the import, to compare with
    #[arg(long, value_name = "REF.npz")]
    pub verify: Option<PathBuf>,
    /// The licence of the weights, for the manifest
    #[arg(long)]
    pub licence: Option<String>,
    /// Where the weights come from, for the manifest
    #[arg(long)]
    pub source: Option<String>,
}

impl ModelCommand {
    /// Runs the command and prints its result to `out`. `live` creates the daemon's scaler, for `eval --resize live`.
    ///
    /// # Errors
    /// An error that names the file and says what to do.
    pub fn run(self, live: &eval::MakeScaler<'_>, out: &mut dyn Write) -> anyhow::Result<()> {
        match self {
            Self::List(args) => catalog::run_list(args, out),
            Self::Pull(args) => catalog::run_pull(args, out),
            Self::Import(args) => run_import(args, out),
            Self::Inspect(args) => inspect::run_inspect(&args, out),
            Self::Eval(args) => eval::run_eval(&args, live, out),
        }
    }
}

/// The largest difference to the original's outputs that passes: rounding of 32-bit floats, and nothing else.
const TOLERANCE: f32 = 1e-4;

/// Imports a model, prints what was found, cut, folded and kept, and runs the result once. The output is written only
/// when the result runs, or when there is no ONNX Runtime to run it.
///
/// # Errors
/// When the output would overwrite an input, and those of [`import::import`], [`import::write`], [`check::self_check`] and [`check::verify`].
pub fn run_import(args: ImportArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    let stem = args.output.file_stem().context("--output names no file")?;
    refuse_overwriting(&args)?;
    let options = ImportOptions {
        name: Some(stem.to_string_lossy().into_owned()),
        labels: args.labels.clone().map(Labels::File),
        size: args.size,
        mean: args.mean,
        licence: args.licence.clone(),
        source: args.source.clone(),
    };
    let imported = import::import(&args.file, &options)?;
    writeln!(out, "{}", imported.report)?;
    // Checked in a folder of its own: what is at the output stays until the new model has passed.
    let folder = args.output.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs_err::create_dir_all(folder)?;
    let scratch = tempfile::Builder::new().prefix(".import.").tempdir_in(folder)?;
    let candidate = import::write(&imported, &scratch.path().join("model.onnx"))?;
    match check::self_check(&candidate) {
        Ok(checked) => {
            for output in &checked.outputs {
                let (name, shape) = (&output.name, &output.shape);
                writeln!(out, "ran     {name} {shape:?}: {:.4} to {:.4}", output.min, output.max)?;
            }
        }
        // Without ONNX Runtime the import can still be used on another machine.
        Err(CheckError::NoRuntime(error)) if args.verify.is_none() => writeln!(out, "not run: {error}")?,
        Err(error) => return Err(anyhow::Error::from(error).context(format!("cannot import {}", args.file.display()))),
    }
    args.verify.map_or(Ok(()), |reference| verify(&candidate, &reference, out))?;
    let written = import::write(&imported, &args.output)?;
    writeln!(out, "wrote   {} and {}", written.model.path.display(), written.toml.display())?;
    Ok(())
}

/// Refuses an output that would overwrite a file that is read.
fn refuse_overwriting(args: &ImportArgs) -> anyhow::Result<()> {
    for output in [args.output.clone(), load::manifest_path(&args.output)] {
        for input in [Some(args.file.as_path()), args.labels.as_deref(), args.verify.as_deref()].into_iter().flatten() {
            let same = match (fs_err::metadata(input), fs_err::metadata(&output)) {
                (Ok(a), Ok(b)) => (a.dev(), a.ino()) == (b.dev(), b.ino()),
                _ => false,
            };
            ensure!(
                !same,
                "--output {} would overwrite {}: choose another name",
                args.output.display(),
                input.display()
            );
        }
    }
    Ok(())
}

fn verify(written: &Written, reference: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
    let differences = check::verify(written, reference)?;
    for difference in &differences {
        writeln!(out, "verified {} to within {:.1e}", difference.name, difference.largest)?;
    }
    let worst = differences.iter().map(|d| d.largest).max_by(f32::total_cmp).unwrap_or(0.0);
    ensure!(
        worst <= TOLERANCE,
        "the outputs differ from {} by {worst}; at most {TOLERANCE} passes",
        reference.display()
    );
    Ok(())
}
