//! SIGHUP: cameras come, go and change without touching the others; a wrong configuration changes nothing.

use crate::program::{Daemon, PATIENCE, reference_model};
use serde_json::Value;
use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

fn camera(daemon: &Daemon, name: &str) -> Option<Value> {
    let (status, body) = daemon.get(&format!("/cameras/{name}"));
    (status == 200).then(|| serde_json::from_str(&body).unwrap())
}

fn wait(daemon: &Daemon, what: &str, done: impl Fn() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < PATIENCE, "{what}: {}", daemon.log());
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn state(daemon: &Daemon, name: &str) -> Option<String> {
    camera(daemon, name).map(|camera| camera["state"].as_str().unwrap().to_owned())
}

fn write(config: &Path, cameras: &str) {
    fs::write(config, format!("[model]\nname = {:?}\n{cameras}", reference_model())).unwrap();
}

const STAYS: &str = "[camera.stays]\nsource = \"test://smpte\"\nfps = 5\n";

#[test]
fn cameras_come_and_go_without_touching_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.toml");
    write(&config, &format!("{STAYS}[camera.goes]\nsource = \"test://ball\"\n"));
    let daemon = Daemon::spawn(&["run", "--listen", "127.0.0.1:0", "--config", config.to_str().unwrap()]);
    daemon.wait_for_scene();
    for name in ["stays", "goes"] {
        wait(&daemon, name, || state(&daemon, name).as_deref() == Some("running"));
    }

    write(&config, &format!("{STAYS}[camera.comes]\nsource = \"test://ball\"\n"));
    daemon.signal("HUP");
    wait(&daemon, "the new camera", || state(&daemon, "comes").as_deref() == Some("running"));
    assert!(camera(&daemon, "goes").is_none());

    write(&config, &format!("{STAYS}[camera.comes]\nsource = \"test://ball\"\nenabled = false\n"));
    daemon.signal("HUP");
    wait(&daemon, "the camera switched off", || state(&daemon, "comes").as_deref() == Some("disabled"));

    write(&config, "[detection]\nscore = 7\n");
    daemon.signal("HUP");
    wait(&daemon, "the mistake", || daemon.log().contains("detection.score = 7"));
    let stays = camera(&daemon, "stays").unwrap();
    assert_eq!((&stays["state"], &stays["restarts"]), (&Value::from("running"), &Value::from(0)));
    assert_eq!(daemon.log().matches("can't be started").count(), 0);
}
