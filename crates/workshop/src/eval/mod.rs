//! `sightd model eval`: how well a model finds what is labelled, by COCO's rules.
//!
//! ```text
//!  dataset ─▶ look (engines side by side, one picture each) ─CocoResult─▶ score ─▶ report
//! ```

pub mod dataset;
mod report;
mod runner;
pub mod score;

pub use report::Report;
pub use runner::RunnerError;

use super::find;
use anyhow::{Context, ensure};
use bytes::Bytes;
use clap::{Args, ValueEnum};
use dataset::{CocoResult, Dataset};
use detector::infer::{self, Build, Runtime};
use detector::manifest::Model;
use detector::{geometry::Size, pixels::Pixels};
use runner::{DatasetDetections, DatasetRunner};
use std::{
    fs::File,
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
    /// How pictures are brought to the model's size
    #[arg(long, value_enum, default_value_t = Resize::Tf1)]
    pub resize: Resize,
    /// Only the first COUNT pictures, by id
    #[arg(long, value_name = "COUNT")]
    pub limit: Option<usize>,
    /// Engines that work side by side [default: one for each core, one on a GPU]
    #[arg(long, value_name = "COUNT")]
    pub jobs: Option<NonZeroU16>,
    /// Print JSON instead of a table
    #[arg(long)]
    pub json: bool,
    /// Also write the detections, in COCO's results form
    #[arg(long, value_name = "FILE")]
    pub detections: Option<PathBuf>,
}

/// How pictures are brought to the model's size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Resize {
    /// As TensorFlow 1 did in training: bilinear without half-pixel centres
    Tf1,
    /// As the daemon does: by GStreamer's elements
    Live,
}

impl Resize {
    /// Its name on the command line and in the report.
    fn name(self) -> &'static str {
        match self {
            Self::Tf1 => "tf1",
            Self::Live => "live",
        }
    }
}

/// A picture of a dataset, as it is brought to a [`LiveScaler`].
#[derive(Clone, Debug)]
pub enum Picture {
    /// A JPEG file.
    Jpeg(Bytes),
    /// 3 bytes a pixel, rows without padding, from top to bottom.
    Rgb {
        /// Columns and rows.
        size: Size,
        /// The pixels.
        data: Bytes,
    },
}

/// Brings pictures to the model's size as the daemon does while it serves, for [`Resize::Live`].
pub trait LiveScaler: Send {
    /// Scales one picture.
    ///
    /// # Errors
    /// When the picture is broken; the scaler can be used on.
    fn scale(&mut self, picture: Picture) -> anyhow::Result<Pixels>;
}

/// Makes a [`LiveScaler`] to the size given, or says why there is none here.
pub type MakeScaler<'a> = dyn Fn(Size) -> anyhow::Result<Box<dyn LiveScaler>> + Sync + 'a;

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
    ensure!(!dataset.images.is_empty(), "the dataset {:?} has no pictures to look at", args.dataset);
    let model = find(&args.model, &[])?;
    let labels = &model.manifest.labels;
    let unknown = dataset.retain_categories(|category| labels.contains(&category.name));
    ensure!(
        !dataset.categories.is_empty(),
        "the model {} knows none of the dataset's classes ({}): are they named alike?",
        model.manifest.name,
        unknown.join(", ")
    );
    let started = Instant::now();
    let DatasetDetections { found, provider } = detect_all(args, live, &dataset, &model)?;
    if let Some(path) = &args.detections {
        write(&found, path).with_context(|| format!("cannot write the detections to {path:?}"))?;
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
