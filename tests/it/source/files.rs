//! Files, pictures and test patterns.

use super::{Bench, Load, TIMEOUT, is_alone, video};
use crate::support::{is_long, part};
use bytes::Bytes;
use detector::geometry::Size;
use sightd::{
    camera::CameraState,
    frame::Motion,
    source::{Config, Crop, Flip, Fps, MotionGate},
};
use std::{
    fs,
    hash::{BuildHasher, BuildHasherDefault, DefaultHasher},
    process::Command,
    time::{Duration, Instant},
};

#[test]
fn a_looping_file_is_like_a_camera() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a b.avi");
    video(&file, 25, "");
    let mut bench = Bench::start(&format!("file://{}?loop", file.display())).unwrap();
    let mut last = bench.frame();
    assert_eq!(last.source_size, Size::new(320, 240));
    assert_eq!(last.pixels.size, super::INPUT);
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
    let picture = runtime.block_on(async { tokio::time::timeout(TIMEOUT, viewer.next()).await.unwrap() });
    assert_eq!(picture.size, Size::new(640, 360));
    let decoded = image::load_from_memory(&picture.jpeg).unwrap();
    assert_eq!((decoded.width(), decoded.height()), (640, 360));
    // Neither side sees every frame; those that both see must be the same in all of the stamp.
    let (mut frames, mut pictures) = (vec![], vec![picture.stamp]);
    while !frames.iter().any(|stamp| pictures.contains(stamp)) {
        assert!(frames.len() < 300, "{frames:?} {pictures:?}");
        frames.push(bench.frame().stamp);
        pictures.push(runtime.block_on(async { tokio::time::timeout(TIMEOUT, viewer.next()).await.unwrap() }).stamp);
    }
    for frame in &frames {
        assert!(pictures.iter().all(|picture| (picture.seq == frame.seq) == (picture == frame)));
    }
    bench.stop();
}

#[test]
fn a_frame_rate_is_a_limit() {
    let mut config = Config::new(format!("file://{}?speed=4", part("footage/vtest.avi").display()).parse().unwrap());
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
    fs::create_dir(folder.path().join("photos")).unwrap();
    image::RgbImage::new(8, 8).save(folder.path().join("photos/photo.jpg")).unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    for (uri, part) in [
        (format!("file://{}", at("nowhere.avi")), "nowhere.avi: No such file"),
        (format!("file://{}", at("empty.avi")), "is empty (0 bytes)"),
        (format!("file://{}", at("")), "is a folder"),
        (format!("file://{}", at("photos/photo.jpg")), "is a picture, not a video; write images://"),
        (format!("images://{}", at("")), "no .jpg"),
        (format!("images://{}", at("nowhere")), "No such file"),
    ] {
        let error = Bench::start(&uri).err().expect(&uri);
        assert!(error.is_config() && error.to_string().contains(part), "{error}");
    }
}

#[test]
fn a_file_with_one_frame_plays_as_a_picture_does() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("one.avi");
    video(&file, 1, "");
    for (fps, at_least) in [(None, Duration::from_millis(900)), (Some(2.0), Duration::from_millis(400))] {
        let mut config = Config::new(format!("file://{}?loop", file.display()).parse().unwrap());
        config.fps = fps.map(|fps| Fps::try_from(fps).unwrap());
        let mut bench = Bench::with(config).unwrap();
        let mut last = bench.frame().stamp;
        for _ in 0..4 {
            let next = bench.frame().stamp;
            let time = next.captured.duration_since(last.captured) / u32::try_from(next.seq - last.seq).unwrap();
            assert!(time >= at_least, "{fps:?}: {time:?}");
            last = next;
        }
        bench.stop();
    }
}

#[test]
fn a_file_without_video_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let (sound, text) = (folder.path().join("sound.wav"), folder.path().join("text.avi"));
    let run = Command::new("gst-launch-1.0")
        .args("-q audiotestsrc num-buffers=20 ! wavenc ! filesink".split(' '))
        .arg(format!("location={}", sound.display()))
        .status();
    assert!(run.unwrap().success());
    fs::write(&text, "this is no video at all\n".repeat(100)).unwrap();
    for (file, part) in [(sound, "the file has no video"), (text, "the file is of no kind that GStreamer knows")] {
        let bench = Bench::start(&format!("file://{}", file.display())).unwrap();
        let error = bench.wait_for(CameraState::Failed).last_error.unwrap();
        assert!(error.contains(part), "{error}");
        bench.stop();
    }
}

#[test]
fn what_can_never_play_fails_for_good() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("text.avi");
    fs::write(&text, "this is no video at all\n".repeat(100)).unwrap();
    let cut = folder.path().join("cut.avi");
    fs::write(&cut, &fs::read(part("footage/vtest.avi")).unwrap()[..300]).unwrap();
    for file in [text, cut] {
        let bench = Bench::start(&format!("file://{}?loop", file.display())).unwrap();
        let status = bench.wait_for(CameraState::Failed);
        assert!(status.last_error.is_some(), "{status:?}");
        bench.stop();
    }
}

