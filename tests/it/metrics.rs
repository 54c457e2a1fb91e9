//! GET /metrics, and the Grafana dashboard that is made of it.

use crate::{
    board::FakeBoard,
    fake::{Daemon, detection},
    support::root,
};
use serde_json::Value;
use sightd::ops::telemetry::{self, Tree};
use std::{collections::BTreeSet, fs, path::Path, sync::Arc};

/// The metrics of a daemon on a fake board that has published two scenes.
async fn metrics() -> String {
    let board = FakeBoard::new();
    board.set("sys/class/thermal/thermal_zone1/temp", "98500");
    let daemon = Daemon::start().await;
    let front = daemon.camera("front");
    daemon.bus.board.send_replace(Some(Arc::new(telemetry::read(&Tree::new(board.root()), Path::new("/")))));
    daemon.bus.limit_fps.send_replace(Some(7.5));
    for seq in [1, 2] {
        daemon.publish(&front, seq, vec![detection("person", 0.9, [0.1, 0.1, 0.2, 0.2])]);
    }
    let answer = reqwest::get(daemon.url("/metrics")).await.unwrap();
    assert_eq!(answer.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    let text = answer.text().await.unwrap();
    daemon.stop().await;
    text
}

#[tokio::test]
async fn everything_is_measured_under_its_name() {
    let text = metrics().await;
    for line in [
        "sightd_camera_up{camera=\"front\"} 1.0",
        "sightd_camera_state{camera=\"front\",state=\"running\"} 1.0",
        "sightd_camera_fps{camera=\"front\"} 15.0",
        "sightd_frames_captured_total{camera=\"front\"} 1.0",
        "sightd_camera_restarts_total{camera=\"front\"} 0.0",
        "sightd_live_viewers{camera=\"front\"} 0.0",
        "sightd_detections_total{label=\"person\"} 2",
        "sightd_stage_duration_seconds_bucket{stage=\"infer\",le=\"0.025\"} 2",
        "sightd_stage_duration_seconds_count{stage=\"infer\"} 2",
        "sightd_capture_to_publish_seconds_count 2",
        "sightd_stream_clients 0.0",
        "sightd_stream_messages_lost_total 0",
        "sightd_engine_phase{phase=\"ready\"} 1.0",
        "sightd_execution_provider_info{provider=\"tensorrt\"} 0.0",
        "sightd_execution_provider_info{provider=\"cpu\"} 1.0",
        "sightd_temperature_celsius{zone=\"CPU-therm\"} 98.5",
        "sightd_throttled 1.0",
        "sightd_brown_out 0.0",
        "sightd_limit_fps 7.5",
        "sightd_fan_duty_ratio 0.4",
    ] {
        assert!(text.lines().any(|have| have == line), "{line} is not in:\n{text}");
    }
    for start in [
        "sightd_model_info{model=\"fake-ssd\"",
        "sightd_board_info{model=\"NVIDIA Jetson Nano Developer Kit\",l4t=\"32.7.1\",power_mode=\"maxn\"} 1",
        "sightd_power_watts{rail=\"POM_5V_IN\"} 4.87",
        "process_resident_memory_bytes ",
        "process_cpu_seconds_total ",
    ] {
        assert!(text.lines().any(|have| have.starts_with(start)), "{start} is not in:\n{text}");
    }
}

#[tokio::test]
async fn the_grafana_dashboard_asks_for_what_there_is() {
    let text = metrics().await;
    let exported: BTreeSet<_> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split(['{', ' ']).next())
        .map(str::to_owned)
        // Frames are dropped in a mailroom, which the fake daemon does not have.
        .chain(["sightd_frames_dropped_total".to_owned()])
        .collect();
    let dashboard = fs::read_to_string(root().join("deploy/grafana-dashboard.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&dashboard).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let mut asked = BTreeSet::new();
    for target in panels.iter().flat_map(|panel| panel["targets"].as_array().into_iter().flatten()) {
        asked.extend(names(target["expr"].as_str().unwrap()));
    }
    for variable in dashboard["templating"]["list"].as_array().unwrap() {
        asked.extend(variable["query"].as_str().map(names).unwrap_or_default());
    }
    let missing: Vec<_> = asked.difference(&exported).collect();
    assert!(asked.len() > 15 && missing.is_empty(), "asked for and not exported: {missing:?}");
}

/// The metrics that a PromQL expression names.
fn names(expression: &str) -> Vec<String> {
    expression
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| word.starts_with("sightd_") || word.starts_with("process_"))
        .map(str::to_owned)
        .collect()
}

#[tokio::test]
async fn what_a_slow_client_loses_is_counted() {
    let daemon = Daemon::start().await;
    let front = daemon.camera("front");
    let stream = reqwest::get(daemon.url("/detections/stream")).await.unwrap();
    for seq in 0..5000 {
        daemon.publish(&front, seq, vec![detection("person", 0.9, [0.1, 0.1, 0.2, 0.2]); 50]);
    }
    let mut lost = 0;
    while lost == 0 {
        tokio::task::yield_now().await;
        let system: Value = reqwest::get(daemon.url("/system")).await.unwrap().json().await.unwrap();
        assert_eq!(system["stream_clients"], 1);
        lost = system["messages_lost"].as_u64().unwrap();
    }
    drop(stream);
    daemon.stop().await;
}
