//! POST /detect: pictures, what is no picture, and the bounded queue.

use crate::{
    fake::{Daemon, SIZE},
    program::{self, reference_model, run_to_end},
    support::shared,
};
use image::{DynamicImage, ImageFormat, RgbImage};
use reqwest::{Client, Response};
use serde_json::{Value, json};
use sightd::channels::detect_queue::MAX_QUEUED_PER_CLIENT;
use std::{
    fs,
    io::{Cursor, Read},
};

/// An empty picture of the fake daemon's size.
pub fn encoded(format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    DynamicImage::from(RgbImage::new(SIZE.width, SIZE.height)).write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

async fn post(daemon: &Daemon, query: &str, kind: &str, body: Vec<u8>) -> Response {
    let url = daemon.url(&format!("/detect{query}"));
    Client::new().post(url).header("content-type", kind).body(body).send().await.unwrap()
}

#[tokio::test]
async fn a_picture_is_answered_with_what_is_on_it() {
    let daemon = Daemon::start().await;
    for (kind, format) in [("image/jpeg", ImageFormat::Jpeg), ("image/png", ImageFormat::Png)] {
        let seen: Value = post(&daemon, "", kind, encoded(format)).await.json().await.unwrap();
        assert_eq!(seen["frame"], json!({"width": 640, "height": 360}));
        assert_eq!((&seen["model"], &seen["provider"]), (&json!("fake-ssd"), &json!("cpu")));
        assert_eq!(seen["timings_ms"]["infer"], 18.0);
        assert!(seen["timings_ms"]["picture"].as_f64().unwrap() > 0.0);
        let person = json!({
            "class_id": 1, "label": "person", "score": 0.875, "box": {"x": 0.25, "y": 0.125, "w": 0.25, "h": 0.625}
        });
        assert_eq!(seen["detections"][0], person);
        assert_eq!(seen["detections"].as_array().unwrap().len(), 2);
    }
    for (query, labels) in [
        ("?min_score=0.7", vec!["person"]),
        ("?min_score=0", vec!["person", "dog", "bicycle"]),
        ("?label=dog,bicycle", vec!["dog"]),
    ] {
        let seen: Value = post(&daemon, query, "image/jpeg", encoded(ImageFormat::Jpeg)).await.json().await.unwrap();
        let found: Vec<_> = seen["detections"].as_array().unwrap().iter().map(|found| &found["label"]).collect();
        assert_eq!(found, labels, "{query}");
    }
    daemon.stop().await;
}

/// A PNG file whose header says that it is `width` by `height`.
fn png_of(width: u32, height: u32) -> Vec<u8> {
    let mut png = encoded(ImageFormat::Png);
    png[16..20].copy_from_slice(&width.to_be_bytes());
    png[20..24].copy_from_slice(&height.to_be_bytes());
    png
}

/// A JPEG file whose header says that it is `width` by `height`.
fn jpeg_of(width: u16, height: u16) -> Vec<u8> {
    let mut jpeg = encoded(ImageFormat::Jpeg);
    let frame = jpeg.windows(2).position(|marker| marker == [0xff, 0xc0]).unwrap();
    jpeg[frame + 5..frame + 7].copy_from_slice(&height.to_be_bytes());
    jpeg[frame + 7..frame + 9].copy_from_slice(&width.to_be_bytes());
    jpeg
}

/// A PNG file with the chunk `kind` of `data` behind its header.
fn png_with(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let png = encoded(ImageFormat::Png);
    let typed = [kind, data].concat();
    let mut sum = flate2::Crc::new();
    sum.update(&typed);
    let length = (data.len() as u32).to_be_bytes();
    [&png[..33], &length, &typed, &sum.sum().to_be_bytes(), &png[33..]].concat() // 8 bytes of signature, 25 of header
}

/// What is compressed to about a thousandth of its 256 MB.
fn deflated() -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::copy(&mut std::io::repeat(0).take(256 << 20), &mut encoder).unwrap();
    encoder.finish().unwrap()
}

/// A JPEG file of `scans` scans.
fn jpeg_in(scans: usize) -> Vec<u8> {
    let jpeg = encoded(ImageFormat::Jpeg);
    let end = jpeg.len() - 2;
    let scan = [0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0];
    [&jpeg[..end], &scan.repeat(scans - 1), &jpeg[end..]].concat()
}

