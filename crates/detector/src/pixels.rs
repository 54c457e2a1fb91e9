//! Pixels as a detector takes them.

use crate::geometry::Size;
use bytes::Bytes;

/// Interleaved 8-bit RGBA (or RGBx) pixels, rows from top to bottom.
#[derive(Clone, Debug)]
pub struct Pixels {
    /// Columns and rows.
    pub size: Size,
    /// Bytes from the start of a row to the start of the next; at least `4 * size.width`.
    pub stride_bytes: usize,
    /// `stride_bytes * size.height` bytes (the last row may be short of its padding). Not copied: usually
    /// GStreamer's own buffer.
    pub data: Bytes,
}

impl Pixels {
    /// Bytes of one pixel.
    pub const BYTES_PER_PIXEL: usize = 4;

    /// Row `y`'s pixels without padding: `4 * width` bytes.
    ///
    /// # Panics
    /// When `y` is not below the height, or the data is shorter than the size says.
    pub fn row(&self, y: u32) -> &[u8] {
        let start = y as usize * self.stride_bytes;
        &self.data[start..start + self.size.width as usize * Self::BYTES_PER_PIXEL]
    }
}
