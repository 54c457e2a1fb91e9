//! Detections as a table, as JSON or CSV, and drawn.

use super::{args::DetectArgs, inputs::Input};
use crate::{draw, publish::wire::DetectionDto};
use anyhow::{Context, bail};
use detector::{detection::Detection, geometry::Size, status::EngineInfo};
use image::{
    ImageFormat, RgbImage,
    codecs::{jpeg::JpegEncoder, png::PngEncoder},
};
use serde::Serialize;
use std::{
    collections::HashMap,
    fs::{self, File},
    io::{BufWriter, Write},
    path::{Path, PathBuf},
};

/// Quality of drawn JPEG pictures, of 100.
const QUALITY: u8 = 92;

/// The columns of CSV; boxes in pixels.
const CSV_HEADER: [&str; 9] = ["file", "frame_width", "frame_height", "label", "score", "x", "y", "width", "height"];

/// A picture with its detections.
pub(super) struct PictureDetections {
    pub input: Input,
    pub picture: RgbImage,
    pub detections: Vec<Detection>,
    /// Whether the file may hold further frames.
    pub is_first_frame: bool,
}

/// Where results go.
#[derive(Debug)]
pub(super) struct Output {
    text: Text,
    /// The folder for copies of the pictures with the detections drawn into them.
    folder: Option<PathBuf>,
}

/// How results are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Text {
    /// A line for each detection, below the picture.
    Table,
    /// A line of JSON for each picture.
    Json,
    /// A line of CSV for each detection.
    Csv,
    /// A line for each drawn picture.
    Count,
}

/// A picture's line of JSON.
#[derive(Serialize)]
struct LineDto<'a> {
    /// The name; what is not UTF-8 in it is replaced.
    file: String,
    /// The drawn copy.
    #[serde(skip_serializing_if = "Option::is_none")]
    drawn: Option<String>,
    frame: Size,
    provider: &'a str,
    model: &'a str,
    detections: Vec<DetectionDto<'a>>,
}

impl Output {
    /// The output that `args` ask for. For drawn pictures the folder is made, and it is made sure that no picture would
    /// overwrite itself or another.
    pub fn of(args: &DetectArgs, inputs: &[Input]) -> anyhow::Result<Self> {
        if let Some(folder) = &args.out {
            fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
            check_targets(inputs, folder)?;
        }
        let text = match args.out {
            _ if args.json => Text::Json,
            _ if args.csv => Text::Csv,
            Some(_) => Text::Count,
            None => Text::Table,
        };
        Ok(Self { text, folder: args.out.clone() })
    }

    /// Writes what comes before all pictures.
    pub fn write_header(&self, out: &mut dyn Write) -> anyhow::Result<()> {
        if self.text == Text::Csv {
            csv_line(&CSV_HEADER, out)?;
        }
        Ok(())
    }

    /// Writes the result for one picture.
    pub fn write(&self, result: PictureDetections, engine: &EngineInfo, out: &mut dyn Write) -> anyhow::Result<()> {
        let drawn = self.folder.as_ref().map(|folder| target(folder, &result.input));
        match self.text {
            Text::Table => table(&result, out)?,
            Text::Json => {
                let line = LineDto {
                    file: result.input.to_string(),
                    drawn: drawn.as_ref().map(|target| target.display().to_string()),
                    frame: size(&result.picture),
                    provider: engine.active_provider(),
                    model: &engine.model,
                    detections: result.detections.iter().map(DetectionDto::from).collect(),
                };
                writeln!(out, "{}", serde_json::to_string(&line)?)?;
            }
            Text::Csv => csv(&result, out)?,
            Text::Count => {}
        }
        let count = result.detections.len();
        if let Some(target) = drawn {
            let mut picture = result.picture;
            draw::detections(&mut picture, &result.detections);
            save(&picture, &target).with_context(|| format!("cannot write {}", target.display()))?;
            if self.text == Text::Count {
                writeln!(out, "{}: {count} detection{}", target.display(), if count == 1 { "" } else { "s" })?;
            }
        }
        Ok(())
    }
}

fn size(picture: &RgbImage) -> Size {
    Size::new(picture.width(), picture.height())
}

/// A box in pixels: left, top, width, height.
fn pixels(detection: &Detection, size: Size) -> [f32; 4] {
    let (across, down) = (size.width as f32, size.height as f32);
    let bbox = &detection.bbox;
    [bbox.x_min * across, bbox.y_min * down, bbox.width() * across, bbox.height() * down]
}

fn table(result: &PictureDetections, out: &mut dyn Write) -> std::io::Result<()> {
    let size = size(&result.picture);
    let frame = if result.is_first_frame { ", first frame" } else { "" };
    writeln!(out, "{} ({size}{frame})", result.input)?;
    if result.detections.is_empty() {
        writeln!(out, "  no detections")?;
    }
    for detection in &result.detections {
        let [x, y, w, h] = pixels(detection, size);
        let Detection { label, score, .. } = detection;
        writeln!(out, "  {label:<16} {score:.2}  x {x:>5.0}  y {y:>5.0}  w {w:>5.0}  h {h:>5.0}")?;
    }
    Ok(())
}

fn csv(result: &PictureDetections, out: &mut dyn Write) -> std::io::Result<()> {
    let (file, size) = (result.input.to_string(), size(&result.picture));
    for detection in &result.detections {
        let [x, y, w, h] = pixels(detection, size).map(|value| format!("{value:.1}"));
        let score = format!("{:.4}", detection.score);
        let [across, down] = [size.width, size.height].map(|side| side.to_string());
        csv_line(&[&file, &across, &down, &detection.label, &score, &x, &y, &w, &h], out)?;
    }
    Ok(())
}

/// A record of RFC 4180; lines end with a line feed alone.
fn csv_line(fields: &[&str], out: &mut dyn Write) -> std::io::Result<()> {
    let quoted = fields.iter().map(|field| {
        if field.contains([',', '"', '\n', '\r']) {
            format!("\"{}\"", field.replace('"', "\"\""))
        } else {
            (*field).to_owned()
        }
    });
    writeln!(out, "{}", quoted.collect::<Vec<_>>().join(","))
}

/// Where the drawn copy of a picture goes: under its own name, with `.jpg` added if its format is not written.
fn target(folder: &Path, input: &Input) -> PathBuf {
    let mut name = input.name().as_os_str().to_owned();
    if !matches!(ImageFormat::from_path(input.name()), Ok(ImageFormat::Jpeg | ImageFormat::Png)) {
        name.push(".jpg");
    }
    folder.join(name)
}

fn check_targets(inputs: &[Input], folder: &Path) -> anyhow::Result<()> {
    let mut taken: HashMap<PathBuf, &Input> = HashMap::new();
    for input in inputs {
        let target = target(folder, input);
        if let Input::File(path) = input
            && let (Ok(source), Ok(target)) = (path.canonicalize(), target.canonicalize())
            && source == target
        {
            bail!("--out {} would overwrite {input}: give another folder", folder.display());
        }
        if let Some(other) = taken.insert(target, input) {
            bail!(
                "--out: {other} and {input} would both become the same file in {}: give them in two runs with two folders",
                folder.display()
            );
        }
    }
    Ok(())
}

fn save(picture: &RgbImage, target: &Path) -> anyhow::Result<()> {
    let mut file = BufWriter::new(File::create(target)?);
    match ImageFormat::from_path(target)? {
        ImageFormat::Png => picture.write_with_encoder(PngEncoder::new(&mut file))?,
        _ => picture.write_with_encoder(JpegEncoder::new_with_quality(&mut file, QUALITY))?,
    }
    Ok(file.flush()?)
}
