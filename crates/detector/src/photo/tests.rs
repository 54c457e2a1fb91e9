use super::{format::FORMATS, *};
use image::{GrayImage, Rgb, codecs::jpeg::JpegEncoder};

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
        (b"II*\0 a TIFF file", "neither a JPEG nor a PNG"),
        (b"GIF89a", "the GIF picture is damaged or cut short"),
        (&jpeg[..40], "the JPEG picture is damaged or cut short"),
        (&wide, "picture"),
    ] {
        let error = decode(bytes, Orientation::Upright).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
}

/// 96 x 64, with a value of its own in every pixel, so that every block holds data.
fn noise() -> RgbImage {
    let mut state = 1_u32;
    RgbImage::from_fn(96, 64, |_, _| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        Rgb([(state >> 24) as u8, (state >> 16) as u8, (state >> 8) as u8])
    })
}

/// A JPEG of [`noise`] by a second encoder, which knows more kinds.
fn jpeg(kind: impl FnOnce(&mut jpeg_encoder::Encoder<&mut Vec<u8>>)) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = jpeg_encoder::Encoder::new(&mut bytes, 80);
    kind(&mut encoder);
    encoder.encode(&noise(), 96, 64, jpeg_encoder::ColorType::Rgb).unwrap();
    bytes
}

/// A JPEG with its own scan for each component.
fn separate_scans(sampling: jpeg_encoder::SamplingFactor) -> Vec<u8> {
    jpeg(|encoder| {
        encoder.set_optimized_huffman_tables(true);
        encoder.set_sampling_factor(sampling);
    })
}

/// Every kind of JPEG that encoders write.
fn jpegs() -> [(&'static str, Vec<u8>); 6] {
    let mut by_image = Vec::new();
    noise().write_with_encoder(JpegEncoder::new_with_quality(&mut by_image, 80)).unwrap();
    [
        ("baseline", by_image),
        ("subsampled", jpeg(|encoder| encoder.set_sampling_factor(jpeg_encoder::SamplingFactor::F_2_2))),
        ("restarts", jpeg(|encoder| encoder.set_restart_interval(3))),
        ("separate scans", separate_scans(jpeg_encoder::SamplingFactor::F_2_1)),
        ("progressive", jpeg(|encoder| encoder.set_progressive(true))),
        ("24 scans", jpeg(|encoder| encoder.set_progressive_scans(8))),
    ]
}

#[test]
fn every_format_is_decoded_and_its_size_read_from_the_header() {
    for (format, image_format, name) in FORMATS {
        let bytes = encode(&half_white(), image_format);
        assert_eq!(Format::of(&bytes).unwrap(), format);
        assert_eq!(size(&bytes).unwrap(), Size::new(16, 8), "{name}");
        let picture = decode(&bytes, Orientation::Upright).unwrap();
        assert_eq!(picture.dimensions(), (16, 8), "{name}");
        assert!(picture.get_pixel(2, 4)[0] > 200 && picture.get_pixel(13, 4)[0] < 50, "{name}");
    }
}

#[test]
fn of_an_animation_the_first_frame_is_decoded() {
    let mut bytes = Vec::new();
    let mut encoder = image::codecs::gif::GifEncoder::new(&mut bytes);
    for colour in [[250, 0, 0], [0, 0, 250]] {
        let frame = RgbImage::from_pixel(8, 4, Rgb(colour));
        encoder.encode_frame(image::Frame::new(DynamicImage::from(frame).into_rgba8())).unwrap();
    }
    drop(encoder);
    assert_eq!(size(&bytes).unwrap(), Size::new(8, 4));
    let first = decode(&bytes, Orientation::Upright).unwrap();
    assert!(first.get_pixel(3, 3)[0] > 200 && first.get_pixel(3, 3)[2] < 50);
}

#[test]
fn a_header_that_claims_too_much_is_refused_before_anything_is_decoded() {
    let side = 20_000_u32;
    let patch = |format, at: usize, with: &[u8]| {
        let mut bytes = encode(&half_white(), format);
        bytes[at..at + with.len()].copy_from_slice(with);
        bytes
    };
    let short = (side as u16).to_le_bytes();
    for bytes in [
        patch(ImageFormat::Gif, 6, &[short, short].concat()),
        patch(ImageFormat::Bmp, 18, &[side.to_le_bytes(), side.to_le_bytes()].concat()),
    ] {
        assert_eq!(size(&bytes).unwrap(), Size::new(side, side));
        let error = decode(&bytes, Orientation::Upright).unwrap_err();
        assert!(matches!(error, PhotoError::TooLarge), "{error}");
    }
}

#[test]
fn a_file_cut_short_is_refused_in_every_format() {
    for (_, format, name) in FORMATS {
        let bytes = encode(&noise().into(), format);
        let error = decode(&bytes[..bytes.len() / 2], Orientation::Upright).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains("cut short"), "{name}: {error}");
    }
}

