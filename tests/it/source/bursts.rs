//! An RTSP server whose packets come in bursts over TCP.

use super::{Bench, rtsp};
use detector::geometry::Size;
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// Stands between a camera and its server: passes everything on at once but the server's interleaved packets, which it
/// holds back and sends together, every two seconds. Gives its port and counts the pictures in the packets.
fn bursts(server: u16, pictures: Arc<AtomicU64>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let server = TcpStream::connect(("127.0.0.1", server)).unwrap();
            let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            thread::spawn(move || std::io::copy(&mut from, &mut to));
            let pictures = pictures.clone();
            thread::spawn(move || hold_back(BufReader::new(server), client, &pictures));
        }
    });
    port
}

fn hold_back(mut server: BufReader<TcpStream>, mut client: TcpStream, pictures: &AtomicU64) -> std::io::Result<()> {
    let (mut held, mut held_pictures, mut sent) = (Vec::new(), 0, Instant::now());
    loop {
        let mut first = [0];
        server.read_exact(&mut first)?;
        if first != *b"$" {
            // An answer: a line of it, or its body.
            let mut line = first.to_vec();
            server.read_until(b'\n', &mut line)?;
            client.write_all(&line)?;
            continue;
        }
        let mut header = [0; 3];
        server.read_exact(&mut header)?;
        let mut packet = vec![0; usize::from(u16::from_be_bytes([header[1], header[2]]))];
        server.read_exact(&mut packet)?;
        held_pictures += u64::from(header[0] == 0 && packet[1] & 0x80 != 0); // the marker of a picture's last packet
        held.extend([&b"$"[..], &header, &packet].concat());
        if sent.elapsed() >= Duration::from_secs(2) {
            client.write_all(&held)?;
            pictures.fetch_add(held_pictures, Ordering::Relaxed);
            (held, held_pictures, sent) = (Vec::new(), 0, Instant::now());
        }
    }
}

#[test]
fn over_tcp_what_comes_in_bursts_is_all_taken() {
    let port = rtsp::port();
    let server = rtsp::Server::start(port, Size::new(320, 240), "h264", &[]);
    let sent = Arc::new(AtomicU64::new(0));
    let port = bursts(port, sent.clone());
    let bench = Bench::start(&format!("rtsp://127.0.0.1:{port}/live")).unwrap();
    bench.wait_until("four bursts", |_| sent.load(Ordering::Relaxed) >= 35);
    // What has been sent by now comes out, but for the last picture, which a decoder may keep until the next.
    let all = sent.load(Ordering::Relaxed) - 1;
    let status = bench.wait_until("all of them", |status| status.frames >= all);
    assert_eq!((status.restarts, status.corrupt), (0, 0), "{status:?}");
    // Not one was skipped on the way: their numbers count those that came.
    assert!(status.frames <= sent.load(Ordering::Relaxed));
    bench.stop();
    drop(server);
}
