//! The formats of picture files that are decoded, and why one is not.

use image::{ImageError, ImageFormat, error::LimitErrorKind};
use std::{fmt, path::Path};

/// Widest and highest picture that is decoded, in pixels.
pub const MAX_PIXELS_A_SIDE: u32 = 16_384;
/// Scans of a JPEG file that is decoded. Encoders write about ten; each costs the time of a whole picture, whatever its
/// length, so that a small file with many scans would keep the decoder busy for long.
pub(super) const MAX_SCANS: usize = 32;

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
pub(super) const FORMATS: [(Format, ImageFormat, &str); 5] = [
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
    pub(super) fn of(format: Format, error: &ImageError) -> Self {
        match error {
            ImageError::Limits(limits) if !matches!(limits.kind(), LimitErrorKind::Unsupported { .. }) => {
                Self::TooLarge
            }
            error => Self::Damaged { format, reason: error.to_string() },
        }
    }
}
