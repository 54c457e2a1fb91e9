//! Pipelines that are taken down while they still start or fail.

use super::{Bench, Complaints, is_alone, make};
use sightd::camera::CameraState;
use std::{
    fs, thread,
    time::{Duration, Instant},
};

/// Cameras at a time, as in the report of this fault: one in five met it.
const CAMERAS: usize = 20;
const ROUNDS: usize = 4;

/// The index of such a file is at its end: cut in the middle, it fails while the decoder still adds elements, and is
/// taken down from another thread at that very moment.
#[test]
fn many_failing_pipelines_come_down_without_a_complaint() {
    if !is_alone("teardown::many_failing_pipelines_come_down_without_a_complaint") {
        return;
    }
    let complaints = Complaints::listen();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cut.mov");
    make(&file, 100, "qtmux", "");
    let whole = fs::read(&file).unwrap();
    fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    let uri = format!("file://{}?loop", file.display());
    let mut failed = 0;
    for _ in 0..ROUNDS {
        let cameras: Vec<Bench> = (0..CAMERAS).map(|_| Bench::start(&uri).unwrap()).collect();
        let has_failed = |camera: &Bench| camera.status().state == CameraState::Failed;
        // Some are told of no error, and wait for a frame: those are stopped in the middle of it.
        let until = Instant::now() + Duration::from_secs(3);
        while Instant::now() < until && !cameras.iter().all(has_failed) {
            thread::sleep(Duration::from_millis(20));
        }
        failed += cameras.iter().filter(|camera| has_failed(camera)).count();
        for camera in &cameras {
            camera.handle.begin_stop();
        }
        cameras.into_iter().for_each(Bench::stop);
    }
    assert!(failed >= CAMERAS, "{failed} of {} pipelines failed", CAMERAS * ROUNDS);
    complaints.assert_none();
}
