//! A network camera that goes away in every way, served by GStreamer's own RTSP server.

use super::{Bench, Load, TIMEOUT, is_alone};
use crate::support::{is_long, root};
use detector::geometry::Size;
use sightd::{
    camera::{CameraState, CameraStatus},
    channels::latest_frames::Next,
    source::{Config, Secret},
};
use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// The server, as a process that can be killed and stopped.
pub struct Server {
    process: Child,
}

impl Server {
    pub fn start(port: u16, size: Size, codec: &str, login: &[&str]) -> Self {
        let arguments = [port.to_string(), size.width.to_string(), size.height.to_string(), "5".into(), codec.into()];
        let mut process = Command::new("/usr/bin/python3") // the one with Debian's modules
            .arg(root().join("tests/data/rtsp_server.py"))
            .args(arguments)
            .args(login)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        Self { process }
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([name, &self.process.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill(); // also when it is stopped
        let _ = self.process.wait();
    }
}

/// A port that is free now.
pub fn port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Accepts connections, and answers everything with noise, until dropped.
struct Garbage {
    stop: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Garbage {
    fn start(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = thread::spawn(move || {
            let noise: Vec<u8> = (0..4096u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
            while !stopped.load(Ordering::Relaxed) {
                match listener.accept() {
                    Ok((mut client, _)) => babble(&mut client, &noise),
                    Err(_) => thread::sleep(Duration::from_millis(10)),
                }
            }
        });
        Self { stop, thread: Some(thread) }
    }
}

fn babble(client: &mut TcpStream, noise: &[u8]) {
    client.set_nonblocking(false).unwrap();
    client.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let _ = client.read(&mut [0; 1024]);
    let _ = client.write_all(noise);
}

impl Drop for Garbage {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Trouble {
    Killed,
    Paused,
    OtherSize,
    Garbage,
    /// It asks for a password that the camera was not given; only in long runs, because of the half minute after it.
    QueueError,
}

/// Takes frames until one comes that was captured after `since`, and gives the time from then on.
fn time_to_frame(bench: &mut Bench, since: Instant) -> Duration {
    loop {
        let frame = bench.frame();
        if frame.stamp.captured > since {
            return since.elapsed();
        }
    }
}

/// Takes frames for a while, as an engine does.
fn drain(bench: &mut Bench, time: Duration) -> u64 {
    let until = Instant::now() + time;
    let mut count = 0;
    while let Some(left) = until.checked_duration_since(Instant::now()) {
        if let Next::Frame(..) = bench.latest_frames.next(left) {
            count += 1;
        }
    }
    count
}

/// One round of `trouble`; gives the server that runs after it, and how long the camera took to return.
fn suffer(trouble: Trouble, bench: &mut Bench, server: Server, port: u16, round: usize) -> (Server, Duration) {
    let small = Size::new(320, 240);
    let lost = |bench: &Bench| bench.wait_until("lost", |status| status.state != CameraState::Running);
    match trouble {
        Trouble::Killed | Trouble::OtherSize => {
            drop(server);
            lost(bench);
            let size =
                if matches!(trouble, Trouble::Killed) { small } else { Size::new(640, 320 + 16 * (round as u32 % 8)) };
            let server = Server::start(port, size, "jpeg", &[]);
            let time = time_to_frame(bench, Instant::now());
            assert_eq!(bench.wait_for(CameraState::Running).size, Some(size));
            (server, time)
        }
        Trouble::Paused => {
            server.signal("-STOP");
            let status = lost(bench);
            assert!(status.last_error.unwrap().contains("no frame came for"));
            thread::sleep(Duration::from_secs(1));
            server.signal("-CONT");
            let time = time_to_frame(bench, Instant::now());
            (server, time)
        }
        Trouble::Garbage => {
            drop(server);
            lost(bench);
            let garbage = Garbage::start(port);
            thread::sleep(Duration::from_secs(2));
            drop(garbage);
            let server = Server::start(port, small, "jpeg", &[]);
            let time = time_to_frame(bench, Instant::now());
            (server, time)
        }
        Trouble::QueueError => {
            drop(server);
            lost(bench);
            let refusing = Server::start(port, small, "jpeg", &["viewer", "secret"]);
            let refused = |status: &CameraStatus| status.last_error.as_ref().unwrap().contains("user and password");
            bench.wait_until("refused", refused);
            let refused = Instant::now();
            drop(refusing);
            let server = Server::start(port, small, "jpeg", &[]);
            let start = Instant::now();
            time_to_frame(bench, start);
            // It is asked again half a minute after its refusal: what counts is the time from then on.
            (server, refused.max(start).elapsed().saturating_sub(REFUSED_PAUSE))
        }
    }
}

/// How long a camera that has refused a password is left alone.
const REFUSED_PAUSE: Duration = Duration::from_secs(30);

#[test]
fn a_network_camera_comes_back_and_nobody_else_notices() {
    if !is_alone("rtsp::a_network_camera_comes_back_and_nobody_else_notices") {
        return;
    }
    let (port, other_port) = (port(), port());
    let mut server = Server::start(port, Size::new(320, 240), "jpeg", &[]);
    let other_server = Server::start(other_port, Size::new(320, 240), "jpeg", &[]);
    let mut bench = Bench::start(&format!("rtsp://127.0.0.1:{port}/live")).unwrap();
    let mut other = Bench::start(&format!("rtsp://127.0.0.1:{other_port}/live")).unwrap();
    bench.frame();
    let first_of_other = other.frame().stamp.seq;
    let stop = Arc::new(AtomicBool::new(false));
    let (stopped, status) = (stop.clone(), other.status.clone());
    let reader = thread::spawn(move || {
        let mut taken = 1;
        while !stopped.load(Ordering::Relaxed) {
            taken += u64::from(matches!(other.latest_frames.next(Duration::from_millis(100)), Next::Frame(..)));
        }
        (other, taken)
    });
    let mut troubles = vec![Trouble::Killed, Trouble::Paused, Trouble::OtherSize, Trouble::Garbage];
    if is_long() {
        troubles.push(Trouble::QueueError);
    }
    let (warm_up, rounds) = (troubles.len(), if is_long() { 50 } else { 4 });
    let (mut before, mut slowest, mut last) = (Load::now(), Duration::ZERO, bench.status().restarts);
    for round in 0..warm_up + rounds {
        if round == warm_up {
            before = Load::now();
        }
        let trouble = troubles[round % troubles.len()];
        let (after, time) = suffer(trouble, &mut bench, server, port, round);
        server = after;
        let running =
            bench.wait_until("counted", |status| status.state == CameraState::Running && status.restarts > last);
        last = running.restarts;
        slowest = slowest.max(time);
        eprintln!(
            "round {round}: {trouble:?}, back after {time:.2?}, {} restarts, {:?}",
            running.restarts,
            Load::now()
        );
        drain(&mut bench, Duration::from_millis(500));
    }
    let after = Load::now();
    eprintln!("slowest return {slowest:.2?}; before {before:?}, after {after:?}");
    // 5 s is the aim, and what is measured on an idle machine; a busy one may need longer to start a server.
    assert!(slowest < Duration::from_secs(if is_long() { 5 } else { 15 }), "{slowest:?}");
    before.assert_kept(&after);
    stop.store(true, Ordering::Relaxed);
    let (mut other, taken) = reader.join().unwrap();
    let last_of_other = other.frame().stamp.seq;
    let CameraStatus { restarts, last_error, .. } = status.borrow().clone();
    assert_eq!((restarts, last_error), (0, None), "the other camera");
    assert_eq!(last_of_other - first_of_other, taken, "frames the other camera lost");
    bench.stop();
    other.stop();
    drop(other_server);
}

#[test]
fn a_refused_password_is_named_and_a_given_one_works() {
    let port = port();
    let login = ["viewer", "s3cret pass"];
    let server = Server::start(port, Size::new(320, 240), "jpeg", &login);
    let uri = format!("rtsp://127.0.0.1:{port}/live");
    let refused = Bench::start(&uri.replace("://", "://viewer:wrong@")).unwrap();
    let status = refused.wait_for(CameraState::Retrying);
    let error = status.last_error.unwrap();
    assert!(error.contains("user and password"), "{error}");
    assert!(!format!("{:?}", refused.status()).contains("wrong"));
    thread::sleep(Duration::from_secs(4));
    assert_eq!(refused.status().restarts, 0, "it tries again only after half a minute");
    refused.stop();

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    fs::write(&file, format!("{}\n", login[1])).unwrap();
    let mut from_file = Config::new(uri.parse().unwrap());
    from_file.network.user = Some(login[0].into());
    from_file.network.password_file = Some(file);
    let mut from_value = Config::new(uri.parse().unwrap());
    from_value.network.user = Some(login[0].into());
    from_value.network.password = Some(Secret::new(login[1]));
    let in_uri = Config::new(uri.replace("://", "://viewer:s3cret%20pass@").parse().unwrap());
    for config in [from_file, from_value, in_uri] {
        let mut bench = Bench::with(config).unwrap();
        bench.frame();
        let status = format!("{:?}", bench.status());
        assert!(!status.contains("s3cret"), "{status}");
        bench.stop();
    }
    drop(server);
}

#[test]
fn h264_plays_and_its_times_are_those_of_the_capture() {
    let port = port();
    let server = Server::start(port, Size::new(320, 240), "h264", &[]);
    let mut bench = Bench::start(&format!("rtsp://127.0.0.1:{port}/live")).unwrap();
    let first = bench.frame();
    assert_eq!(first.source_size, Size::new(320, 240));
    let mut last = first.stamp;
    for _ in 0..10 {
        let frame = bench.frame();
        assert!(frame.stamp.captured > last.captured && frame.stamp.seq > last.seq);
        assert!(frame.arrived.duration_since(frame.stamp.captured) < TIMEOUT);
        last = frame.stamp;
    }
    bench.stop();
    drop(server);
}

/// Passes a connection to `server` on, but each of its first answers only after `delay`.
fn slow_proxy(server: u16, delay: Duration) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let Ok(upstream) = TcpStream::connect(("127.0.0.1", server)) else { return };
            let (to_server, from_client) = (upstream.try_clone().unwrap(), client.try_clone().unwrap());
            thread::spawn(move || pass(from_client, to_server, Duration::ZERO));
            thread::spawn(move || pass(upstream, client, delay));
        }
    });
    port
}

fn pass(mut from: TcpStream, mut to: TcpStream, delay: Duration) {
    let mut buffer = [0; 65_536];
    let mut answers = 0;
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        if answers < 4 {
            thread::sleep(delay); // OPTIONS, DESCRIBE, SETUP, PLAY
            answers += 1;
        }
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Both);
}

