//! Telemetry of a fake Jetson Nano whose values move.

use crate::{
    board::FakeBoard,
    fake::Daemon,
    program::{Daemon as Program, reference_model},
};
use serde_json::Value;
use sightd::{
    board::{BoardNote, BoardStatus, PowerMode},
    ops::telemetry::{self, Config, Ports, Sampler, Tree},
};
use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::sync::watch;

fn read(board: &FakeBoard) -> BoardStatus {
    telemetry::read(&Tree::new(board.root()), Path::new("/"))
}

#[test]
fn a_sound_board_is_read() {
    let status = read(&FakeBoard::new());
    assert_eq!(status.model.as_deref(), Some("NVIDIA Jetson Nano Developer Kit"));
    assert_eq!(status.l4t.as_deref(), Some("32.7.1"));
    assert_eq!(status.power_mode, Some(PowerMode::Maxn));
    assert_eq!((status.cpus_online, status.uptime_s), (Some(4), Some(86400.25)));
    let zones: Vec<_> = status.thermal_zones.iter().map(|zone| (zone.name.as_str(), zone.celsius)).collect();
    assert_eq!(zones, [("AO-therm", 41.5), ("CPU-therm", 38.0), ("GPU-therm", 36.5)], "PMIC-Die is a constant");
    let (zone, margin) = status.least_margin().unwrap();
    assert_eq!((zone.name.as_str(), margin, zone.critical_celsius), ("CPU-therm", 59.0, Some(102.0)));
    assert_eq!(status.cooling.iter().map(|device| device.name.as_str()).collect::<Vec<_>>(), ["cpu-balanced"]);
    let gpu = status.gpu.unwrap();
    assert_eq!((gpu.load, gpu.clock_hz, gpu.max_hz), (Some(0.356), Some(614_400_000), Some(921_600_000)));
    let power = status.power.unwrap();
    assert_eq!((power.watts, power.volts), (Some(4.87), Some(5.112)));
    assert_eq!(status.fan.unwrap().duty, 0.4);
    assert_eq!(status.memory.unwrap().available_bytes, 2_900_000 * 1024);
    assert!(status.disk.unwrap().total_bytes > 0);
    assert_eq!(status.notes, []);
}

#[test]
fn a_machine_without_any_of_it_is_no_fault() {
    let nothing = tempfile::tempdir().unwrap();
    let status = telemetry::read(&Tree::new(nothing.path()), Path::new("/"));
    assert_eq!(BoardStatus { disk: None, process: None, ..status }, BoardStatus::default());
}

#[test]
fn power_modes_are_told_from_their_marks() {
    let board = FakeBoard::new();
    for (cpus, gpu_hz, mode) in [
        ("0-3", "921600000", PowerMode::Maxn),
        ("0-1", "640000000", PowerMode::FiveWatt),
        ("0-3", "640000000", PowerMode::Custom),
        ("0-2", "921600000", PowerMode::Custom),
    ] {
        board.set("sys/devices/system/cpu/online", cpus);
        board.set("sys/class/devfreq/57000000.gpu/max_freq", gpu_hz);
        assert_eq!(read(&board).power_mode, Some(mode), "{cpus} {gpu_hz}");
    }
}

#[test]
fn heat_and_a_weak_supply_are_noted() {
    for (path, value, note) in [
        ("sys/class/thermal/thermal_zone1/temp", "97000", BoardNote::Throttled),
        ("sys/class/thermal/cooling_device0/cur_state", "1", BoardNote::Throttled),
        ("sys/bus/i2c/drivers/ina3221x/6-0040/iio:device0/in_voltage0_input", "4610", BoardNote::BrownOut),
    ] {
        let board = FakeBoard::new();
        board.set(path, value);
        assert_eq!(read(&board).notes, [note], "{path}");
    }
}