#[tokio::test]
async fn what_is_compressed_beside_the_pixels_is_left_alone() {
    let daemon = Daemon::start().await;
    let deflated = deflated();
    for kind in [b"zTXt", b"iCCP"] {
        let body = png_with(kind, &[b"name\0\0", &deflated[..]].concat());
        let status = post(&daemon, "", "image/png", body).await.status();
        assert_eq!(status, 200, "{kind:?}");
    }
    daemon.stop().await;
}

#[tokio::test]
async fn what_is_no_picture_is_a_problem() {
    let daemon = Daemon::start().await;
    let jpeg = encoded(ImageFormat::Jpeg);
    for (kind, body, status, words) in [
        ("image/jpeg", b"II*\0 a TIFF file".to_vec(), 415, "neither a JPEG nor a PNG"),
        ("image/jpeg", Vec::new(), 415, "neither a JPEG nor a PNG"),
        ("text/plain", jpeg.clone(), 415, "\"text/plain\""),
        ("image/jpeg", jpeg[..40].to_vec(), 422, "damaged or cut short"),
        ("image/jpeg", jpeg[..jpeg.len() - 20].to_vec(), 422, "the JPEG ends in the middle of its picture data"),
        ("image/png", png_of(60_000, 60_000), 413, "60000x60000 pixels: up to 25 million"),
        ("image/png", png_of(5001, 5000), 413, "5001x5000 pixels"),
        ("image/png", png_of(65_000, 65_000), 413, "65000x65000 pixels"),
        ("image/jpeg", jpeg_of(65_000, 65_000), 413, "65000x65000 pixels"),
        ("image/jpeg", jpeg_in(33), 422, "encoded in 33 scans: up to 32"),
        ("image/png", encoded(ImageFormat::Png)[..60].to_vec(), 422, "damaged or cut short"),
        ("image/jpeg", vec![0xff; (10 << 20) + 1], 413, "up to 10485760 bytes"),
    ] {
        let response = post(&daemon, "", kind, body).await;
        assert_eq!(
            (response.status().as_u16(), response.headers()["content-type"].as_bytes()),
            (status, b"application/problem+json".as_slice()),
            "{words}"
        );
        let problem: Value = response.json().await.unwrap();
        assert!(problem["detail"].as_str().unwrap().contains(words), "{problem}");
    }
    let response = post(&daemon, "?min_score=2", "image/jpeg", jpeg).await;
    assert_eq!(response.status(), 400);
    daemon.stop().await;
}

#[tokio::test]
async fn a_caller_that_has_its_share_is_told_when_to_come_back() {
    let daemon = Daemon::start().await;
    let places: Vec<_> =
        (0..MAX_QUEUED_PER_CLIENT).map(|_| daemon.detect_queue.acquire(daemon.address.ip()).unwrap()).collect();
    let full = post(&daemon, "", "image/jpeg", encoded(ImageFormat::Jpeg)).await;
    assert_eq!((full.status().as_u16(), &full.headers()["retry-after"]), (503, &"2".parse().unwrap()));
    drop(places);
    assert_eq!(post(&daemon, "", "image/jpeg", encoded(ImageFormat::Jpeg)).await.status(), 200);
    daemon.stop().await;
}

#[test]
fn the_real_engine_sees_the_same_over_http_as_on_the_command_line() {
    let Some(photo) = shared("data/photos/humans_0.jpg") else { return };
    let model = reference_model();
    let arguments = ["run", "--listen", "127.0.0.1:0", "--source", "test://ball", "--model", &model];
    let daemon = program::Daemon::spawn(&arguments);
    daemon.wait_for_scene();
    let (status, body) = daemon.post("/detect", "image/jpeg", fs::read(&photo).unwrap());
    assert_eq!(status, 200, "{body}");
    let seen: Value = serde_json::from_str(&body).unwrap();
    let (code, printed) = run_to_end(&["detect", "--json", "--model", &model, photo.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{printed}");
    let line = printed.lines().find(|line| line.starts_with('{')).unwrap();
    let command_line: Value = serde_json::from_str(line).unwrap();
    assert_eq!(seen["detections"], command_line["detections"]);
    assert!(seen["detections"].as_array().unwrap().len() >= 2, "{seen}");
}
