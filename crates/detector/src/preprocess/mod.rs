//! Fills the input tensor from a frame's pixels. Pure: no I/O, no clock.

mod error;
mod still;

pub use error::PreprocessError;
pub use still::fill_from_still;

use crate::{
    manifest::{Channels, Input},
    pixels::Pixels,
};

/// Writes `pixels` (interleaved RGBA bytes) into `tensor` (planar, `[3, height, width]`): each value is
/// `pixel * scale + offset` of its plane, the planes in the order of `input.channels`. Alpha is ignored.
///
/// # Errors
/// When the pixels have not the input's size, are cut short, or the tensor's length is not [`Input::len`].
pub fn fill(pixels: &Pixels, input: &Input, tensor: &mut [f32]) -> Result<(), PreprocessError> {
    check(pixels, input, tensor.len())?;
    if tensor.is_empty() {
        return Ok(());
    }
    let width = input.width as usize;
    let plane_len = tensor.len() / 3;
    let (first, rest) = tensor.split_at_mut(plane_len);
    let (second, third) = rest.split_at_mut(plane_len);
    // Bit offsets of the planes' bytes in a pixel read as a little-endian word.
    let shifts = match input.channels {
        Channels::Rgb => [0, 8, 16],
        Channels::Bgr => [16, 8, 0],
    };
    let planes = first.chunks_exact_mut(width).zip(second.chunks_exact_mut(width)).zip(third.chunks_exact_mut(width));
    for (y, ((first, second), third)) in (0..).zip(planes) {
        let row = pixels.row(y);
        fill_row(row, shifts[0], input.scale, input.offset[0], first);
        fill_row(row, shifts[1], input.scale, input.offset[1], second);
        fill_row(row, shifts[2], input.scale, input.offset[2], third);
    }
    Ok(())
}

/// One row of one plane. Whole words, a shift and a mask: the compiler turns this into vector code on every CPU,
/// where a byte gather would need instructions that the x86-64 baseline lacks.
fn fill_row(row: &[u8], shift: u32, scale: f32, offset: f32, plane: &mut [f32]) {
    let (words, _) = row.as_chunks::<{ Pixels::BYTES_PER_PIXEL }>();
    for (value, word) in plane.iter_mut().zip(words) {
        // Through i32: the conversion to f32 is one instruction for it, and a byte always fits.
        let byte = ((u32::from_le_bytes(*word) >> shift) & 0xff) as i32;
        *value = byte as f32 * scale + offset;
    }
}

fn check(pixels: &Pixels, input: &Input, tensor_len: usize) -> Result<(), PreprocessError> {
    if pixels.size != input.size() {
        return Err(PreprocessError::Size { frame: pixels.size, input: input.size() });
    }
    if tensor_len != input.len() {
        return Err(PreprocessError::Tensor { have: tensor_len, need: input.len() });
    }
    let row_bytes = input.width as usize * Pixels::BYTES_PER_PIXEL;
    let before_last = (input.height as usize).saturating_sub(1);
    let need = pixels.stride_bytes.max(row_bytes).saturating_mul(before_last).saturating_add(row_bytes);
    let have = pixels.data.len();
    if have < need || pixels.stride_bytes < row_bytes {
        return Err(PreprocessError::Truncated { have, need, size: pixels.size, stride_bytes: pixels.stride_bytes });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Size;
    use proptest::prelude::*;

    fn input(width: u32, height: u32, channels: Channels) -> Input {
        Input { name: "image".into(), width, height, channels, scale: 2.0 / 255.0, offset: [-1.0, -0.5, 0.25] }
    }

    fn pixels(width: u32, height: u32, padding: usize, data: Vec<u8>) -> Pixels {
        Pixels { size: Size::new(width, height), stride_bytes: width as usize * 4 + padding, data: data.into() }
    }

    proptest! {
        #[test]
        fn every_value_is_the_formula(
            (width, height, padding) in (1u32..40, 1u32..5, 0usize..9),
            bgr: bool,
            seed: u8,
        ) {
            let stride = width as usize * 4 + padding;
            let data: Vec<u8> = (0..stride * height as usize).map(|i| (i as u8).wrapping_mul(31).wrapping_add(seed)).collect();
            let input = input(width, height, if bgr { Channels::Bgr } else { Channels::Rgb });
            let mut tensor = vec![f32::NAN; input.len()];
            fill(&pixels(width, height, padding, data.clone()), &input, &mut tensor).unwrap();
            for (i, &got) in tensor.iter().enumerate() {
                let (w, h) = (width as usize, height as usize);
                let (plane, y, x) = (i / (w * h), i / w % h, i % w);
                let byte = data[y * stride + 4 * x + if bgr { 2 - plane } else { plane }];
                prop_assert_eq!(got, f32::from(byte) * input.scale + input.offset[plane]);
            }
        }
    }

    #[test]
    fn the_last_row_may_lack_its_padding() {
        let input = input(2, 2, Channels::Rgb);
        let mut tensor = vec![0.0; input.len()];
        assert_eq!(fill(&pixels(2, 2, 4, vec![9; 12 + 8]), &input, &mut tensor), Ok(()));
    }

    #[test]
    fn what_does_not_fit_is_refused_with_its_figures() {
        let wants = input(2, 2, Channels::Rgb);
        let mut tensor = vec![0.0; wants.len()];
        for (pixels, len, message) in [
            (pixels(3, 2, 0, vec![0; 24]), 12, "the frame has 3x2 pixels, the model's input wants 2x2"),
            (pixels(2, 2, 0, vec![0; 15]), 12, "the frame's buffer holds 15 bytes, 16 are needed for 2x2 at 8 bytes"),
            (pixels(2, 2, 0, vec![0; 16]), 11, "the input tensor holds 11 values, the manifest's input says 12"),
            (
                Pixels { size: Size::new(2, 2), stride_bytes: 4, data: vec![0; 12].into() },
                12,
                "the frame's buffer holds 12 bytes, 16 are needed for 2x2 at 4 bytes",
            ),
        ] {
            let error = fill(&pixels, &wants, &mut tensor[..len]).unwrap_err().to_string();
            assert!(error.starts_with(message), "{error}");
        }
    }
}
