//! Scales a still picture into the input tensor, the way the TensorFlow networks were trained.
//!
//! Bilinear without half-pixel centres (`ResizeBilinear` of TensorFlow 1, `align_corners = False`): output column `i`
//! of `n` reads the picture at `i * width / n`, between the columns on its left and right. The live path has its
//! source scale instead.

use super::error::PreprocessError;
use crate::manifest::{Channels, Input};
use image::RgbImage;

/// The two values an output value lies between, and how far it is on the way from the first to the second.
#[derive(Clone, Copy, Debug)]
struct Tap {
    from: usize,
    to: usize,
    way: f32,
}

/// The taps of all `output` positions on an axis of `input` pixels.
fn taps(input: u32, output: u32) -> Vec<Tap> {
    let step = (f64::from(input) / f64::from(output)) as f32;
    let last = (input as usize).saturating_sub(1);
    let tap = |i: u32| {
        let at = i as f32 * step;
        let from = (at.floor() as usize).min(last);
        Tap { from, to: (from + 1).min(last), way: at - at.floor() }
    };
    (0..output).map(tap).collect()
}

/// Writes `picture`, scaled to the input's size, into `tensor` (planar, `[3, height, width]`).
///
/// # Errors
/// When the picture is empty or the tensor's length is not [`Input::len`].
pub fn fill_from_still(picture: &RgbImage, input: &Input, tensor: &mut [f32]) -> Result<(), PreprocessError> {
    const RGB: usize = 3;
    if tensor.len() != input.len() {
        return Err(PreprocessError::Tensor { have: tensor.len(), need: input.len() });
    }
    let (width, height) = picture.dimensions();
    if width == 0 || height == 0 {
        return Err(PreprocessError::Empty);
    }
    if tensor.is_empty() {
        return Ok(());
    }
    let (columns, rows) = (taps(width, input.width), taps(height, input.height));
    let pixels = picture.as_raw();
    let row_bytes = width as usize * RGB;
    let planes = tensor.chunks_exact_mut(input.width as usize * input.height as usize);
    for (plane, (values, offset)) in planes.zip(input.offset).enumerate() {
        let channel = match input.channels {
            Channels::Rgb => plane,
            Channels::Bgr => RGB - 1 - plane,
        };
        for (values, row) in values.chunks_exact_mut(columns.len()).zip(&rows) {
            let (top, bottom) = (&pixels[row.from * row_bytes..], &pixels[row.to * row_bytes..]);
            for (value, column) in values.iter_mut().zip(&columns) {
                let pixel = |line: &[u8], x: usize| f32::from(line[x * RGB + channel]);
                let across = |line| between(pixel(line, column.from), pixel(line, column.to), column.way);
                *value = between(across(top), across(bottom), row.way) * input.scale + offset;
            }
        }
    }
    Ok(())
}

fn between(a: f32, b: f32, way: f32) -> f32 {
    a * (1.0 - way) + b * way
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    fn input(width: u32, height: u32, channels: Channels) -> Input {
        Input { name: "image".into(), width, height, channels, scale: 0.5, offset: [1.0, 2.0, 3.0] }
    }

    #[test]
    fn columns_are_read_at_their_left_edge() {
        let picture = RgbImage::from_fn(4, 2, |x, y| Rgb([10 * x as u8, 100 * y as u8, 7]));
        let input = input(3, 4, Channels::Rgb);
        let mut tensor = vec![0.0; input.len()];
        fill_from_still(&picture, &input, &mut tensor).unwrap();
        let wanted = |plane: usize, x: f32, y: f32| match plane {
            0 => (10.0 * x * 4.0 / 3.0) * 0.5 + 1.0,
            1 => (100.0 * (y * 0.5).min(1.0)) * 0.5 + 2.0,
            _ => 7.0 * 0.5 + 3.0,
        };
        for (i, &got) in tensor.iter().enumerate() {
            let want = wanted(i / 12, (i % 3) as f32, (i / 3 % 4) as f32);
            assert!((got - want).abs() < 1e-4, "{i}: {got} is not {want}");
        }
    }

    #[test]
    fn planes_follow_the_manifest() {
        let picture = RgbImage::from_pixel(5, 5, Rgb([10, 20, 30]));
        let input = input(1, 1, Channels::Bgr);
        let mut tensor = vec![0.0; 3];
        fill_from_still(&picture, &input, &mut tensor).unwrap();
        assert_eq!(tensor, [16.0, 12.0, 8.0]);
    }

    #[test]
    fn nothing_can_not_be_scaled() {
        let error = fill_from_still(&RgbImage::new(0, 5), &input(1, 1, Channels::Rgb), &mut [0.0; 3]).unwrap_err();
        assert_eq!(error, PreprocessError::Empty);
    }
}
