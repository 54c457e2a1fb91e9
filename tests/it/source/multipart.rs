//! Cameras that send MJPEG in dialects of multipart.

use super::Bench;
use detector::geometry::Size;
use std::{
    io::{Cursor, Read, Write},
    net::{TcpListener, TcpStream},
    thread,
    time::Duration,
};

fn picture() -> Vec<u8> {
    let mut jpeg = Cursor::new(Vec::new());
    let picture = image::RgbImage::from_pixel(160, 120, image::Rgb([200, 10, 10]));
    picture.write_to(&mut jpeg, image::ImageFormat::Jpeg).unwrap();
    jpeg.into_inner()
}

/// What a camera says first, what stands before each picture, and what behind it.
#[derive(Clone, Copy)]
struct Dialect {
    content_type: &'static str,
    first: &'static str,
    before: &'static str,
    behind: &'static str,
    with_length: bool,
}

fn serve(mut client: TcpStream, dialect: Dialect) -> std::io::Result<()> {
    let _ = client.read(&mut [0; 2048])?;
    write!(client, "HTTP/1.1 200 OK\r\nContent-Type: {}\r\n\r\n{}", dialect.content_type, dialect.first)?;
    let picture = picture();
    loop {
        let length = if dialect.with_length { format!("Content-Length: {}\r\n", picture.len()) } else { String::new() };
        write!(client, "{}{length}\r\n", dialect.before)?;
        client.write_all(&picture)?;
        write!(client, "{}", dialect.behind)?;
        thread::sleep(Duration::from_millis(50));
    }
}

fn camera(serve: impl Fn(TcpStream) -> std::io::Result<()> + Copy + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            thread::spawn(move || serve(client));
        }
    });
    format!("http://127.0.0.1:{port}/video.mjpg")
}

#[test]
fn every_dialect_plays() {
    let usual = Dialect {
        content_type: "multipart/x-mixed-replace; boundary=cut",
        first: "",
        before: "--cut\r\nContent-Type: image/jpeg\r\n",
        behind: "\r\n",
        with_length: true,
    };
    for dialect in [
        usual,
        // The body begins with headers, the boundary stands behind each picture.
        Dialect { before: "Content-Type: image/jpeg\r\n", behind: "\r\n--cut\r\n", ..usual },
        Dialect { content_type: "multipart/x-mixed-replace; boundary=\"--cut\"", with_length: false, ..usual },
        Dialect { content_type: "multipart/x-mixed-replace", with_length: false, ..usual },
        Dialect { before: "--other\nContent-Type: image/jpeg\n", behind: "\n", with_length: false, ..usual },
    ] {
        let mut bench = Bench::start(&camera(move |client| serve(client, dialect))).unwrap();
        for _ in 0..3 {
            let frame = bench.frame();
            assert_eq!(frame.source_size, Size::new(160, 120));
            let pixel = &frame.pixels.row(150)[600..603];
            assert!(pixel[0].abs_diff(200) < 9 && pixel[1].abs_diff(10) < 9, "{pixel:?}");
        }
        assert_eq!(bench.status().restarts, 0);
        bench.stop();
    }
}

#[test]
fn a_part_without_end_is_given_up() {
    let endless = |mut client: TcpStream| {
        let _ = client.read(&mut [0; 2048])?;
        write!(
            client,
            "HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=cut\r\n\r\n--cut\r\nA: b\r\n\r\n"
        )?;
        loop {
            client.write_all(&[b'x'; 64 * 1024])?;
        }
    };
    let bench = Bench::start(&camera(endless)).unwrap();
    let status = bench.wait_until("given up", |status| status.last_error.is_some());
    let error = status.last_error.unwrap();
    assert!(error.contains("a part of the stream is longer than 16 MiB"), "{error}");
    bench.stop();
}
