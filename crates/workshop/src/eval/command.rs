//! The command `sightd model eval`.

use super::dataset::{CocoResult, Dataset};
use super::report::Report;
use super::runner::{DatasetDetections, DatasetRunner};
use super::scaler::{MakeScaler, Resize};
use super::score;
use crate::find::find;
use anyhow::{Context, ensure};
use clap::Args;
use detector::infer::{self, Build, Runtime};
use detector::manifest::Model;
use fs_err::File;
use std::{
    io::{BufWriter, Write},
    num::NonZeroU16,
    path::{Path, PathBuf},
    thread,
    time::Instant,
};

/// `sightd model eval`
#[derive(Clone, Debug, Args)]
pub struct EvalArgs {
    /// Folder with instances.json (COCO form) and images/
    #[arg(long, value_name = "DIR")]
    pub dataset: PathBuf,
    /// Name of a model, or path of an ONNX file
    #[arg(long, alias = "network", value_name = "NAME", default_value = "ssdlite-mobilenet-v2")]
    pub model: String,
    /// How pictures are scaled to the model's input size
    #[arg(long, value_enum, default_value_t = Resize::Tf1)]
    pub resize: Resize,
    /// Only the first COUNT pictures, by id
    #[arg(long, value_name = "COUNT")]
    pub limit: Option<usize>,
    /// Engines that run in parallel [default: one per core, one on a GPU]
    #[arg(long, value_name = "COUNT")]
    pub jobs: Option<NonZeroU16>,
    /// Print JSON instead of a table
    #[arg(long)]
    pub json: bool,
    /// Also write the detections, in COCO's results form
    #[arg(long, value_name = "FILE")]
    pub detections: Option<PathBuf>,
}

/// Evaluates and writes the figures to `out`.
///
/// # Errors
/// Those of [`evaluate`].
pub fn run_eval(args: &EvalArgs, live: &MakeScaler<'_>, out: &mut dyn Write) -> anyhow::Result<()> {
    let report = evaluate(args, live)?;
    if args.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?;
    } else {
        write!(out, "{report}")?;
    }
    Ok(())
}

/// Takes the dataset through the model and compares.
///
/// # Errors
/// When the dataset or model cannot be read, they share no class, a picture is missing or broken, or the network
/// fails.
pub fn evaluate(args: &EvalArgs, live: &MakeScaler<'_>) -> anyhow::Result<Report> {
    let mut dataset = Dataset::read(&args.dataset)?;
    dataset.limit(args.limit.unwrap_or(usize::MAX));
    ensure!(!dataset.images.is_empty(), "the dataset {:?} contains no pictures", args.dataset);
    let model = find(&args.model, &[])?;
    let labels = &model.manifest.labels;
    let unknown = dataset.retain_categories(|category| labels.contains(&category.name));
    ensure!(
        !dataset.categories.is_empty(),
        "the model {} has none of the dataset's classes ({}): are the names spelled the same?",
        model.manifest.name,
        unknown.join(", ")
    );
    let started = Instant::now();
    let DatasetDetections { found, provider } = detect_all(args, live, &dataset, &model)?;
    if let Some(path) = &args.detections {
        write(&found, path).context("cannot write the detections")?;
    }
    let scores = score::score(&dataset, &found);
    Ok(Report {
        model: model.manifest.name,
        sha256: model.sha256,
        provider,
        dataset: args.dataset.clone(),
        resize: args.resize.name(),
        pictures: dataset.images.len(),
        objects: scores.classes.iter().map(|class| class.objects).sum(),
        detections: found.len(),
        seconds: started.elapsed().as_secs_f64(),
        unknown_classes: unknown,
        scores,
    })
}

/// Takes the pictures through the model, on as many engines as the machine or the user has use for.
fn detect_all(
    args: &EvalArgs,
    live: &MakeScaler<'_>,
    dataset: &Dataset,
    model: &Model,
) -> anyhow::Result<DatasetDetections> {
    let mut config = infer::Config::default();
    let runtime = Runtime::load(&config)?;
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let jobs = match (args.jobs, runtime.build()) {
        (Some(jobs), _) => jobs.get().into(),
        (None, Build::Gpu) => 1,
        (None, Build::CpuOnly) => cores.min(dataset.images.len()),
    };
    config.threads = Some(i64::try_from((cores / jobs).max(1))?.try_into().map_err(anyhow::Error::msg)?);
    let runner = DatasetRunner {
        runtime,
        config,
        model,
        dataset,
        folder: args.dataset.join("images"),
        resize: args.resize,
        live,
    };
    Ok(runner.run(jobs)?)
}

fn write(found: &[CocoResult], path: &Path) -> anyhow::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    serde_json::to_writer(&mut file, found)?;
    Ok(file.flush()?)
}
