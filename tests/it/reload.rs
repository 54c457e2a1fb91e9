//! SIGHUP: cameras come, go and change without touching the others; a wrong configuration changes nothing.

use crate::program::{Daemon, reference_model};
use serde_json::Value;
use std::{fs, path::Path};

fn camera(daemon: &Daemon, name: &str) -> Option<Value> {
    let (status, body) = daemon.get(&format!("/cameras/{name}"));
    (status == 200).then(|| serde_json::from_str(&body).unwrap())
}

fn wait_for_state(daemon: &Daemon, name: &str, state: &str) {
    let is_so = || camera(daemon, name).filter(|camera| camera["state"] == state).map(drop);
    daemon.until_some(&format!("{name} {state}"), is_so);
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
        wait_for_state(&daemon, name, "running");
    }

    write(&config, &format!("{STAYS}[camera.comes]\nsource = \"test://ball\"\n"));
    daemon.signal("HUP");
    wait_for_state(&daemon, "comes", "running");
    assert!(camera(&daemon, "goes").is_none());

    write(&config, &format!("{STAYS}[camera.comes]\nsource = \"test://ball\"\nenabled = false\n"));
    daemon.signal("HUP");
    wait_for_state(&daemon, "comes", "disabled");

    write(&config, "[detection]\nscore = 7\n");
    daemon.signal("HUP");
    daemon.wait_for_log("detection.score = 7");
    let stays = camera(&daemon, "stays").unwrap();
    assert_eq!((&stays["state"], &stays["restarts"]), (&Value::from("running"), &Value::from(0)));
    assert_eq!(daemon.log().matches("cannot be started").count(), 0);
}

fn json(answer: (u16, String)) -> (u16, Value) {
    (answer.0, serde_json::from_str(&answer.1).unwrap())
}

#[test]
fn an_admin_changes_thresholds_and_reloads_over_http() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.toml");
    write(&config, STAYS);
    let daemon = Daemon::spawn(&["run", "--listen", "127.0.0.1:0", "--config", config.to_str().unwrap()]);
    daemon.wait_for_scene();
    let patch = |name: &str, body: &str| {
        json(daemon.send("PATCH", &format!("/cameras/{name}"), "application/json", body.into()))
    };

    let (status, settings) = patch("stays", r#"{"detection": {"score": 0.25, "classes": {"person": 0.75}}}"#);
    assert_eq!((status, &settings["enabled"]), (200, &Value::from(true)), "{settings}");
    let (_, shown) = json(daemon.get("/config"));
    assert_eq!(shown["camera"]["stays"]["detection"], settings["detection"]);
    assert_eq!(settings["detection"]["classes"], serde_json::json!({"person": 0.75}));
    assert_eq!(patch("stays", r#"{"enabled": false}"#).0, 200);
    wait_for_state(&daemon, "stays", "disabled");

    for (name, body, wanted, words) in [
        ("stays", r#"{"detection": {"score": 7}}"#, 422, "score: 7 is not between 0 and 1"),
        ("stays", r#"{"detection": {"classes": {"persn": 0.5}}}"#, 422, "did you mean \"person\"?"),
        ("stays", r#"{"colour": 1}"#, 400, "unknown field `colour`"),
        ("goes", "{}", 404, "no camera called"),
    ] {
        let (status, problem) = patch(name, body);
        assert_eq!(status, wanted, "{problem}");
        assert!(problem["detail"].as_str().unwrap().contains(words), "{problem}");
    }

    let reload = || json(daemon.send("POST", "/reload", "application/json", Vec::new()));
    // The file still says what it said before the changes, so they are undone.
    write(&config, &format!("{STAYS}[log]\nfilter = \"debug\"\n"));
    let (status, answer) = reload();
    assert_eq!((status, answer), (200, serde_json::json!({"applied": ["camera.stays"], "needs_restart": ["log"]})));
    wait_for_state(&daemon, "stays", "running");
    write(&config, "[detection]\nscore = 7\niou = 8\n");
    let (status, problem) = reload();
    let detail = problem["detail"].as_str().unwrap();
    assert!(
        status == 422 && detail.contains("detection.score = 7") && detail.contains("detection.iou = 8"),
        "{detail}"
    );
}

#[test]
fn passwords_are_not_in_the_configuration_that_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.toml");
    let secret = "[camera.secret]\nsource = \"rtsp://user:hunter2@192.0.2.1/?key=hunter3\"\n\
                  [camera.secret.network]\npassword = \"hunter4\"\n";
    write(&config, &format!("{STAYS}{secret}"));
    let daemon = Daemon::spawn(&["run", "--listen", "127.0.0.1:0", "--config", config.to_str().unwrap()]);
    let (status, shown) = daemon.get("/config");
    assert!(status == 200 && shown.contains("rtsp://user:***@192.0.2.1"), "{shown}");
    for place in [shown, daemon.get("/cameras").1, daemon.log()] {
        assert!(!place.contains("hunter"), "{place}");
    }
}
