//! Files, pictures and test patterns.

use super::{Bench, PATIENCE, video};
use crate::support::part;
use bytes::Bytes;
use sightd::{
    camera::CameraState,
    geometry::Size,
    source::{Config, Fps},
};
use std::{fs, time::Duration};

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
    fs::write(&cut, &fs::read(part("footage/vtest.avi")).unwrap()[..300]).unwrap();
    for file in [text, cut] {
        let bench = Bench::start(&format!("file://{}?loop", file.display())).unwrap();
        let status = bench.wait_for(CameraState::Failed);
        assert!(status.last_error.is_some(), "{status:?}");
        bench.stop();
    }
}

/// Only in long runs: ten minutes of the footage at four times its speed, 30 rounds.
#[test]
fn the_footage_loops_for_long_and_loses_nothing() {
    if !super::is_long() {
        return;
    }
    let footage = part("footage/vtest.avi");
    let mut bench = Bench::start(&format!("file://{}?loop&speed=4", footage.display())).unwrap();
    let mut last = bench.frame().stamp.seq;
    let until = std::time::Instant::now() + Duration::from_secs(600);
    while std::time::Instant::now() < until {
        let seq = bench.frame().stamp.seq;
        assert_eq!(seq, last + 1, "a frame was lost");
        last = seq;
    }
    assert_eq!(bench.status().restarts, 0);
    assert!(last > 20_000, "{last} frames in ten minutes at 40 a second");
    bench.stop();
}