#[test]
fn a_jpeg_cut_within_its_picture_data_is_refused_and_one_that_lacks_its_end_marker_is_not() {
    for (name, bytes) in jpegs() {
        let whole = decode(&bytes, Orientation::Upright).unwrap();
        for missing in [1, 2] {
            let picture = decode(&bytes[..bytes.len() - missing], Orientation::Upright);
            assert_eq!(picture.unwrap(), whole, "{name} without {missing} bytes");
        }
        let scan = bytes.windows(2).position(|pair| pair == [0xff, 0xda]).unwrap();
        for missing in (8..bytes.len() - scan - 20).step_by(37) {
            let error = decode(&bytes[..bytes.len() - missing], Orientation::Upright);
            let Err(error) = error else { panic!("{name} without {missing} of {} bytes", bytes.len()) };
            let text = error.to_string();
            assert!(text.contains("cut short"), "{name} without {missing} bytes: {text}");
        }
        let half = decode(&bytes[..bytes.len() / 2], Orientation::Upright).unwrap_err().to_string();
        assert_eq!(half, "the JPEG ends in the middle of its picture data: the file was cut short", "{name}");
    }
}

#[test]
fn only_scans_of_the_picture_itself_count() {
    let (_, jpeg) = &jpegs()[0];
    let whole = decode(jpeg, Orientation::Upright).unwrap();
    let markers = [0xff, 0xda].repeat(41);
    let length = (markers.len() as u16 + 2).to_be_bytes();
    let comment = [&[0xff, 0xfe], length.as_slice(), &markers].concat();
    let app = [&[0xff, 0xe5], length.as_slice(), &markers].concat();
    let with_segments = [&jpeg[..2], &comment, &app, &jpeg[2..]].concat();
    let motion_photo = [jpeg.as_slice(), &markers].concat();
    for bytes in [with_segments, motion_photo] {
        assert_eq!(size(&bytes).unwrap(), Size::new(96, 64));
        assert_eq!(decode(&bytes, Orientation::Upright).unwrap(), whole);
    }
    let scan = b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00".repeat(41);
    let many = [&jpeg[..jpeg.len() - 2], &scan, &jpeg[jpeg.len() - 2..]].concat();
    assert!(matches!(size(&many), Err(PhotoError::TooManyScans(42))));
}

#[test]
fn a_jpeg_that_the_decoder_misreads_is_refused() {
    use jpeg_encoder::SamplingFactor::{F_1_1, F_1_2, F_2_1, F_2_2};
    for sampling in [F_1_1, F_2_1] {
        let far = |picture: &RgbImage| {
            let differences = picture.iter().zip(noise().iter()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum::<u64>();
            differences / noise().len() as u64
        };
        let interleaved = decode(&jpeg(|encoder| encoder.set_sampling_factor(sampling)), Orientation::Upright).unwrap();
        let separate = decode(&separate_scans(sampling), Orientation::Upright).unwrap();
        assert!(far(&separate) <= far(&interleaved) + 1, "{sampling:?}");
    }
    for sampling in [F_1_2, F_2_2] {
        let refused = size(&separate_scans(sampling));
        assert!(matches!(refused, Err(PhotoError::SeparateScans)), "{sampling:?}: {refused:?}");
    }
}
