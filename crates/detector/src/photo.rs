//! Still pictures: from a JPEG or PNG file's bytes to pixels.

use crate::geometry::Size;
use image::{
    DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits, RgbImage, error::LimitErrorKind,
};
use std::{fmt, io::Cursor};

/// Widest and highest picture that is decoded, in pixels.
pub const MAX_PIXELS_A_SIDE: u32 = 16_384;
/// Memory that decoding one picture may take.
const MAX_BYTES: u64 = 1 << 30;
/// Memory for what else is in a file than pixels, for example a compressed colour profile.
const MAX_BYTES_BESIDE: u64 = 16 << 20;
/// Passes in which a JPEG file may be encoded. Encoders write about ten; each costs the time of a whole picture, whatever
/// its length, so that a small file of many would keep the decoder busy for long.
const MAX_SCANS: usize = 32;
/// The marker before each pass (ITU-T T.81, table B.1: start of scan). Encoded pixels cannot hold it.
const START_OF_SCAN: [u8; 2] = [0xff, 0xda];
/// Bytes of a pixel as it is decoded, at most: four channels of 16 bits.
const MAX_BYTES_A_PIXEL: u64 = 8;

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
}

impl Format {
    /// What the bytes begin like.
    ///
    /// # Errors
    /// When it is neither.
    pub fn of(bytes: &[u8]) -> Result<Self, PhotoError> {
        match image::guess_format(bytes) {
            Ok(ImageFormat::Jpeg) => Ok(Self::Jpeg),
            Ok(ImageFormat::Png) => Ok(Self::Png),
            _ => Err(PhotoError::Unknown),
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Jpeg => "JPEG",
            Self::Png => "PNG",
        })
    }
}

impl From<Format> for ImageFormat {
    fn from(format: Format) -> Self {
        match format {
            Format::Jpeg => Self::Jpeg,
            Format::Png => Self::Png,
        }
    }
}

/// Why bytes are no picture.
#[derive(Debug, thiserror::Error)]
pub enum PhotoError {
    /// It does not begin like one.
    #[error("it is neither a JPEG nor a PNG picture")]
    Unknown,
    /// It begins like one, but cannot be decoded.
    #[error("the {format} picture is damaged or cut short: {reason}")]
    Damaged {
        /// What it begins like.
        format: Format,
        /// What the decoder says.
        reason: String,
    },
    /// It is a JPEG file encoded in more passes than are decoded.
    #[error("the JPEG picture is encoded in {0} scans: up to {MAX_SCANS} are decoded")]
    TooManyScans(usize),
    /// It is larger than what is decoded.
    #[error("the picture is too large: up to {MAX_PIXELS_A_SIDE} pixels a side and 1 GiB of memory are served")]
    TooLarge,
}

/// The size of a JPEG or PNG picture as its pixels lie in the file, read from its header; nothing is decoded or
/// decompressed.
///
/// # Errors
/// When the bytes do not begin like such a picture, or when it would take too long to decode.
pub fn size(bytes: &[u8]) -> Result<Size, PhotoError> {
    let format = Format::of(bytes)?;
    let damaged = |reason: String| PhotoError::Damaged { format, reason };
    match format {
        Format::Png => png_size(bytes).ok_or_else(|| damaged("it does not begin with its size".into())),
        Format::Jpeg => {
            let dimensions = ImageReader::with_format(Cursor::new(bytes), format.into()).into_dimensions();
            let (width, height) = dimensions.map_err(|error| damaged(error.to_string()))?;
            match bytes.windows(2).filter(|pair| **pair == START_OF_SCAN).count() {
                0..=MAX_SCANS => Ok(Size::new(width, height)),
                scans => Err(PhotoError::TooManyScans(scans)),
            }
        }
    }
}

/// The size in the chunk IHDR, which comes first (PNG specification, 5.6).
fn png_size(bytes: &[u8]) -> Option<Size> {
    let (kind, sides) = bytes.get(12..24)?.split_at(4);
    let side = |at: usize| Some(u32::from_be_bytes(*sides[at..].first_chunk()?));
    if kind == b"IHDR" { Some(Size::new(side(0)?, side(4)?)) } else { None }
}