#[test]
fn a_camera_that_answers_slowly_connects_within_its_time() {
    let (server_port, delay) = (port(), Duration::from_secs(1));
    let server = Server::start(server_port, Size::new(320, 240), "jpeg", &[]);
    let proxy = slow_proxy(server_port, delay);
    let mut config = Config::new(format!("rtsp://127.0.0.1:{proxy}/live").parse().unwrap());
    let mut bench = Bench::with(config.clone()).unwrap();
    bench.frame();
    assert_eq!(bench.status().restarts, 0);
    bench.stop();
    config.network.connect_timeout_ms = 1_500.try_into().unwrap();
    let hasty = Bench::with(config).unwrap();
    let error = hasty.wait_until("too slow", |status| status.last_error.is_some()).last_error.unwrap();
    assert_eq!(error, "the camera does not answer within 1.5s (network.connect_timeout_ms)");
    hasty.stop();
    drop(server);
}

#[test]
fn what_is_wrong_with_an_address_is_said() {
    let (port, nobody) = (port(), port());
    let server = Server::start(port, Size::new(320, 240), "jpeg", &[]);
    for (uri, part) in [
        (format!("rtsp://127.0.0.1:{nobody}/live"), format!("127.0.0.1:{nobody} refuses the connection")),
        (format!("http://127.0.0.1:{nobody}/live"), format!("127.0.0.1:{nobody} refuses the connection")),
        (format!("rtsp://127.0.0.1:{port}/other"), "has no stream of this name".to_owned()),
        ("rtsp://no..host/live".to_owned(), "the host no..host is unknown".to_owned()),
    ] {
        let bench = Bench::start(&uri).unwrap();
        let error = bench.wait_until("failed", |status| status.last_error.is_some()).last_error.unwrap();
        assert!(error.contains(&part), "{uri}: {error}");
        bench.stop();
    }
    drop(server);
}
