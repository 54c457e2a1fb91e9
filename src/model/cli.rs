//! `sightd model ...`: the workshop on the command line.

use super::{
    eval::{self, EvalArgs},
    import::{self, ImportOptions},
};
use anyhow::Context;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Commands about models.
#[derive(Debug, Subcommand)]
pub enum ModelCommand {
    /// Turn a detector of another format into an ONNX file that sightd runs
    Import(ImportArgs),
    /// Measure how well a model finds what is labelled in a dataset
    Eval(EvalArgs),
}

/// `sightd model import`
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// The detector: a TensorFlow.js graph model (model.json)
    pub file: PathBuf,
    /// The ONNX file to write; its manifest is written beside it
    #[arg(short, long, value_name = "OUT.onnx")]
    pub output: PathBuf,
    /// A file with the names of the classes, one a line
    #[arg(long, value_name = "FILE")]
    pub labels: Option<PathBuf>,
    /// Side of the square input in pixels, where the file does not say it
    #[arg(long, value_name = "PIXELS")]
    pub size: Option<u32>,
    /// The licence of the weights, for the manifest
    #[arg(long)]
    pub licence: Option<String>,
    /// Where the weights come from, for the manifest
    #[arg(long)]
    pub source: Option<String>,
}

impl ModelCommand {
    /// Does what the command says, and reports on the standard output.
    ///
    /// # Errors
    /// What went wrong, with the file and the way out.
    pub fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Import(args) => run_import(args),
            Self::Eval(args) => eval::run(&args),
        }
    }
}

/// Imports a model and prints what was found, cut, folded and kept.
///
/// # Errors
/// Those of [`import::import`] and [`import::write`].
pub fn run_import(args: ImportArgs) -> anyhow::Result<()> {
    let stem = args.output.file_stem().context("--output names no file")?;
    let options = ImportOptions {
        name: Some(stem.to_string_lossy().into_owned()),
        labels: args.labels,
        size: args.size,
        licence: args.licence,
        source: args.source,
    };
    let imported = import::import(&args.file, &options)?;
    let written = import::write(&imported, &args.output)?;
    println!("{}", imported.report);
    println!("wrote   {} and {}", written.onnx.display(), written.toml.display());
    Ok(())
}
