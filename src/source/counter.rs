//! The pictures of `test://counter`: each shows the number of its own frame, so that whoever sees a picture knows
//! which frame it is, whatever happened to it on its way.
//!
//! ```text
//!   ┌────────────────────────────┐
//!   │ 1742                       │  the number in digits, for people
//!   │      ▓▓▓                   │  a figure, whose place follows from the number (see `figure_left`)
//!   │      ▓▓▓                   │
//!   │▁█▁█▁███▁▁▁▁▁▁▁▁            │  the number's lower 16 bits, the lowest to the left, as dark and bright blocks
//!   └────────────────────────────┘
//! ```

use super::stamps::Tap;
use detector::sync::lock;
use gstreamer::{self as gst, prelude::*};
use gstreamer_video::{VideoFrameExt, VideoFrameRef, VideoInfo};
use std::{
    ops::Range,
    sync::{Arc, Mutex},
};

/// The pattern of `videotestsrc` on which it is painted; without colour, so that drawn boxes stand out.
pub(super) const GROUND: &str = "gradient";

const BITS: u32 = 16;
/// Brightness (BT.601 luma) of what is set and what is not.
const BRIGHT: u8 = 235;
const DARK: u8 = 16;
/// Parts of the picture's height.
const DIGITS: Range<f64> = 0.06..0.24;
const FIGURE: Range<f64> = 0.3..0.85;
const BLOCKS: Range<f64> = 0.875..1.0;
/// The figure's width, of the picture's.
const FIGURE_WIDTH: f64 = 0.12;
/// Frames after which the figure is where it was.
const LAP: u64 = 128;

/// The digits 0 to 9, five rows of three pixels each, the topmost row in the highest bits.
const FONT: [u16; 10] = [
    0b111_101_101_101_111,
    0b010_110_010_010_111,
    0b111_001_111_100_111,
    0b111_001_111_001_111,
    0b101_101_111_001_001,
    0b111_100_111_001_111,
    0b111_100_111_101_111,
    0b111_001_010_010_010,
    0b111_101_111_101_111,
    0b111_101_111_001_111,
];

/// Paints on every buffer that passes `pad`, whose first plane must be luma, the number that `tap` has just given it.
pub(super) fn paint_at(pad: &gst::Pad, tap: Arc<Tap>) {
    let form: Mutex<Option<VideoInfo>> = Mutex::default();
    pad.add_probe(gst::PadProbeType::BUFFER | gst::PadProbeType::EVENT_DOWNSTREAM, move |_, probe| {
        let mut form = lock(&form);
        if let Some(gst::EventView::Caps(caps)) = probe.event().map(|event| event.view()) {
            *form = VideoInfo::from_caps(caps.caps()).ok();
        } else if let (Some(form), Some(buffer)) = (&*form, probe.buffer_mut()) {
            paint(buffer.make_mut(), form, tap.frames());
        }
        gst::PadProbeReturn::Ok
    });
}

fn paint(buffer: &mut gst::BufferRef, form: &VideoInfo, seq: u64) {
    let Ok(mut frame) = VideoFrameRef::from_buffer_ref_writable(buffer, form) else { return };
    let Some(stride) = frame.plane_stride().first().and_then(|&stride| usize::try_from(stride).ok()) else { return };
    let (width, height) = (form.width() as usize, form.height() as usize);
    if let Ok(luma) = frame.plane_data_mut(0) {
        Canvas { luma, stride, width, height }.show(seq);
    }
}

/// The left edge of the figure in frame `seq`, of the picture's width: 0.05 to 0.65 and back to the left.
fn figure_left(seq: u64) -> f64 {
    0.05 + 0.6 * (seq % LAP) as f64 / LAP as f64
}

struct Canvas<'a> {
    luma: &'a mut [u8],
    stride: usize,
    width: usize,
    height: usize,
}

impl Canvas<'_> {
    fn show(&mut self, seq: u64) {
        let left = figure_left(seq);
        self.fill(left..left + FIGURE_WIDTH, FIGURE, DARK);
        self.digits(seq);
        for bit in 0..BITS {
            let left = f64::from(bit) / f64::from(BITS);
            let bright = if seq >> bit & 1 == 1 { BRIGHT } else { DARK };
            self.fill(left..left + 1.0 / f64::from(BITS), BLOCKS, bright);
        }
    }

    fn digits(&mut self, seq: u64) {
        let (rows, columns) = (5, 3);
        let pixel_height = (DIGITS.end - DIGITS.start) / f64::from(rows);
        let pixel_width = pixel_height * self.height as f64 / self.width as f64;
        let text = seq.to_string();
        for (place, digit) in (0u32..).zip(text.bytes()) {
            let glyph = FONT[usize::from(digit - b'0')];
            for (row, column) in (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column))) {
                if glyph >> ((rows - 1 - row) * columns + columns - 1 - column) & 1 == 1 {
                    let left = 0.03 + pixel_width * f64::from(place * (columns + 1) + column);
                    let top = DIGITS.start + pixel_height * f64::from(row);
                    self.fill(left..left + pixel_width, top..top + pixel_height, BRIGHT);
                }
            }
        }
    }

    /// Fills a rectangle, given in parts of the picture's width and height; what lies outside is left out.
    fn fill(&mut self, across: Range<f64>, down: Range<f64>, bright: u8) {
        let pixels = |part: Range<f64>, side: usize| {
            let at = |part: f64| ((part * side as f64).round() as usize).min(side);
            at(part.start)..at(part.end)
        };
        let across = pixels(across, self.width);
        for row in pixels(down, self.height) {
            let start = row * self.stride;
            if let Some(row) = self.luma.get_mut(start + across.start..start + across.end) {
                row.fill(bright);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_can_be_read_from_the_blocks() {
        let (width, height, stride) = (322, 180, 324);
        for seq in [0, 1, 127, 128, 1742, 65_535, 65_536 + 3] {
            let mut luma = vec![128; stride * height];
            Canvas { luma: &mut luma, stride, width, height }.show(seq);
            let block = |bit: usize| luma[height * 15 / 16 * stride + (2 * bit + 1) * width / 32];
            let read: u64 = (0..16).map(|bit| u64::from(block(bit) == BRIGHT) << bit).sum();
            assert_eq!(read, seq % 65_536);
            let row = &luma[height / 2 * stride..][..width];
            let left = row.iter().position(|&luma| luma == DARK).unwrap() as f64 / width as f64;
            assert!((left - figure_left(seq)).abs() < 0.005, "{seq}: {left}");
        }
    }

    #[test]
    fn the_largest_number_stays_within_the_smallest_picture() {
        let (width, height) = (16, 16);
        let mut luma = vec![128; width * height];
        Canvas { luma: &mut luma, stride: width, width, height }.show(u64::MAX);
    }
}
