//! Sizes of pictures from their headers, before anything is decoded.

use super::format::Format;
use crate::geometry::Size;

/// The size of a picture in any format but JPEG; `None` where the header is cut short or holds none.
pub(super) fn size(format: Format, bytes: &[u8]) -> Option<Size> {
    let size = match format {
        Format::Jpeg => None,
        Format::Png => png(bytes),
        Format::WebP => webp(bytes),
        Format::Gif => gif(bytes),
        Format::Bmp => bmp(bytes),
    }?;
    (size.width > 0 && size.height > 0).then_some(size)
}

/// PNG specification, 5.6: the chunk IHDR comes first.
fn png(bytes: &[u8]) -> Option<Size> {
    let side = |at: usize| Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?));
    (bytes.get(12..16)? == b"IHDR").then_some(Size::new(side(16)?, side(20)?))
}

/// GIF89a specification, 18: the logical screen.
fn gif(bytes: &[u8]) -> Option<Size> {
    let side = |at: usize| Some(u32::from(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?)));
    Some(Size::new(side(6)?, side(8)?))
}

/// The header of OS/2 has two bytes for a side, those of Windows have four; rows that run downwards have a negative
/// height.
fn bmp(bytes: &[u8]) -> Option<Size> {
    const OS2_HEADER: u32 = 12;
    let short = |at: usize| Some(u32::from(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?)));
    let long = |at: usize| Some(i32::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
    if u32::from_le_bytes(*bytes.get(14..)?.first_chunk()?) == OS2_HEADER {
        Some(Size::new(short(18)?, short(20)?))
    } else {
        Some(Size::new(u32::try_from(long(18)?).ok()?, long(22)?.unsigned_abs()))
    }
}

/// RFC 9649: the first chunk is `VP8 ` (lossy), `VP8L` (lossless) or `VP8X` (extended).
fn webp(bytes: &[u8]) -> Option<Size> {
    let (kind, chunk) = (bytes.get(12..16)?, bytes.get(20..)?);
    match kind {
        b"VP8X" => {
            let side = |at: usize| {
                Some(1 + u32::from_le_bytes([*chunk.get(at)?, *chunk.get(at + 1)?, *chunk.get(at + 2)?, 0]))
            };
            Some(Size::new(side(4)?, side(7)?))
        }
        b"VP8L" => {
            let sides = u32::from_le_bytes(*chunk.get(1..)?.first_chunk()?);
            Some(Size::new(1 + (sides & 0x3fff), 1 + (sides >> 14 & 0x3fff)))
        }
        b"VP8 " => {
            // Two bits of each are a scale that players ignore.
            let side = |at: usize| Some(u32::from(u16::from_le_bytes(*chunk.get(at..)?.first_chunk()?) & 0x3fff));
            Some(Size::new(side(6)?, side(8)?))
        }
        _ => None,
    }
}
