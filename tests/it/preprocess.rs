//! The input tensor of a still picture against the reference.

use crate::support::{coco_ssd, read_f32, shared};
use detector::preprocess::fill_from_still;
use image::RgbImage;
use std::fs;

#[test]
fn the_reference_picture_gives_the_reference_tensor() {
    let Some(folder) = shared("data/reference") else { return };
    let input = coco_ssd().input;
    let (width, height) = (413, 300); // humans_0.hw
    let picture = RgbImage::from_raw(width, height, fs::read(folder.join("humans_0.rgb")).unwrap()).unwrap();
    let mut tensor = vec![0.0; input.len()];
    fill_from_still(&picture, &input, &mut tensor).unwrap();
    let wanted = read_f32(&folder.join("humans_0.tf1.chw.f32"));
    let differing = tensor.iter().zip(&wanted).filter(|(got, want)| got != want).count();
    assert_eq!((tensor.len(), differing), (wanted.len(), 0));
}
