//! Pictures from files, fed into a pipeline one after the other.

use super::{
    error::{Fault, SourceError},
    uri::AtEnd,
};
use gstreamer as gst;
use gstreamer_app::{AppSrc, AppSrcCallbacks};
use gstreamer_video::{VideoFormat, VideoInfo};
use image::{DynamicImage, ImageDecoder, ImageReader};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

/// The time from one picture to the next, where nobody chose one.
pub(super) const INTERVAL: Duration = Duration::from_secs(1);

/// Feeds the pictures of a folder, by name.
#[derive(Debug)]
pub(super) struct Feeder {
    files: Vec<PathBuf>,
    end: AtEnd,
    interval: gst::ClockTime,
}

/// All pictures of the folder `path`, by name; or `path` itself, if it is a file.
pub(super) fn files(path: &Path) -> Result<Vec<PathBuf>, SourceError> {
    let unreadable = |error| SourceError::Unreadable { path: path.into(), error };
    if !std::fs::metadata(path).map_err(unreadable)?.is_dir() {
        return Ok(vec![path.into()]);
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).map_err(unreadable)? {
        let file = entry.map_err(unreadable)?.path();
        let extension = file.extension().map(|extension| extension.to_string_lossy().to_lowercase());
        if matches!(extension.as_deref(), Some("jpg" | "jpeg" | "png")) {
            files.push(file);
        }
    }
    files.sort();
    if files.is_empty() {
        return Err(SourceError::Unfit { path: path.into(), problem: "the folder has no .jpg, .jpeg or .png file" });
    }
    Ok(files)
}

impl Feeder {
    /// A feeder for `path`, with a picture every `interval`.
    pub fn new(path: &Path, end: AtEnd, interval: Duration) -> Result<Self, Fault> {
        let interval =
            gst::ClockTime::try_from(interval).map_err(|_| Fault::lasting("the pictures come too seldom"))?;
        Ok(Self { files: files(path)?, end, interval })
    }

    /// Feeds `source` whenever it asks.
    pub fn feed(self, source: &AppSrc) {
        let mut count: u64 = 0;
        let callbacks = AppSrcCallbacks::builder().need_data(move |source, _| {
            let index = count as usize % self.files.len();
            if self.end == AtEnd::Stop && count as usize >= self.files.len() {
                let _ = source.end_of_stream();
                return;
            }
            let file = &self.files[index];
            match sample(file, self.interval * count) {
                Ok(sample) => {
                    count += 1;
                    let _ = source.push_sample(&sample); // refused only while the pipeline goes down
                }
                Err(problem) => {
                    gst::element_error!(source, gst::StreamError::Decode, ("{}: {problem}", file.display()));
                }
            }
        });
        source.set_callbacks(callbacks.build());
    }
}

fn sample(file: &Path, pts: gst::ClockTime) -> Result<gst::Sample, Box<dyn std::error::Error>> {
    let mut decoder = ImageReader::open(file)?.with_guessed_format()?.into_decoder()?;
    let orientation = decoder.orientation()?;
    let mut picture = DynamicImage::from_decoder(decoder)?;
    picture.apply_orientation(orientation);
    let picture = picture.into_rgb8();
    let info = VideoInfo::builder(VideoFormat::Rgb, picture.width(), picture.height()).build()?;
    let mut buffer = gst::Buffer::from_mut_slice(packed(&info, &picture));
    buffer.make_mut().set_pts(pts);
    Ok(gst::Sample::builder().buffer(&buffer).caps(&info.to_caps()?).build())
}

/// The picture's rows, padded to GStreamer's stride.
fn packed(info: &VideoInfo, picture: &image::RgbImage) -> Vec<u8> {
    let row = picture.width() as usize * 3;
    let stride = usize::try_from(info.stride()[0]).unwrap_or(row);
    let mut data = vec![0; info.size()];
    for (to, from) in data.chunks_mut(stride).zip(picture.as_raw().chunks_exact(row)) {
        to[..row].copy_from_slice(from);
    }
    data
}
