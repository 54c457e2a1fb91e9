//! Draws detections into a picture: a frame round each, and a plate with its name and score.

use detector::{detection::Detection, geometry::Rect};
use embedded_graphics::{
    mono_font::{
        MonoFont, MonoTextStyle,
        iso_8859_1::{FONT_7X13_BOLD, FONT_9X15_BOLD, FONT_10X20},
    },
    pixelcolor::Rgb888,
    prelude::*,
    text::{Baseline, Text},
};
use image::{Rgb, RgbImage};
use std::convert::Infallible;

/// Colours that stay apart from each other and from most pictures; classes take them in turn.
const PALETTE: [[u8; 3]; 12] = [
    [230, 25, 75],
    [60, 180, 75],
    [255, 225, 25],
    [0, 130, 200],
    [245, 130, 48],
    [145, 30, 180],
    [70, 240, 240],
    [240, 50, 230],
    [210, 245, 60],
    [250, 190, 212],
    [0, 128, 128],
    [220, 190, 255],
];

/// What sizes fit a picture.
struct Style {
    /// Thickness of a frame's lines, in pixels.
    line: i32,
    font: MonoFont<'static>,
    /// Pixels of the picture for each pixel of the font.
    zoom: i32,
    /// Space round a plate's text, in pixels.
    padding: i32,
}

impl Style {
    fn for_picture(picture: &RgbImage) -> Self {
        let side = picture.width().min(picture.height()) as i32;
        let (font, zoom) = match side {
            ..400 => (FONT_7X13_BOLD, 1),
            400..700 => (FONT_9X15_BOLD, 1),
            700..1000 => (FONT_10X20, 1),
            _ => (FONT_9X15_BOLD, 1 + side / 1000),
        };
        let line = (side / 200).clamp(2, 12);
        Self { line, font, zoom, padding: line + zoom }
    }

    fn text_size(&self, text: &str) -> (i32, i32) {
        let glyph = self.font.character_size;
        (text.chars().count() as i32 * glyph.width as i32 * self.zoom, glyph.height as i32 * self.zoom)
    }
}

/// A part of a picture in pixels; the far edges are outside.
#[derive(Clone, Copy)]
struct Area {
    left: i32,
    top: i32,
    right: i32,
    bottom: i32,
}

/// Draws `detections` into `picture`, those with the higher score over those with the lower.
pub fn detections(picture: &mut RgbImage, detections: &[Detection]) {
    let style = Style::for_picture(picture);
    let mut order: Vec<_> = detections.iter().collect();
    order.sort_by(|a, b| a.score.total_cmp(&b.score));
    for detection in &order {
        frame(picture, area(picture, &detection.bbox), style.line, colour(detection.class_id));
    }
    for detection in order {
        plate(picture, &style, detection);
    }
}

/// The colour of a class.
pub fn colour(class_id: u32) -> Rgb<u8> {
    Rgb(PALETTE[class_id as usize % PALETTE.len()])
}

/// The pixels `bbox` covers, at least one.
fn area(picture: &RgbImage, bbox: &Rect) -> Area {
    let bbox = bbox.clipped();
    let (width, height) = (picture.width() as f32, picture.height() as f32);
    let (left, top) = ((bbox.x_min * width).round() as i32, (bbox.y_min * height).round() as i32);
    let (right, bottom) = ((bbox.x_max * width).round() as i32, (bbox.y_max * height).round() as i32);
    Area { left, top, right: right.max(left + 1), bottom: bottom.max(top + 1) }
}

/// The four lines inside the edge of `area`.
fn frame(picture: &mut RgbImage, area: Area, line: i32, colour: Rgb<u8>) {
    let Area { left, top, right, bottom } = area;
    fill(picture, Area { bottom: bottom.min(top + line), ..area }, colour);
    fill(picture, Area { top: top.max(bottom - line), ..area }, colour);
    fill(picture, Area { right: right.min(left + line), ..area }, colour);
    fill(picture, Area { left: left.max(right - line), ..area }, colour);
}

/// Name and score on a plate above the box, or inside it where there is no room above.
fn plate(picture: &mut RgbImage, style: &Style, detection: &Detection) {
    let text = format!("{} {:.0}%", detection.label, detection.score * 100.0);
    let (text_width, text_height) = style.text_size(&text);
    let (width, height) = (text_width + 2 * style.padding, text_height + 2 * style.zoom);
    let bbox = area(picture, &detection.bbox);
    let left = bbox.left.min(picture.width() as i32 - width).max(0);
    let top = if bbox.top >= height { bbox.top - height } else { bbox.top };
    let colour = colour(detection.class_id);
    fill(picture, Area { left, top, right: left + width, bottom: top + height }, colour);
    let mut canvas = Canvas { picture, zoom: style.zoom, left: left + style.padding, top: top + style.zoom };
    let ink = MonoTextStyle::new(&style.font, ink(colour));
    let Ok(_) = Text::with_baseline(&text, Point::zero(), ink, Baseline::Top).draw(&mut canvas);
}