/// Decodes a JPEG or PNG file, whatever its name; transparency is dropped.
///
/// # Errors
/// When the bytes are no such picture, are damaged, or the picture is too large.
pub fn decode(bytes: &[u8], orientation: Orientation) -> Result<RgbImage, PhotoError> {
    let format = Format::of(bytes)?;
    decode_as(bytes, format.into(), size(bytes)?, orientation).map_err(|error| match error {
        ImageError::Limits(limits) if !matches!(limits.kind(), LimitErrorKind::Unsupported { .. }) => {
            PhotoError::TooLarge
        }
        error => PhotoError::Damaged { format, reason: error.to_string() },
    })
}

fn decode_as(bytes: &[u8], format: ImageFormat, size: Size, orientation: Orientation) -> Result<RgbImage, ImageError> {
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_PIXELS_A_SIDE);
    limits.max_image_height = Some(MAX_PIXELS_A_SIDE);
    let pixels = u64::from(size.width).saturating_mul(size.height.into());
    let bytes_needed = pixels.saturating_mul(MAX_BYTES_A_PIXEL).saturating_add(MAX_BYTES_BESIDE);
    limits.max_alloc = Some(bytes_needed.min(MAX_BYTES));
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(limits);
    let mut decoder = reader.into_decoder()?;
    let turn = decoder.orientation()?;
    let mut picture = DynamicImage::from_decoder(decoder)?;
    if orientation == Orientation::Upright {
        picture.apply_orientation(turn);
    }
    Ok(picture.into_rgb8())
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{GrayImage, Rgb};

    fn encode(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    /// 16 x 8, the left half white.
    fn half_white() -> DynamicImage {
        RgbImage::from_fn(16, 8, |x, _| Rgb([if x < 8 { 255 } else { 0 }; 3])).into()
    }

    /// Puts an EXIF segment with `orientation` behind the start of a JPEG file.
    fn with_orientation(jpeg: &[u8], orientation: u8) -> Vec<u8> {
        let exif = [
            b"Exif\0\0MM\0\x2a\0\0\0\x08".as_slice(), // big-endian TIFF, first directory at 8
            &[0, 1, 0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0], // one entry: orientation, one short
            &[0; 4],
        ]
        .concat();
        let length = (exif.len() as u16 + 2).to_be_bytes();
        [&jpeg[..2], &[0xff, 0xe1], &length, &exif, &jpeg[2..]].concat()
    }

    #[test]
    fn orientation_is_honoured_when_asked_for() {
        let jpeg = with_orientation(&encode(&half_white(), ImageFormat::Jpeg), 6); // turn clockwise
        let upright = decode(&jpeg, Orientation::Upright).unwrap();
        assert_eq!(upright.dimensions(), (8, 16));
        assert!(upright.get_pixel(4, 2)[0] > 200 && upright.get_pixel(4, 13)[0] < 50);
        assert_eq!(decode(&jpeg, Orientation::AsStored).unwrap().dimensions(), (16, 8));
        assert_eq!(size(&jpeg).unwrap(), Size::new(16, 8));
    }

    #[test]
    fn grey_and_transparent_pictures_become_rgb() {
        let grey = DynamicImage::from(GrayImage::from_pixel(3, 3, image::Luma([77])));
        for picture in [grey.clone(), grey.to_rgba8().into(), grey.to_luma_alpha16().into()] {
            let decoded = decode(&encode(&picture, ImageFormat::Png), Orientation::Upright).unwrap();
            assert_eq!(decoded.get_pixel(1, 1), &Rgb([77; 3]));
        }
    }

    #[test]
    fn what_is_no_picture_is_refused() {
        let jpeg = encode(&half_white(), ImageFormat::Jpeg);
        let mut wide = encode(&half_white(), ImageFormat::Png);
        wide[16..20].copy_from_slice(&100_000u32.to_be_bytes());
        for (bytes, says) in [
            (b"".as_slice(), "neither a JPEG nor a PNG"),
            (b"GIF89a......", "neither a JPEG nor a PNG"),
            (&jpeg[..40], "the JPEG picture is damaged or cut short"),
            (&wide, "picture"),
        ] {
            let error = decode(bytes, Orientation::Upright).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }
}
