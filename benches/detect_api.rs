//! What `POST /detect` costs beside what it cannot do without: decoding the JPEG and running the network.
//!
//! Reference: `photo::decode` and `Engine::run` in a bare loop. Against it: the same picture over a kept-alive HTTP
//! connection through the queue and the inference loop, client included. One thread for the network on both sides, a
//! picture of 1280x720, medians of interleaved rounds; CPU is that of the whole process.
//!
//! Then how long hostile bodies take: what is refused is to be refused within 50 ms.
//!
//! `cargo bench --bench detect_api`; needs the default model, which `make test` imports.

use detector::{
    decode::{self, Thresholds},
    infer::{self, Runtime},
    photo::{self, Orientation},
    status::EnginePhase,
};
use flate2::{Compression, write::ZlibEncoder};
use image::{ImageFormat, RgbImage, codecs::jpeg::JpegEncoder, imageops};
use rustix::time::{ClockId, clock_gettime};
use sightd::{
    channels::{detect_queue::DetectQueue, latest_frames::LatestFrames},
    pipeline::{self, AllThresholds, LiveThresholds, Stages},
    publish::http,
    state::DaemonState,
};
use std::{
    collections::BTreeMap,
    io::{self, BufRead, BufReader, Cursor, Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;
use workshop::load;

const ROUNDS: usize = 9;
const PICTURES: u32 = 30;
const BOMB_ROUNDS: usize = 20;

type Anything<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Anything<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = root.join(".sightd/models/ssdlite-mobilenet-v2.onnx");
    if !path.exists() {
        println!("left out: needs {}", path.display());
        return Ok(());
    }
    let config: infer::Config = toml::from_str("threads = 1\nproviders = [\"cpu\"]")?;
    let runtime = Runtime::load(&config)?;
    let model = load(&path)?;
    let open = || runtime.open(&config, &model, &|_| {});
    let jpeg = picture(root)?;
    let mut engine = open()?;
    let address = serve(Stages::new(open()?, &model.manifest)?, &model.manifest.labels)?;
    let mut client = Client::new(address, &jpeg)?;

    let mut rows = Vec::new();
    for _ in 0..ROUNDS {
        let reference = measured(|| {
            photo::decode(&jpeg, Orientation::Upright)?;
            Ok(engine.run()?)
        })?;
        rows.push((reference, measured(|| client.post())?));
    }
    let of = |pick: fn(&(Sample, Sample)) -> f64| median(rows.iter().map(pick).collect()) * 1e3;
    let (cpu, api_cpu) = (of(|row| row.0.cpu), of(|row| row.1.cpu));
    let (wall, api_wall) = (of(|row| row.0.wall), of(|row| row.1.wall));
    println!(
        "1280x720 JPEG of {} KB, medians of {ROUNDS} rounds of {PICTURES} pictures, ms for each:",
        jpeg.len() / 1000
    );
    println!("                         CPU    wall");
    println!("  decode and run      {cpu:6.2}  {wall:6.2}");
    println!("  POST /detect        {api_cpu:6.2}  {api_wall:6.2}");
    println!("  ratio               {:6.3}  {:6.3}", api_cpu / cpu, api_wall / wall);
    bombs(address)
}

/// What hostile pictures cost: until the answer is there, upload included.
fn bombs(address: SocketAddr) -> Anything<()> {
    println!("\nhostile bodies, {BOMB_ROUNDS} of each, ms until the answer is there:");
    println!("                                              status  median  slowest");
    for (name, body, wanted) in hostile()? {
        let mut client = Client::new(address, &body)?;
        let mut times = Vec::new();
        for _ in 0..BOMB_ROUNDS {
            let began = Instant::now();
            let status = client.status()?;
            times.push(began.elapsed().as_secs_f64() * 1e3);
            assert_eq!(status, wanted, "{name}");
        }
        let slowest = times.iter().copied().fold(0.0, f64::max);
        println!("  {name:42}  {wanted:6}  {:6.2}  {slowest:7.2}", median(times));
    }
    Ok(())
}

/// Bodies by what they are, and the status that they get.
fn hostile() -> Anything<Vec<(&'static str, Vec<u8>, u16)>> {
    let file = |format| -> Anything<Vec<u8>> {
        let mut bytes = Cursor::new(Vec::new());
        RgbImage::new(640, 360).write_to(&mut bytes, format)?;
        Ok(bytes.into_inner())
    };
    let (jpeg, png) = (file(ImageFormat::Jpeg)?, file(ImageFormat::Png)?);
    let frame = jpeg.windows(2).position(|marker| marker == [0xff, 0xc0]).ok_or("no JPEG frame")?;
    let jpeg_of = |side: u16| {
        let sides = [side.to_be_bytes(), side.to_be_bytes()].concat();
        [&jpeg[..frame + 5], &sides, &jpeg[frame + 9..]].concat()
    };
    let png_of = |side: u32| [&png[..16], &side.to_be_bytes(), &side.to_be_bytes(), &png[24..]].concat();
    let scans = [0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0].repeat(100_000);
    let mut packed = ZlibEncoder::new(b"name\0\0".to_vec(), Compression::best());
    io::copy(&mut io::repeat(0).take(256 << 20), &mut packed)?;
    let packed = packed.finish()?;
    let png_with = |kind: &[u8]| {
        let typed = [kind, &packed].concat();
        let mut sum = flate2::Crc::new();
        sum.update(&typed);
        let length = (packed.len() as u32).to_be_bytes();
        [&png[..33], &length, &typed, &sum.sum().to_be_bytes(), &png[33..]].concat() // after signature and header
    };
    Ok(vec![
        ("PNG that says 65000x65000", png_of(65_000), 413),
        ("JPEG that says 65000x65000", jpeg_of(65_000), 413),
        ("10 MiB and a byte", vec![0xff; (10 << 20) + 1], 413),
        ("JPEG of 25 million pixels in 100001 scans", [jpeg_of(5000), scans].concat(), 422),
        ("JPEG of 25 million pixels, cut short", jpeg_of(5000)[..frame + 40].to_vec(), 422),
        ("PNG of 25 million pixels, cut short", png_of(5000)[..png.len() / 2].to_vec(), 422),
        ("PNG of 640x360 with 256 MB in zTXt", png_with(b"zTXt"), 200),
        ("PNG of 640x360 with 256 MB in iCCP", png_with(b"iCCP"), 200),
    ])
}

/// The HTTP server and what stands behind it.
fn serve(mut stages: Stages, labels: &[String]) -> Anything<SocketAddr> {
    let (mut latest_frames, frames_handle) = LatestFrames::new();
    let (detect_queue, state) = (DetectQueue::default(), Arc::new(DaemonState::default()));
    state.status.phase.send_replace(EnginePhase::Ready);
    let api = http::Api::new(state.clone(), detect_queue.clone(), &http::Config::default())?;
    thread::spawn(move || detect_queue.serve(&frames_handle));
    let stills = Thresholds::resolve(&decode::Config::default(), labels).map_err(|unknown| format!("{unknown:?}"))?;
    let thresholds = LiveThresholds::from_pointee(AllThresholds { cameras: BTreeMap::new(), stills });
    thread::spawn(move || pipeline::run(&mut latest_frames, &mut stages, &thresholds, &state));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))?;
    let address = listener.local_addr()?;
    thread::spawn(move || runtime.block_on(http::serve(listener, api, CancellationToken::new())));
    Ok(address)
}

