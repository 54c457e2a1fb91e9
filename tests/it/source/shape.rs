//! Video that does not stand upright in its file, or whose pixels are not square.

use super::{Bench, TIMEOUT, fake_elements, is_alone};
use detector::geometry::Size;
use sightd::source::{Config, Flip};
use std::{fs, path::Path, process::Command};

/// Three seconds of a picture that is white in its upper half and black in its lower one.
fn video(path: &Path, size: Size, ratio: &str, mux: &str) {
    let text = format!(
        "-q videotestsrc num-buffers=30 pattern=solid-color foreground-color=0xffffffff \
         ! video/x-raw,format=I420,width={width},height={half},framerate=10/1 \
         ! videobox bottom=-{half} fill=black ! video/x-raw,format=I420,width={width},height={height} \
         ! capssetter caps=video/x-raw,pixel-aspect-ratio={ratio} \
         ! x264enc tune=zerolatency speed-preset=ultrafast ! h264parse ! {mux} ! filesink location={}",
        path.display(),
        width = size.width,
        height = size.height,
        half = size.height / 2,
    );
    let run = Command::new("gst-launch-1.0").args(text.split_whitespace()).output().unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
}

/// Writes the matrix of each track in the file anew.
fn turn(path: &Path, [a, b, c, d]: [i32; 4]) {
    let mut file = fs::read(path).unwrap();
    let header = file.windows(4).position(|kind| kind == b"tkhd").expect("a track") + 4;
    let matrix = header + if file[header] == 1 { 52 } else { 40 };
    for (at, part) in [(0, a), (4, b), (12, c), (16, d)] {
        file[matrix + at..matrix + at + 4].copy_from_slice(&(part * 0x1_0000).to_be_bytes());
    }
    fs::write(path, file).unwrap();
}

/// The side of the picture that is white.
fn white_side(row: impl Fn(u32) -> [u8; 2]) -> &'static str {
    let [[a, b], [c, d]] = [row(0), row(1)].map(|row| row.map(|level| u8::from(level > 128)));
    match (a, b, c, d) {
        (1, 1, 0, 0) => "top",
        (0, 0, 1, 1) => "bottom",
        (1, 0, 1, 0) => "left",
        (0, 1, 0, 1) => "right",
        _ => "none",
    }
}

#[test]
fn turned_video_stands_upright_for_the_model_and_on_the_page() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("turned.mp4");
    let (wide, high) = (Size::new(320, 160), Size::new(160, 320));
    for (matrix, flip, size, side) in [
        ([1, 0, 0, 1], Flip::None, wide, "top"),
        ([0, 1, -1, 0], Flip::None, high, "right"),
        ([-1, 0, 0, -1], Flip::None, wide, "bottom"),
        ([0, -1, 1, 0], Flip::None, high, "left"),
        ([1, 0, 0, -1], Flip::None, wide, "bottom"),
        ([0, 1, 1, 0], Flip::None, high, "left"),
        ([0, 1, -1, 0], Flip::Clockwise, wide, "bottom"),
        ([0, 1, -1, 0], Flip::Horizontal, high, "left"),
    ] {
        video(&file, wide, "1/1", "mp4mux");
        turn(&file, matrix);
        let mut config = Config::new(format!("file://{}?loop", file.display()).parse().unwrap());
        config.flip = flip;
        let mut bench = Bench::with(config).unwrap();
        let frame = bench.frame();
        assert_eq!(frame.source_size, size, "{matrix:?} {flip:?}");
        let seen = white_side(|row| [75, 225].map(|x| frame.pixels.row(75 + 150 * row)[x * 4]));
        assert_eq!(seen, side, "{matrix:?} {flip:?}");
        let mut viewer = bench.pictures.watch();
        let picture = runtime.block_on(async { tokio::time::timeout(TIMEOUT, viewer.next()).await.unwrap() });
        let decoded = image::load_from_memory(&picture.jpeg).unwrap().into_luma8();
        assert_eq!(Size::new(decoded.width(), decoded.height()), size);
        let (x, y) = (size.width / 4, size.height / 4);
        assert_eq!(white_side(|row| [1, 3].map(|column| decoded.get_pixel(x * column, y * (1 + 2 * row)).0[0])), side);
        let mut viewer = bench.video.watch();
        let video = runtime.block_on(async { tokio::time::timeout(TIMEOUT, viewer.next()).await.unwrap() }).unwrap();
        assert_eq!(video.frame.frame.codec.size, size, "{matrix:?} {flip:?}");
        bench.stop();
    }
}

#[test]
fn pixels_are_square() {
    let folder = tempfile::tempdir().unwrap();
    for (mux, name) in [("mp4mux", "wide.mp4"), ("matroskamux", "wide.mkv"), ("mpegtsmux", "wide.ts")] {
        let file = folder.path().join(name);
        video(&file, Size::new(360, 576), "32/15", mux);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let mut bench = Bench::start(&format!("file://{}?loop", file.display())).unwrap();
        assert_eq!(bench.frame().source_size, Size::new(768, 576), "{name}");
        let mut viewer = bench.pictures.watch();
        let picture = runtime.block_on(async { tokio::time::timeout(TIMEOUT, viewer.next()).await.unwrap() });
        let decoded = image::load_from_memory(&picture.jpeg).unwrap();
        assert_eq!((decoded.width(), decoded.height()), (768, 576), "{name}");
        bench.stop();
    }
}

#[test]
fn a_jetson_turns_video_and_makes_its_pixels_square() {
    if !is_alone("shape::a_jetson_turns_video_and_makes_its_pixels_square") {
        return;
    }
    fake_elements::register_jetson();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("wide.mp4");
    video(&file, Size::new(360, 576), "32/15", "mp4mux");
    for (matrix, size, flip) in [
        ([1, 0, 0, 1], Size::new(768, 576), "output-buffers=8 name=to-square !"),
        ([0, 1, -1, 0], Size::new(576, 768), "output-buffers=8 name=to-square flip-method=3 !"),
    ] {
        turn(&file, matrix);
        let mut bench = Bench::start(&format!("file://{}?loop", file.display())).unwrap();
        assert_eq!(bench.frame().source_size, size, "{matrix:?}");
        let pipeline = bench.status().pipeline;
        assert!(pipeline.contains(flip), "{pipeline}");
        bench.stop();
    }
}