#[tokio::test]
async fn the_governor_lowers_the_rate_while_the_board_is_hot() {
    let board = FakeBoard::new();
    let (status, mut readings) = watch::channel(None);
    let (limit_fps, mut limit) = watch::channel(None);
    let scenes = Arc::new(AtomicU64::new(0));
    let counted = scenes.clone();
    let ports = Ports { board: status, limit_fps, scenes: Box::new(move || counted.fetch_add(30, Ordering::Relaxed)) };
    let config = Config { root: board.root().into(), govern: true, ..Config::default() };
    let sampler = Sampler::start(&config, "/".into(), ports).unwrap();

    let cool = readings.wait_for(Option::is_some).await.unwrap().clone().unwrap();
    assert_eq!((cool.notes.as_slice(), *limit.borrow()), ([].as_slice(), None));

    board.set("sys/class/thermal/thermal_zone1/temp", "91000");
    let limited = limit.wait_for(Option::is_some).await.unwrap().unwrap();
    assert!(limited < 30.0 && limited > 2.0, "{limited}");
    let noted = |status: &Option<Arc<BoardStatus>>| {
        status.as_ref().is_some_and(|status| status.notes.contains(&BoardNote::RateLowered))
    };
    readings.wait_for(noted).await.unwrap();

    board.set("sys/class/thermal/thermal_zone1/temp", "60000");
    limit.wait_for(Option::is_none).await.unwrap();
    readings.wait_for(|status| !noted(status)).await.unwrap();

    drop(sampler);
    assert!(readings.wait_for(|_| false).await.is_err(), "dropping the sampler ends its thread");
}

#[tokio::test]
async fn the_api_shows_the_board() {
    let board = FakeBoard::new();
    board.set("sys/class/thermal/thermal_zone1/temp", "98500");
    let daemon = Daemon::start().await;
    daemon.state.status.board.send_replace(Some(Arc::new(read(&board))));
    daemon.state.status.limit_fps.send_replace(Some(7.5));
    let text = reqwest::get(daemon.url("/system")).await.unwrap().text().await.unwrap();
    let system: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(system["limit_fps"], 7.5);
    assert_eq!(system["board"]["power_mode"], "maxn");
    assert_eq!(system["board"]["notes"], serde_json::json!(["throttled"]));
    assert_eq!(system["board"]["thermal_zones"][1]["name"], "CPU-therm");
    assert_eq!(system["board"]["power"]["watts"], 4.87);
    daemon.stop().await;
}

#[test]
fn the_program_lowers_its_rate_on_a_hot_board_and_says_so() {
    let board = FakeBoard::new();
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.toml");
    let text = format!(
        "[model]\nname = {:?}\n[camera.front]\nsource = \"test://smpte\"\n[board]\nroot = {:?}\ngovern = true\n",
        reference_model(),
        board.root(),
    );
    fs::write(&config, text).unwrap();
    let daemon = Program::spawn(&["run", "--listen", "127.0.0.1:0", "--config", config.to_str().unwrap()]);
    let notes = |scene: &Value| scene["notes"].as_array().cloned().unwrap_or_default();
    daemon.wait_for(|scene| notes(scene).is_empty());

    board.set("sys/class/thermal/thermal_zone1/temp", "97500");
    board.set("sys/bus/i2c/drivers/ina3221x/6-0040/iio:device0/in_voltage0_input", "4600");
    daemon.wait_for(|scene| notes(scene) == ["throttled", "brown_out", "rate_lowered"]);
    let system: Value = serde_json::from_str(&daemon.get("/system").1).unwrap();
    assert!(system["limit_fps"].as_f64().unwrap() > 1.0, "{system}");
    assert!(system["board"]["process"]["resident_bytes"].as_u64().unwrap() > 10 << 20, "{system}");
    for words in ["CPU-therm is at 97.5 °C", "the supply gives 4.60 V", "frame rate limited to"] {
        assert!(daemon.log().contains(words), "{words}: {}", daemon.log());
    }

    board.set("sys/class/thermal/thermal_zone1/temp", "60000");
    board.set("sys/bus/i2c/drivers/ina3221x/6-0040/iio:device0/in_voltage0_input", "5100");
    daemon.wait_for(|scene| notes(scene).is_empty());
    for words in ["over: throttled", "over: brown_out", "frame rate no longer limited"] {
        assert!(daemon.log().contains(words), "{words}: {}", daemon.log());
    }
    let metrics = daemon.get("/metrics").1;
    assert!(metrics.contains("sightd_throttled 0.0") && metrics.contains("sightd_frames_dropped_total{"), "{metrics}");
}
