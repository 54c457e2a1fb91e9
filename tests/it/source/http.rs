//! A camera that sends JPEG pictures over HTTP.

use super::Bench;
use detector::geometry::Size;
use sightd::camera::CameraState;
use std::{
    io::{Cursor, Read, Write},
    net::{TcpListener, TcpStream},
    thread,
    time::Duration,
};

/// What the camera sends to each client.
fn serve(mut client: TcpStream, pictures: u8) -> std::io::Result<()> {
    let mut request = [0; 2048];
    let length = client.read(&mut request)?;
    let request = String::from_utf8_lossy(&request[..length]).into_owned();
    // "viewer:s3cret"
    if !request.to_lowercase().contains("authorization: basic dmlld2vyonmzy3jlda==") {
        let refusal =
            "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"camera\"\r\nContent-Length: 0\r\n\r\n";
        client.write_all(refusal.as_bytes())?;
        return serve(client, pictures);
    }
    client.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=cut\r\n\r\n")?;
    for level in 0..pictures {
        let mut jpeg = Cursor::new(Vec::new());
        let picture = image::RgbImage::from_pixel(160, 120, image::Rgb([level * 5, 100, 200]));
        picture.write_to(&mut jpeg, image::ImageFormat::Jpeg).unwrap();
        let jpeg = jpeg.into_inner();
        write!(client, "--cut\r\nContent-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n", jpeg.len())?;
        client.write_all(&jpeg)?;
        client.write_all(b"\r\n")?;
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

fn camera(pictures: u8) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            thread::spawn(move || serve(client, pictures));
        }
    });
    port
}

#[test]
fn an_http_camera_that_hangs_up_is_called_again() {
    let port = camera(20);
    let mut bench = Bench::start(&format!("http://viewer:s3cret@127.0.0.1:{port}/video.mjpg")).unwrap();
    assert_eq!(bench.frame().source_size, Size::new(160, 120));
    let status = bench.wait_until("called again", |status| status.restarts >= 2);
    assert!(status.last_error.is_some());
    bench.frame();
    assert!(!format!("{:?}", bench.status()).contains("s3cret"));
    bench.stop();
}

#[test]
fn an_http_camera_may_refuse() {
    let port = camera(20);
    let bench = Bench::start(&format!("http://viewer:wrong@127.0.0.1:{port}/video.mjpg")).unwrap();
    let error = bench.wait_for(CameraState::Retrying).last_error.unwrap();
    assert!(error.contains("user and password"), "{error}");
    bench.stop();
}