#[test]
fn a_looping_file_that_breaks_comes_back_when_it_is_whole_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("clip.avi");
    video(&file, 40, "");
    let whole = fs::read(&file).unwrap();
    let mut bench = Bench::start(&format!("file://{}?loop", file.display())).unwrap();
    bench.frame();
    fs::write(&file, "no video\n".repeat(whole.len() / 9)).unwrap(); // under the pipeline's hands
    let broken = bench.wait_until("broken", |status| status.restarts >= 2);
    assert!(broken.last_error.is_some() && broken.state != CameraState::Failed, "{broken:?}");
    fs::write(&file, whole).unwrap();
    bench.wait_for(CameraState::Running);
    let seq = bench.frame().stamp.seq;
    assert!(bench.frame().stamp.seq > seq);
    bench.stop();
}

#[test]
fn pictures_are_cut_and_then_turned() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("corners.png");
    // Red and green above, blue and white below; 20 columns at the left to be cut off.
    let corners = [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]];
    let colour = |x: u32, y: u32| {
        image::Rgb(if x < 20 { [0; 3] } else { corners[usize::from(x >= 70) + 2 * usize::from(y >= 50)] })
    };
    image::RgbImage::from_fn(120, 100, colour).save(&file).unwrap();
    for (flip, order) in [
        (Flip::None, [0, 1, 2, 3]),
        (Flip::Clockwise, [2, 0, 3, 1]),
        (Flip::Counterclockwise, [1, 3, 0, 2]),
        (Flip::Rotate180, [3, 2, 1, 0]),
        (Flip::Horizontal, [1, 0, 3, 2]),
        (Flip::Vertical, [2, 3, 0, 1]),
    ] {
        let mut config = Config::new(format!("images://{}?loop", file.display()).parse().unwrap());
        config.flip = flip;
        config.crop = Crop { left: 20, ..Crop::default() };
        let mut bench = Bench::with(config).unwrap();
        let pixels = bench.frame().pixels;
        let seen = [(20, 20), (280, 20), (20, 280), (280, 280)].map(|(x, y): (usize, u32)| {
            let pixel = &pixels.row(y)[x * 4..x * 4 + 3];
            corners.iter().position(|corner| pixel.iter().zip(corner).all(|(a, b)| a.abs_diff(*b) < 9))
        });
        assert_eq!(seen, order.map(Some), "{flip:?}");
        bench.stop();
    }
}

#[test]
fn a_still_scene_is_said_to_be_still() {
    let folder = tempfile::tempdir().unwrap();
    image::RgbImage::from_pixel(64, 48, image::Rgb([90; 3])).save(folder.path().join("still.png")).unwrap();
    let mut config = Config::new(format!("images://{}?loop", folder.path().display()).parse().unwrap());
    config.fps = Some(Fps::try_from(20.0).unwrap());
    config.motion = Some(MotionGate { linger_ms: 100, ..MotionGate::default() });
    let mut bench = Bench::with(config).unwrap();
    assert_eq!(bench.frame().motion, Motion::Moving, "the first");
    while bench.frame().motion != Motion::Still {}
    bench.stop();
    let mut ungated = Bench::start("test://ball").unwrap();
    assert_eq!(ungated.frame().motion, Motion::Unmeasured);
    ungated.stop();
}

/// Only in long runs: ten minutes of the footage at four times its speed, 30 rounds. Every frame that is seen must be
/// the one of its number, counted from the beginning of its round: then none was lost or doubled between the rounds.
#[test]
fn the_footage_loops_for_long_and_loses_nothing() {
    if !is_long() || !is_alone("files::the_footage_loops_for_long_and_loses_nothing") {
        return;
    }
    const FRAMES: usize = 795;
    let footage = part("footage/vtest.avi");
    let mut bench = Bench::start(&format!("file://{}?loop&speed=4", footage.display())).unwrap();
    let mut pictures = [None; FRAMES];
    let (mut last, mut missed, mut missed_between) = (0, 0, 0);
    let mut before = None;
    let until = Instant::now() + Duration::from_secs(600);
    while Instant::now() < until {
        let frame = bench.frame();
        let seq = usize::try_from(frame.stamp.seq).unwrap();
        let digest = BuildHasherDefault::<DefaultHasher>::default().hash_one(&frame.pixels.data);
        let place = (seq - 1) % FRAMES;
        assert_eq!(*pictures[place].get_or_insert(digest), digest, "frame {seq} is not the one of its number");
        missed += seq - last - 1; // replaced by a newer one while this machine was busy
        missed_between += usize::from(place == 0 && last != seq - 1);
        last = seq;
        if last >= 2 * FRAMES && before.is_none() {
            before = Some(Load::now());
        }
    }
    let (before, after) = (before.unwrap(), Load::now());
    eprintln!("{last} frames in {} rounds, {missed} missed, {missed_between} of them at the loop point", last / FRAMES);
    eprintln!("after two rounds {before:?}, at the end {after:?}");
    assert!(last > 20_000, "{last} frames in ten minutes at 40 a second");
    assert_eq!((bench.status().restarts, missed_between), (0, 0));
    before.assert_kept(&after);
    bench.stop();
}
