//! GET /metrics.

use crate::{
    board::FakeBoard,
    fake::{Daemon, detection},
};
use serde_json::Value;
use sightd::ops::telemetry::{self, Tree};
use std::{path::Path, sync::Arc};

/// The metrics of a daemon on a fake board that has published two scenes.
async fn metrics() -> String {
    let board = FakeBoard::new();
    board.set("sys/class/thermal/thermal_zone1/temp", "98500");
    let daemon = Daemon::start().await;
    let front = daemon.camera("front");
    daemon.state.status.board.send_replace(Some(Arc::new(telemetry::read(&Tree::new(board.root()), Path::new("/")))));
    daemon.state.status.limit_fps.send_replace(Some(7.5));
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
        "sightd_camera_recoveries_total{camera=\"front\"} 0.0",
        "sightd_frames_dropped_total{camera=\"front\",reason=\"network_failed\"} 0.0",
        "sightd_scenes_total{camera=\"front\"} 2",
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
        "sightd_temperature_limit_celsius{zone=\"CPU-therm\",trip=\"passive\"} 97.0",
        "sightd_swap_free_bytes 2078343168.0",
        "sightd_cpus_online 4.0",
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

#[tokio::test]
async fn requests_are_counted_by_route_and_status() {
    let daemon = Daemon::start().await;
    daemon.camera("front");
    for (method, path) in [
        ("GET", "/cameras/front"),
        ("GET", "/cameras/back"),
        ("GET", "/nothing"),
        ("DELETE", "/healthz"),
        ("BREW", "/healthz"),
    ] {
        let request = reqwest::Client::new().request(method.parse().unwrap(), daemon.url(path));
        request.send().await.unwrap();
    }
    let text = reqwest::get(daemon.url("/metrics")).await.unwrap().text().await.unwrap();
    for (labels, count) in [
        ("method=\"GET\",route=\"/cameras/{name}\",status=\"200\"", 1),
        ("method=\"GET\",route=\"/cameras/{name}\",status=\"404\"", 1),
        ("method=\"GET\",route=\"none\",status=\"404\"", 1),
        ("method=\"other\",route=\"/healthz\",status=\"405\"", 2),
    ] {
        let line = format!("sightd_http_requests_total{{{labels}}} {count}");
        assert!(text.lines().any(|have| have == line), "{line} is not in:\n{text}");
    }
    assert!(text.contains("sightd_http_request_duration_seconds_count{route=\"/cameras/{name}\"} 2\n"), "{text}");
    daemon.stop().await;
}
