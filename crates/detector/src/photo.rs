//! Still pictures: from the bytes of a JPEG, PNG, WebP, GIF or BMP file to pixels. Of an animation the first frame is
//! decoded.

mod header;
mod jpeg;

use crate::geometry::Size;
use image::{
    DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits, RgbImage,
    error::{LimitError, LimitErrorKind},
};
use jpeg::Ending;
use std::{fmt, io::Cursor, path::Path};

/// Widest and highest picture that is decoded, in pixels.
pub const MAX_PIXELS_A_SIDE: u32 = 16_384;
/// Memory that decoding one picture may take, in bytes.
const MAX_BYTES: u64 = 1 << 30;
/// Memory for what a file holds besides pixels, for example a compressed colour profile, in bytes.
const MAX_BYTES_BESIDE: u64 = 16 << 20;
/// Scans of a JPEG file that is decoded. Encoders write about ten; each costs the time of a whole picture, whatever its
/// length, so that a small file with many scans would keep the decoder busy for long.
const MAX_SCANS: usize = 32;
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

/// A format of files that is decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// JPEG.
    Jpeg,
    /// PNG.
    Png,
    /// WebP; the first frame of an animation.
    WebP,
    /// GIF; the first frame of an animation.
    Gif,
    /// BMP.
    Bmp,
}

/// Every format with its name.
const FORMATS: [(Format, ImageFormat, &str); 5] = [
    (Format::Jpeg, ImageFormat::Jpeg, "JPEG"),
    (Format::Png, ImageFormat::Png, "PNG"),
    (Format::WebP, ImageFormat::WebP, "WebP"),
    (Format::Gif, ImageFormat::Gif, "GIF"),
    (Format::Bmp, ImageFormat::Bmp, "BMP"),
];

impl Format {
    /// The format by the first bytes of a file.
    ///
    /// # Errors
    /// When it is none of these formats.
    pub fn of(bytes: &[u8]) -> Result<Self, PhotoError> {
        let guess = image::guess_format(bytes).map_err(|_| PhotoError::Unknown)?;
        Self::known(guess).ok_or(PhotoError::Unknown)
    }

    /// The format by the extension of a file's name, for example `.jpeg`; `None` for any other extension.
    pub fn of_name(path: &Path) -> Option<Self> {
        Self::known(ImageFormat::from_path(path).ok()?)
    }

    fn known(format: ImageFormat) -> Option<Self> {
        FORMATS.iter().find(|(_, known, _)| *known == format).map(|(format, ..)| *format)
    }

    fn entry(self) -> &'static (Self, ImageFormat, &'static str) {
        FORMATS.iter().find(|(format, ..)| *format == self).unwrap_or(&FORMATS[0])
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.entry().2)
    }
}

impl From<Format> for ImageFormat {
    fn from(format: Format) -> Self {
        format.entry().1
    }
}

/// Why bytes are not a picture that can be decoded.
#[derive(Debug, thiserror::Error)]
pub enum PhotoError {
    /// The first bytes are those of no known format.
    #[error("it is neither a JPEG nor a PNG, WebP, GIF or BMP picture")]
    Unknown,
    /// It begins like a picture, but cannot be decoded.
    #[error("the {format} picture is damaged or cut short: {reason}")]
    Damaged {
        /// The format by its first bytes.
        format: Format,
        /// What the decoder says.
        reason: String,
    },
    /// It is a JPEG file of which the end is missing.
    #[error("the JPEG ends in the middle of its picture data: the file was cut short")]
    CutShort,
    /// It is a JPEG file with more scans than are decoded.
    #[error("the JPEG picture is encoded in {0} scans: up to {MAX_SCANS} are decoded")]
    TooManyScans(usize),
    /// It is a JPEG file of a rare kind that the decoder gives wrong colours for.
    #[error("the JPEG picture has subsampled colours in scans of their own, which are not decoded: save it as usual")]
    SeparateScans,
    /// It is larger than what is decoded.
    #[error("the picture is too large: up to {MAX_PIXELS_A_SIDE} pixels a side and 1 GiB of memory are served")]
    TooLarge,
}

impl PhotoError {
    fn of(format: Format, error: &ImageError) -> Self {
        match error {
            ImageError::Limits(limits) if !matches!(limits.kind(), LimitErrorKind::Unsupported { .. }) => {
                Self::TooLarge
            }
            error => Self::Damaged { format, reason: error.to_string() },
        }
    }
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
