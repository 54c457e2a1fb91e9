//! Still pictures: from the bytes of a JPEG, PNG, WebP, GIF or BMP file to pixels. Of an animation the first frame is
//! decoded.

mod format;
mod header;
mod jpeg;

pub use format::{Format, MAX_PIXELS_A_SIDE, PhotoError};

use crate::geometry::Size;
use format::MAX_SCANS;
use image::{
    DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits, RgbImage,
    error::{LimitError, LimitErrorKind},
};
use jpeg::Ending;
use std::io::Cursor;

/// Memory that decoding one picture may take, in bytes.
const MAX_BYTES: u64 = 1 << 30;
/// Memory for what a file holds besides pixels, for example a compressed colour profile, in bytes.
const MAX_BYTES_BESIDE: u64 = 16 << 20;
/// Bytes of a pixel as it is decoded, at most: four channels of 16 bits.
const MAX_BYTES_A_PIXEL: u64 = 8;
/// The marker that ends a JPEG picture.
const END_OF_IMAGE: [u8; 2] = [0xff, 0xd9];
/// Entropy-coded bytes put behind the data of a JPEG file without an end marker, to see whether the decoder reads
/// them: it takes zeros in their absence, so their first bit is a one.
const PROBE: [u8; 4096] = [0xaa; 4096];

/// Whether the EXIF orientation counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Orientation {
    /// Turned and mirrored as the camera noted it: the way people see it.
    Upright,
    /// As the pixels lie in the file: the way labelled datasets count.
    AsStored,
}

/// The size in pixels of a picture as its pixels lie in the file, read from its header; nothing is decoded or
/// decompressed.
///
/// # Errors
/// When the bytes do not begin like a picture, when a JPEG file is cut short before its last scan, or when it would
/// take too long to decode.
pub fn size(bytes: &[u8]) -> Result<Size, PhotoError> {
    match Format::of(bytes)? {
        Format::Jpeg => jpeg_header(bytes).map(|(size, _)| size),
        format => header::size(format, bytes)
            .ok_or_else(|| PhotoError::Damaged { format, reason: "it does not begin with its size".into() }),
    }
}

/// The size of a JPEG file, and how it ends.
fn jpeg_header(bytes: &[u8]) -> Result<(Size, Ending), PhotoError> {
    let jpeg::Structure { size, scans, is_misread, ending } = jpeg::structure(bytes);
    let damaged = |reason: &str| PhotoError::Damaged { format: Format::Jpeg, reason: reason.into() };
    let size = size.ok_or_else(|| damaged("it holds no frame header with a size"))?;
    match (scans, ending) {
        _ if scans > MAX_SCANS => Err(PhotoError::TooManyScans(scans)),
        (_, Ending::InSegment) => Err(damaged("it ends within a header")),
        (0, _) => Err(damaged("it holds no picture data")),
        _ if is_misread => Err(PhotoError::SeparateScans),
        (_, Ending::InScan { all_sent: false }) => Err(PhotoError::CutShort),
        _ => Ok((size, ending)),
    }
}

/// Decodes a picture file, whatever its name; transparency is dropped. Of an animation the first frame is decoded. A
/// JPEG file may lack its end marker, but nothing of its picture data.
///
/// # Errors
/// When the bytes are no such picture, are damaged or cut short, or the picture is too large.
pub fn decode(bytes: &[u8], orientation: Orientation) -> Result<RgbImage, PhotoError> {
    let format = Format::of(bytes)?;
    if format != Format::Jpeg {
        return decode_as(bytes, format, size(bytes)?, orientation);
    }
    let (size, ending) = jpeg_header(bytes)?;
    if let Ending::Marked(end) = ending {
        return decode_as(&bytes[..end], format, size, orientation);
    }
    // The decoder fills up what is missing. It has missed nothing if more data behind the file's would change nothing.
    let end = bytes.strip_suffix(&[0xff]).unwrap_or(bytes);
    let picture = decode_as(&[end, &END_OF_IMAGE].concat(), format, size, orientation)?;
    let probed = decode_as(&[end, &PROBE, &END_OF_IMAGE].concat(), format, size, orientation);
    if probed.is_ok_and(|probed| probed == picture) { Ok(picture) } else { Err(PhotoError::CutShort) }
}

fn decode_as(bytes: &[u8], format: Format, size: Size, orientation: Orientation) -> Result<RgbImage, PhotoError> {
    decode_within_limits(bytes, format.into(), size, orientation).map_err(|error| PhotoError::of(format, &error))
}

fn decode_within_limits(
    bytes: &[u8],
    format: ImageFormat,
    size: Size,
    orientation: Orientation,
) -> Result<RgbImage, ImageError> {
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_PIXELS_A_SIDE);
    limits.max_image_height = Some(MAX_PIXELS_A_SIDE);
    let pixels = u64::from(size.width).saturating_mul(size.height.into());
    let bytes_needed = pixels.saturating_mul(MAX_BYTES_A_PIXEL).saturating_add(MAX_BYTES_BESIDE);
    limits.max_alloc = Some(bytes_needed.min(MAX_BYTES));
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(limits);
    let mut decoder = reader.into_decoder()?;
    if decoder.total_bytes() > MAX_BYTES {
        return Err(ImageError::Limits(LimitError::from_kind(LimitErrorKind::InsufficientMemory)));
    }
    let turn = decoder.orientation()?;
    let mut picture = DynamicImage::from_decoder(decoder)?;
    if orientation == Orientation::Upright {
        picture.apply_orientation(turn);
    }
    Ok(picture.into_rgb8())
}

#[cfg(test)]
mod tests;
