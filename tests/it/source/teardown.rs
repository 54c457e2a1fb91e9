//! Pipelines that are taken down while they still start, fail or end.

use super::{Bench, Complaints, is_alone};
use crate::support::part;
use sightd::camera::CameraState;
use std::fs;

/// Cameras at a time, as in the report of this fault.
const CAMERAS: usize = 20;

/// Each camera fails while its decoder still adds elements, and is taken down from another thread.
#[test]
fn many_failing_pipelines_come_down_without_a_complaint() {
    if !is_alone("teardown::many_failing_pipelines_come_down_without_a_complaint") {
        return;
    }
    let complaints = Complaints::listen();
    let folder = tempfile::tempdir().unwrap();
    let whole = fs::read(part("footage/vtest.avi")).unwrap();
    let rounds: usize = std::env::var("ROUNDS").map_or(3, |text| text.parse().unwrap());
    let cuts: Vec<usize> =
        std::env::var("CUT").map_or(vec![300, 6_000, 20_000, whole.len() / 2], |text| vec![text.parse().unwrap()]);
    for round in 0..rounds {
        for cut in &cuts {
            let file = folder.path().join(format!("{round}-{cut}.avi"));
            fs::write(&file, &whole[..*cut]).unwrap();
            let uri = format!("file://{}?loop&speed=max", file.display());
            let mut cameras: Vec<Bench> = (0..CAMERAS).map(|_| Bench::start(&uri).unwrap()).collect();
            for camera in &cameras {
                let status = camera.wait_until("started", |status| {
                    status.frames > 0 || matches!(status.state, CameraState::Failed | CameraState::Retrying)
                });
                eprintln!("{cut}: {} {:?} {}", status.state, status.last_error, status.frames);
            }
            for camera in cameras.drain(..) {
                camera.stop();
            }
            eprintln!("{round} {cut}: {} complaints", complaints.0.lock().unwrap().len());
        }
    }
    complaints.assert_none();
}
