//! The live path's scaler by itself.

use super::INPUT;
use bytes::Bytes;
use detector::geometry::Size;
use sightd::source::scale::{Image, RawFormat, ScaleError, Scaler};

#[test]
fn a_scaler_takes_pictures_of_any_kind_and_size() {
    let mut scaler = Scaler::new(INPUT).unwrap();
    for size in [Size::new(1, 1), Size::new(33, 77), Size::new(640, 360), Size::new(300, 300)] {
        let pixels = (size.width * size.height) as usize;
        let rgb = Bytes::from([10, 200, 30].repeat(pixels));
        let rgba = Bytes::from([10, 200, 30, 255].repeat(pixels));
        for (format, data) in [(RawFormat::Rgb, rgb), (RawFormat::Rgba, rgba)] {
            let scaled = scaler.scale(Image::Raw { format, size, data }).unwrap();
            assert_eq!(scaled.size, INPUT);
            assert!((0..300).all(|y| scaled.row(y).chunks(4).all(|pixel| pixel[..3] == [10, 200, 30])), "{size}");
        }
    }
    let grey = Bytes::from(vec![128; 33 * 77 + 2 * 17 * 39]);
    let i420 = Image::Raw { format: RawFormat::I420, size: Size::new(33, 77), data: grey };
    let pixel = scaler.scale(i420).unwrap().row(299)[1196..1199].to_vec();
    assert!(pixel.iter().all(|level| (127..=133).contains(level)), "{pixel:?}");
}

#[test]
fn a_scaler_survives_bad_pictures() {
    let mut scaler = Scaler::new(INPUT).unwrap();
    let mut jpeg = std::io::Cursor::new(Vec::new());
    image::RgbImage::from_pixel(64, 48, image::Rgb([200, 10, 10]))
        .write_to(&mut jpeg, image::ImageFormat::Jpeg)
        .unwrap();
    let good = Bytes::from(jpeg.into_inner());
    assert!(scaler.scale(Image::Jpeg(good.clone())).unwrap().row(0)[0] > 190);
    for bad in [Bytes::from_static(b"no jpeg"), Bytes::new(), good.slice(..40)] {
        assert!(matches!(scaler.scale(Image::Jpeg(bad)), Err(ScaleError::Picture(_))));
        assert!(scaler.scale(Image::Jpeg(good.clone())).is_ok());
    }
    let short = Image::Raw { format: RawFormat::Rgb, size: Size::new(2, 2), data: Bytes::from_static(&[0; 11]) };
    assert!(matches!(scaler.scale(short), Err(ScaleError::Length { wanted: 12, given: 11, .. })));
    let none = Image::Raw { format: RawFormat::Rgb, size: Size::new(0, 2), data: Bytes::new() };
    assert!(matches!(scaler.scale(none), Err(ScaleError::Size(_))));
}
