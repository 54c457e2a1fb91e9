//! The real clients of other detection servers (see `scripts/clients.txt`), and the calls that Home Assistant and Frigate
//! make, against the real daemon with the default model, on a frame of the default footage.

use crate::{
    program::{Daemon, TIMEOUT, reference_model},
    support::{part, root},
};
use serde_json::{Value, json};
use std::{process::Command, thread, time::Duration, time::Instant};

const TOKEN: &str = "read-token-0123456789";

/// A daemon with a token; `http` is the rest of its `[http]`.
fn guarded(http: &str) -> Daemon {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.toml");
    let source = part("footage/vtest.avi");
    let camera = format!("[camera.default]\nsource = \"file://{}?loop\"\n", source.display());
    std::fs::write(&config, format!("{camera}[http]\n{http}")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_sightd"));
    command.args(["run", "--listen", "127.0.0.1:0", "--model", &reference_model(), "--config"]);
    let daemon = Daemon::start(command.arg(&config).env("SIGHTD_TOKEN", TOKEN));
    let start = Instant::now();
    while daemon.get("/readyz").0 != 200 {
        assert!(start.elapsed() < TIMEOUT, "not ready: {}", daemon.log());
        thread::sleep(Duration::from_millis(50));
    }
    daemon
}

/// What the clients find when they are given `key`.
fn found_by_clients(daemon: &Daemon, key: &str) -> Value {
    let mut clients = Command::new(part("clients/bin/python"));
    let output = clients.arg(root().join("tests/data/clients.py")).args([&daemon.url(), TOKEN, key]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Of each detection of ours: label, score, and the box's edges (left, top, right, bottom) in pixels.
fn ours(answer: &Value) -> Vec<(String, f64, [f64; 4])> {
    let side = |name: &str| answer["frame"][name].as_f64().unwrap();
    let (width, height) = (side("width"), side("height"));
    let of_one = |found: &Value| {
        let [x, y, w, h] = ["x", "y", "w", "h"].map(|name| found["box"][name].as_f64().unwrap());
        let edges = [x * width, y * height, (x + w) * width, (y + h) * height];
        (found["label"].as_str().unwrap().to_owned(), found["score"].as_f64().unwrap(), edges)
    };
    answer["detections"].as_array().unwrap().iter().map(of_one).collect()
}

/// The same of what another client found, whose edges have these names and lie within `slack` pixels.
fn check(found: &Value, names: [&str; 4], unit: [f64; 4], percent: f64, wanted: &[(String, f64, [f64; 4])]) {
    let found = found.as_array().unwrap();
    assert_eq!(found.len(), wanted.len(), "{found:?}");
    for (found, (label, score, edges)) in found.iter().zip(wanted) {
        assert_eq!(found["label"], *label);
        assert!((found["confidence"].as_f64().unwrap() / percent - score).abs() < 1e-5, "{found}");
        for (index, name) in names.into_iter().enumerate() {
            assert!((found[name].as_f64().unwrap() * unit[index] - edges[index]).abs() <= 0.51, "{name}: {found}");
        }
    }
}

const PIXEL_EDGES: [&str; 4] = ["x_min", "y_min", "x_max", "y_max"];

#[test]
fn real_clients_find_what_we_find() {
    let daemon = guarded("");
    let all = found_by_clients(&daemon, TOKEN);
    let wanted = ours(&all["ours"]);
    assert!(wanted.iter().any(|(label, ..)| label == "person"), "{all}");
    check(&all["deepstack"], PIXEL_EDGES, [1.0; 4], 1.0, &wanted);

    let home = &all["home_assistant"];
    assert_eq!(home["detector"]["model"], all["ours"]["model"]);
    assert!(home["detector"]["labels"].as_array().unwrap().contains(&json!("person")));
    assert_eq!((&home["detector"]["width"], &home["detector"]["height"]), (&json!(300), &json!(300)));
    let (width, height) = (all["ours"]["frame"]["width"].as_f64(), all["ours"]["frame"]["height"].as_f64());
    let unit = [width.unwrap(), height.unwrap(), width.unwrap(), height.unwrap()];
    check(&home["found"]["detections"], ["left", "top", "right", "bottom"], unit, 100.0, &wanted);
    assert!(home["found"].get("error").is_none(), "Home Assistant takes its presence for a failure");
    for person in home["persons"]["detections"].as_array().unwrap() {
        assert!(person["label"] == "person" && person["confidence"].as_f64().unwrap() >= 60.0, "{person}");
    }

    let rows = all["frigate"].as_array().unwrap();
    assert!(rows.iter().any(|row| row[0] == 0), "no person: {all}");
    for row in rows {
        let edges: Vec<_> = row.as_array().unwrap()[2..].iter().map(|edge| edge.as_f64().unwrap()).collect();
        assert!(edges.iter().all(|edge| (0.0..=1.0).contains(edge)) && edges[0] < edges[2] && edges[1] < edges[3]);
    }
    // This client can send no token at all.
    assert_eq!(all["codeproject"], "CodeProject.AI Server error: 401");
}

#[test]
fn clients_without_a_key_come_in_from_named_networks() {
    let daemon = guarded("compat_allow = [\"127.0.0.1\"]");
    let all = found_by_clients(&daemon, "");
    let wanted = ours(&all["ours"]);
    for client in ["codeproject", "codeproject_custom", "deepstack"] {
        check(&all[client], PIXEL_EDGES, [1.0; 4], 1.0, &wanted);
    }
    assert_eq!(all["home_assistant"]["found"]["detections"].as_array().unwrap().len(), wanted.len());
    assert!(!all["frigate"].as_array().unwrap().is_empty());
}
