//! Sources: real GStreamer pipelines, from a file or a test picture to the mailbox and the pictures.

use bytes::Bytes;
use sightd::{
    camera::{CameraName, CameraState, CameraStatus},
    frame::Frame,
    geometry::Size,
    mailbox::{Mailroom, Next},
    pictures::Pictures,
    source::{
        self, Config, Fps, Handle, Outlet, SourceError,
        scale::{Image, RawFormat, ScaleError, Scaler},
    },
};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::watch;

const INPUT: Size = Size::new(300, 300);
/// Long enough for a busy machine; reached only when something is broken.
const PATIENCE: Duration = Duration::from_secs(60);

/// A camera under test, and all that it gives.
struct Bench {
    mailroom: Mailroom,
    pictures: Arc<Pictures>,
    status: watch::Receiver<CameraStatus>,
    handle: Handle,
}

impl Bench {
    fn start(uri: &str) -> Result<Self, SourceError> {
        Self::with(Config::new(uri.parse()?))
    }

    fn with(config: Config) -> Result<Self, SourceError> {
        let camera: CameraName = "cam".parse().unwrap();
        let (mailroom, desk) = Mailroom::new();
        let pictures = Arc::new(Pictures::default());
        let (sender, status) = watch::channel(CameraStatus::new(String::new()));
        let outlet = Outlet { frames: desk.open(&camera), camera, pictures: pictures.clone(), status: sender };
        let handle = source::spawn(config, INPUT, outlet)?;
        Ok(Self { mailroom, pictures, status, handle })
    }

    fn frame(&mut self) -> Frame {
        match self.mailroom.next(PATIENCE) {
            Next::Frame(_, frame) => frame,
            other => panic!("{other:?}; {:?}", *self.status.borrow()),
        }
    }

    fn wait_for(&mut self, state: CameraState) -> CameraStatus {
        let until = Instant::now() + PATIENCE;
        loop {
            let status = self.status.borrow_and_update().clone();
            if status.state == state {
                return status;
            }
            assert!(Instant::now() < until, "no {state:?}: {status:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn stop(self) {
        self.handle.stop(Instant::now() + PATIENCE).unwrap();
    }
}

fn footage() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(".sightd/footage/vtest.avi")
}

/// A video of `frames` frames whose every frame differs, at 25 fps, made by GStreamer itself.
fn video(path: &Path, frames: u32, more: &str) {
    let text = format!(
        "-q videotestsrc num-buffers={frames} pattern=ball ! video/x-raw,format=I420,width=320,height=240,framerate=25/1 \
         ! jpegenc ! avimux name=mux ! filesink {more}"
    );
    let filter = text.split_whitespace().flat_map(|word| match word {
        "filesink" => vec![word.to_owned(), format!("location={}", path.display().to_string())],
        _ => vec![word.to_owned()],
    });
    let run = Command::new("gst-launch-1.0").args(filter).output().unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
}

#[test]
fn a_looping_file_is_like_a_camera() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a b.avi");
    video(&file, 25, "");
    let mut bench = Bench::start(&format!("file://{}?loop", file.display())).unwrap();
    let mut last = bench.frame();
    assert_eq!(last.source_size, Size::new(320, 240));
    assert_eq!(last.pixels.size, INPUT);
    assert!(last.pixels.data.len() >= 300 * 300 * 4);
    for _ in 0..70 {
        let frame = bench.frame();
        assert!(frame.stamp.seq > last.stamp.seq);
        assert!(frame.stamp.captured > last.stamp.captured);
        assert!(frame.stamp.captured <= frame.arrived);
        last = frame;
    }
    while bench.status.borrow().frames < last.stamp.seq {
        bench.frame();
    }
    let status = bench.wait_for(CameraState::Running);
    assert_eq!((status.restarts, status.last_error), (0, None));
    bench.stop();
}

#[test]
fn as_fast_as_possible_drops_nothing_and_ends() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("clip.avi");
    video(&file, 60, "");
    let mut bench = Bench::start(&format!("file://{}?speed=max", file.display())).unwrap();
    let seqs: Vec<u64> = (0..60).map(|_| bench.frame().stamp.seq).collect();
    assert_eq!(seqs, (1..=60).collect::<Vec<u64>>());
    let status = bench.wait_for(CameraState::Ended);
    assert_eq!((status.frames, status.last_error), (60, None));
    bench.stop();
}

#[test]
fn the_loop_point_loses_no_frame() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("clip.avi");
    video(&file, 20, "");
    let mut bench = Bench::start(&format!("file://{}?loop&speed=max", file.display())).unwrap();
    let pictures: Vec<Bytes> = (0..60).map(|_| bench.frame().pixels.data).collect();
    for index in 0..40 {
        assert!(pictures[index] == pictures[index + 20], "frame {index} is another one in the next round");
    }
    assert!(pictures[0] != pictures[10]);
    bench.stop();
}