/// A street or, without the acceptance data, a texture, 1280x720.
fn picture(root: &Path) -> Anything<Vec<u8>> {
    let photo = root.join("../shared/data/photos/city_0.jpg");
    let pixels = if photo.exists() {
        let photo = photo::decode(&std::fs::read(photo)?, Orientation::Upright)?;
        imageops::resize(&photo, 1280, 720, imageops::FilterType::CatmullRom)
    } else {
        RgbImage::from_fn(1280, 720, |x, y| {
            image::Rgb([((x * 7) ^ (y * 3)) as u8, (x / 5 + y / 3) as u8, (x * y / 99) as u8])
        })
    };
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, 85).encode_image(&pixels)?;
    Ok(jpeg)
}

/// A client that does as little as it can, so that it is mostly the server that is measured.
struct Client {
    stream: BufReader<TcpStream>,
    request: Vec<u8>,
}

impl Client {
    fn new(address: SocketAddr, body: &[u8]) -> Anything<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        let head = format!(
            "POST /detect HTTP/1.1\r\nHost: {address}\r\nContent-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        Ok(Self { stream: BufReader::new(stream), request: [head.as_bytes(), body].concat() })
    }

    fn post(&mut self) -> Anything<()> {
        match self.status()? {
            200 => Ok(()),
            other => Err(format!("the answer was {other}").into()),
        }
    }

    /// Sends the request and reads the whole answer.
    fn status(&mut self) -> Anything<u16> {
        self.stream.get_mut().write_all(&self.request)?;
        let (mut line, mut status, mut length) = (String::new(), 0, 0);
        loop {
            line.clear();
            self.stream.read_line(&mut line)?;
            match line.trim_end().split_once(' ') {
                Some(("HTTP/1.1", rest)) => status = rest[..3].parse()?,
                Some((name, value)) if name.eq_ignore_ascii_case("content-length:") => length = value.parse()?,
                Some(_) => {}
                None => break,
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body)?;
        Ok(status)
    }
}

/// Seconds for each picture.
struct Sample {
    wall: f64,
    cpu: f64,
}

fn measured(mut look: impl FnMut() -> Anything<()>) -> Anything<Sample> {
    look()?;
    let (wall, used) = (Instant::now(), cpu());
    for _ in 0..PICTURES {
        look()?;
    }
    let per = |span: Duration| span.as_secs_f64() / f64::from(PICTURES);
    Ok(Sample { wall: per(wall.elapsed()), cpu: per(cpu() - used) })
}

/// CPU time of the whole process so far, all threads.
fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap_or(0), time.tv_nsec.try_into().unwrap_or(0))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