/// Black on bright colours, white on dark ones (by the luma of ITU-R BT.601).
fn ink(Rgb([r, g, b]): Rgb<u8>) -> Rgb888 {
    let luma = 299 * u32::from(r) + 587 * u32::from(g) + 114 * u32::from(b);
    if luma > 140_000 { Rgb888::BLACK } else { Rgb888::WHITE }
}

/// Fills the part of `area` that lies in the picture.
fn fill(picture: &mut RgbImage, area: Area, colour: Rgb<u8>) {
    let (width, height) = (picture.width() as i32, picture.height() as i32);
    for y in area.top.max(0)..area.bottom.min(height) {
        for x in area.left.max(0)..area.right.min(width) {
            picture.put_pixel(x as u32, y as u32, colour);
        }
    }
}

/// A place in the picture to draw text at, each of its pixels `zoom` wide and high.
struct Canvas<'a> {
    picture: &'a mut RgbImage,
    zoom: i32,
    left: i32,
    top: i32,
}

impl Dimensions for Canvas<'_> {
    fn bounding_box(&self) -> embedded_graphics::primitives::Rectangle {
        let size = Size::new(self.picture.width(), self.picture.height());
        embedded_graphics::primitives::Rectangle::new(Point::zero(), size)
    }
}

impl DrawTarget for Canvas<'_> {
    type Color = Rgb888;
    type Error = Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<Rgb888>>>(&mut self, pixels: I) -> Result<(), Infallible> {
        for Pixel(at, colour) in pixels {
            let (left, top) = (self.left + at.x * self.zoom, self.top + at.y * self.zoom);
            let block = Area { left, top, right: left + self.zoom, bottom: top + self.zoom };
            fill(self.picture, block, Rgb([colour.r(), colour.g(), colour.b()]));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn detection(class_id: u32, score: f32, bbox: Rect) -> Detection {
        Detection { class_id, label: "pérson".into(), score, bbox }
    }

    const MIDDLE: Rect = Rect { x_min: 0.25, y_min: 0.5, x_max: 0.75, y_max: 0.9 };

    #[test]
    fn the_frame_runs_along_the_inside_of_the_box() {
        let mut picture = RgbImage::new(200, 100);
        detections(&mut picture, &[detection(1, 0.9, MIDDLE)]);
        let colour = colour(1);
        for (x, y, inked) in [
            (50, 60, true),
            (149, 60, true),
            (100, 89, true),
            (49, 60, false),
            (150, 60, false),
            (100, 90, false),
            (100, 70, false),
        ] {
            assert_eq!(*picture.get_pixel(x, y) == colour, inked, "{x},{y}");
        }
    }

    #[test]
    fn the_plate_stands_above_the_box_with_text_on_it() {
        let mut picture = RgbImage::from_pixel(200, 100, Rgb([128; 3]));
        detections(&mut picture, &[detection(2, 0.9, MIDDLE)]);
        let above = || (50..150).flat_map(|x| (35..50).map(move |y| (x, y)));
        let count = |colour: Rgb<u8>| above().filter(|&(x, y)| *picture.get_pixel(x, y) == colour).count();
        let (plate, ink) = (count(colour(2)), count(Rgb([0; 3])));
        assert!(plate > 600 && ink > 100, "{plate} {ink}");
    }

    #[test]
    fn the_better_one_lies_on_top() {
        let mut picture = RgbImage::new(200, 100);
        detections(&mut picture, &[detection(1, 0.9, MIDDLE), detection(2, 0.8, MIDDLE)]);
        assert_eq!(*picture.get_pixel(50, 70), colour(1));
    }

    proptest! {
        #[test]
        fn any_box_in_any_picture_can_be_drawn(
            (width, height) in (1u32..1200, 1u32..40),
            corners: [f32; 4],
            class_id: u32,
            score: f32,
        ) {
            let [x_min, y_min, x_max, y_max] = corners;
            let mut picture = RgbImage::new(width, height);
            detections(&mut picture, &[detection(class_id, score, Rect { x_min, y_min, x_max, y_max })]);
        }
    }
}
