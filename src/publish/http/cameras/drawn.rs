//! Picture files with detections drawn into them.

use crate::draw;
use crate::publish::http::server::error::ApiError;
use axum::body::Bytes;
use detector::{
    detection::Detection,
    photo::{self, Format, Orientation},
};
use image::{ImageEncoder, ImageResult, RgbImage, codecs::jpeg::JpegEncoder, codecs::png::PngEncoder};
use std::error::Error;
use tokio::{sync::Semaphore, task::spawn_blocking};

/// Of the JPEG files, 1..100.
const QUALITY: u8 = 90;

/// Who asks for a drawing waits for the one before it: decoded pictures take memory, and drawing the time of a core.
static ONE_AT_A_TIME: Semaphore = Semaphore::const_new(1);

/// The JPEG or PNG file `picture` as a file of `format`, with `detections` drawn into it. Their boxes are those of the
/// picture turned to `orientation`.
pub(crate) async fn file(
    picture: Bytes,
    orientation: Orientation,
    detections: Vec<Detection>,
    format: Format,
) -> Result<Bytes, ApiError> {
    let _turn = ONE_AT_A_TIME.acquire().await.map_err(|_| ApiError::Internal)?;
    let drawing = move || -> Result<Bytes, Box<dyn Error + Send + Sync>> {
        let mut pixels = photo::decode(&picture, orientation)?;
        draw::detections(&mut pixels, &detections);
        Ok(encode(&pixels, format)?)
    };
    let drawn = spawn_blocking(drawing).await.map_err(|_| ApiError::Internal)?;
    drawn.map_err(|error| {
        tracing::error!("a picture with boxes: {error}");
        ApiError::Internal
    })
}

fn encode(pixels: &RgbImage, format: Format) -> ImageResult<Bytes> {
    let mut file = Vec::new();
    let (bytes, (width, height), colour) = (pixels.as_raw(), pixels.dimensions(), image::ExtendedColorType::Rgb8);
    match format {
        Format::Jpeg => {
            JpegEncoder::new_with_quality(&mut file, QUALITY).write_image(bytes, width, height, colour)?;
        }
        _ => PngEncoder::new(&mut file).write_image(bytes, width, height, colour)?,
    }
    Ok(file.into())
}
