//! What was found: as a table, as JSON, or drawn.

use super::DetectArgs;
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

/// A picture that was looked at.
pub(super) struct PictureDetections {
    pub path: PathBuf,
    pub picture: RgbImage,
    pub detections: Vec<Detection>,
}

/// How findings are told.
#[derive(Debug)]
pub(super) enum Format {
    Table,
    /// A line of JSON for each picture.
    Json,
    /// Drawn into a copy of the picture, in this folder.
    Drawn(PathBuf),
}

/// A picture's line of JSON.
#[derive(Serialize)]
struct LineDto<'a> {
    file: &'a Path,
    frame: Size,
    provider: &'a str,
    model: &'a str,
    detections: Vec<DetectionDto<'a>>,
}

impl Format {
    /// The format that `args` ask for. For drawn pictures the folder is made, and it is made sure that no picture
    /// would overwrite itself or another.
    pub fn of(args: &DetectArgs) -> anyhow::Result<Self> {
        match &args.out {
            None if args.json => Ok(Self::Json),
            None => Ok(Self::Table),
            Some(folder) => {
                fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
                check_targets(&args.images, folder)?;
                Ok(Self::Drawn(folder.clone()))
            }
        }
    }

    /// Tells of one picture.
    pub fn write(&self, seen: PictureDetections, engine: &EngineInfo, out: &mut dyn Write) -> anyhow::Result<()> {
        match self {
            Self::Table => table(&seen, out)?,
            Self::Json => {
                let line = LineDto {
                    file: &seen.path,
                    frame: size(&seen.picture),
                    provider: engine.active_provider(),
                    model: &engine.model,
                    detections: seen.detections.iter().map(DetectionDto::from).collect(),
                };
                writeln!(out, "{}", serde_json::to_string(&line)?)?;
            }
            Self::Drawn(folder) => {
                let target = target(folder, &seen.path);
                let mut picture = seen.picture;
                draw::detections(&mut picture, &seen.detections);
                save(&picture, &target).with_context(|| format!("cannot write {}", target.display()))?;
                writeln!(out, "{} ({} found)", target.display(), seen.detections.len())?;
            }
        }
        Ok(())
    }
}

fn size(picture: &RgbImage) -> Size {
    Size::new(picture.width(), picture.height())
}

/// Boxes in pixels: left, top, width, height.
fn table(seen: &PictureDetections, out: &mut dyn Write) -> std::io::Result<()> {
    let size = size(&seen.picture);
    writeln!(out, "{} ({size})", seen.path.display())?;
    if seen.detections.is_empty() {
        writeln!(out, "  nothing found")?;
    }
    for Detection { label, score, bbox, .. } in &seen.detections {
        let (across, down) = (size.width as f32, size.height as f32);
        writeln!(
            out,
            "  {label:<16} {score:.2}  x {:>5.0}  y {:>5.0}  w {:>5.0}  h {:>5.0}",
            bbox.x_min * across,
            bbox.y_min * down,
            bbox.width() * across,
            bbox.height() * down
        )?;
    }
    Ok(())
}

/// Where the drawn copy of `picture` goes: under its own name, with `.jpg` added if that is no picture's name.
fn target(folder: &Path, picture: &Path) -> PathBuf {
    let mut name = picture.file_name().unwrap_or_default().to_owned();
    if !matches!(ImageFormat::from_path(picture), Ok(ImageFormat::Jpeg | ImageFormat::Png)) {
        name.push(".jpg");
    }
    folder.join(name)
}

fn check_targets(pictures: &[PathBuf], folder: &Path) -> anyhow::Result<()> {
    let mut taken: HashMap<PathBuf, &Path> = HashMap::new();
    for picture in pictures {
        let target = target(folder, picture);
        if let (Ok(source), Ok(target)) = (picture.canonicalize(), target.canonicalize())
            && source == target
        {
            bail!("--out {} would overwrite {}: give another folder", folder.display(), picture.display());
        }
        if let Some(other) = taken.insert(target, picture) {
            bail!(
                "--out: {} and {} would both become the same file in {}: give them in two runs with two folders",
                other.display(),
                picture.display(),
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