#[test]
fn sound_does_not_matter() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("clip.avi");
    video(&file, 30, "audiotestsrc num-buffers=50 ! audio/x-raw,format=S16LE ! mux.");
    let mut bench = Bench::start(&format!("file://{}", file.display())).unwrap();
    bench.frame();
    bench.wait_for(CameraState::Ended);
    bench.stop();
}

#[test]
fn pictures_are_made_only_while_someone_watches_and_carry_the_frames_stamps() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let mut bench = Bench::start("test://ball").unwrap();
    bench.frame();
    let mut viewer = bench.pictures.watch();
    let picture = runtime.block_on(async { tokio::time::timeout(PATIENCE, viewer.next()).await.unwrap() });
    assert_eq!(picture.size, Size::new(640, 360));
    let decoded = image::load_from_memory(&picture.jpeg).unwrap();
    assert_eq!((decoded.width(), decoded.height()), (640, 360));
    // Neither side sees every frame; those that both see must be the same in all of the stamp.
    let (mut frames, mut pictures) = (vec![], vec![picture.stamp]);
    while !frames.iter().any(|stamp| pictures.contains(stamp)) {
        assert!(frames.len() < 300, "{frames:?} {pictures:?}");
        frames.push(bench.frame().stamp);
        pictures.push(runtime.block_on(async { tokio::time::timeout(PATIENCE, viewer.next()).await.unwrap() }).stamp);
    }
    for frame in &frames {
        assert!(pictures.iter().all(|picture| (picture.seq == frame.seq) == (picture == frame)));
    }
    bench.stop();
}

#[test]
fn a_frame_rate_is_a_limit() {
    let mut config = Config::new(format!("file://{}?speed=4", footage().display()).parse().unwrap());
    config.fps = Some(Fps::try_from(5.0).unwrap());
    let mut bench = Bench::with(config).unwrap();
    let first = bench.frame().stamp.captured;
    let mut last = first;
    for _ in 0..10 {
        let next = bench.frame().stamp.captured;
        assert!(next.duration_since(last) >= Duration::from_millis(150), "{:?}", next.duration_since(last));
        last = next;
    }
    bench.stop();
}

#[test]
fn a_folder_of_pictures_of_any_size_plays() {
    let folder = tempfile::tempdir().unwrap();
    image::RgbImage::from_pixel(31, 17, image::Rgb([255, 0, 0])).save(folder.path().join("1.png")).unwrap();
    image::RgbImage::from_pixel(640, 480, image::Rgb([0, 255, 0])).save(folder.path().join("2.JPG")).unwrap();
    fs::write(folder.path().join("notes.txt"), "no picture").unwrap();
    let mut config = Config::new(format!("images://{}?loop", folder.path().display()).parse().unwrap());
    config.fps = Some(Fps::try_from(20.0).unwrap());
    let mut bench = Bench::with(config).unwrap();
    let mut seen = [0; 2];
    while seen[0] < 3 || seen[1] < 3 {
        let frame = bench.frame();
        let colour = &frame.pixels.row(150)[..3];
        if frame.source_size == Size::new(31, 17) {
            assert_eq!(colour, [255, 0, 0]);
            seen[0] += 1;
        } else {
            assert_eq!(frame.source_size, Size::new(640, 480));
            assert!(colour[0] < 5 && colour[1] > 250, "{colour:?}");
            seen[1] += 1;
        }
    }
    bench.stop();
}

#[test]
fn what_can_never_work_is_said_before_it_starts() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("empty.avi"), "").unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    for (uri, part) in [
        (format!("file://{}", at("nowhere.avi")), "nowhere.avi: No such file"),
        (format!("file://{}", at("empty.avi")), "is empty (0 bytes)"),
        (format!("file://{}", at("")), "is a folder"),
        (format!("images://{}", at("")), "no .jpg"),
        (format!("images://{}", at("nowhere")), "No such file"),
    ] {
        let error = Bench::start(&uri).err().expect(&uri);
        assert!(error.is_config() && error.to_string().contains(part), "{error}");
    }
}

#[test]
fn what_can_never_play_fails_for_good() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("text.avi");
    fs::write(&text, "this is no video at all\n".repeat(100)).unwrap();
    let cut = folder.path().join("cut.avi");
    fs::write(&cut, &fs::read(footage()).unwrap()[..300]).unwrap();
    for file in [text, cut] {
        let mut bench = Bench::start(&format!("file://{}?loop", file.display())).unwrap();
        let status = bench.wait_for(CameraState::Failed);
        assert!(status.last_error.is_some(), "{status:?}");
        bench.stop();
    }
}

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
