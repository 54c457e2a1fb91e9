//! The doctor on a fake Jetson Nano: a sound one has nothing, and each planted fault is found with its fix.

use crate::board::FakeBoard;
use detector::infer::cache::Entry;
use sightd::{
    board::Disk,
    ops::{
        doctor::{
            self, CameraFact, Connection, ElementFact, Facts, ListenerFact, ProviderFact, Report, RuntimeFact, Severity,
        },
        telemetry::{self, Tree},
    },
};
use std::{path::Path, time::Duration};

fn facts(board: &FakeBoard) -> Facts {
    let tree = Tree::new(board.root());
    let mut reading = telemetry::read(&tree, Path::new("/"));
    reading.disk = Some(Disk { total_bytes: 64 << 30, available_bytes: 20 << 30 });
    let provider = |name: &str| ProviderFact { name: name.into(), missing: None };
    let runtime = RuntimeFact {
        version: "1.11.0".into(),
        library: "/opt/sightd/lib/libonnxruntime.so".into(),
        providers: ["tensorrt", "cuda", "cpu"].map(provider).into(),
    };
    let camera =
        CameraFact { name: "front".into(), source: "csi://0".into(), missing: None, connection: Connection::Csi };
    Facts {
        tree,
        board: reading,
        config: Ok(vec!["/etc/sightd/config.toml".into()]),
        runtime: Ok(runtime),
        gstreamer: Ok("GStreamer 1.14.5".into()),
        missing_elements: Vec::new(),
        video_encoder: Ok("nvv4l2h264enc".into()),
        cameras: vec![camera],
        cache: Ok("/var/cache/sightd".into()),
        engines: Vec::new(),
        clock_synchronised: Some(true),
        listener: ListenerFact::Free("127.0.0.1:8080".parse().unwrap()),
        display: None,
    }
}

/// An engine that one build has given.
fn engine(name: &str) -> Entry {
    Entry { name: name.into(), key: None, built: Some((14 << 20, Duration::from_secs(300))), unfinished: 0 }
}

#[test]
fn memory_is_no_concern_where_no_engine_is_to_be_built() {
    let board = FakeBoard::new();
    board.set("proc/meminfo", "MemTotal: 4059284 kB\nMemAvailable: 200000 kB\nSwapTotal: 1000 kB\nSwapFree: 0 kB");
    let built = Facts { engines: vec![engine("a")], ..facts(&board) };
    let mut on_cpu = facts(&board);
    on_cpu.board.l4t = None;
    on_cpu.runtime.as_mut().unwrap().providers[0].missing = Some("not enabled in this build".into());
    for facts in [built, on_cpu] {
        let report = doctor::examine(&facts);
        assert!(!complaints(&report).iter().any(|complaint| complaint.starts_with("memory")), "{report}");
    }
}

fn complaints(report: &Report) -> Vec<String> {
    let bad = report.findings.iter().filter(|finding| finding.severity > Severity::Good);
    bad.map(|finding| format!("{}: {} -> {}", finding.check, finding.what, finding.fix.as_deref().unwrap())).collect()
}

#[test]
fn a_sound_board_has_nothing() {
    let report = doctor::examine(&facts(&FakeBoard::new()));
    assert_eq!(complaints(&report), [""; 0]);
    assert_eq!((report.severity, report.severity.exit_code()), (Severity::Good, 0));
    assert!(report.findings.len() >= 14, "{report}");
}

#[test]
fn a_missing_encoder_is_told_and_no_fault() {
    let board = FakeBoard::new();
    let mut facts = facts(&board);
    facts.video_encoder = Err("none of GStreamer's encoders is installed: x264enc (gstreamer1.0-plugins-ugly)".into());
    let report = doctor::examine(&facts);
    assert_eq!(report.severity, Severity::Good);
    assert!(report.to_string().contains("JPEG pictures only"), "{report}");
}

/// A fault: what is done to the board and the facts, how bad it is, words of the finding, words of the fix.
type Fault = (fn(&FakeBoard), fn(&mut Facts), Severity, &'static str, &'static str);

const NOTHING: fn(&FakeBoard) = |_| {};
const AS_IT_IS: fn(&mut Facts) = |_| {};

const FAULTS: &[Fault] = &[
    (
        |board| {
            board.set("sys/devices/system/cpu/online", "0-1");
            board.set("sys/class/devfreq/57000000.gpu/max_freq", "640000000");
        },
        AS_IT_IS,
        Severity::Warning,
        "power mode: 5 W",
        "nvpmodel -m 0",
    ),
    (
        |board| board.set("sys/class/thermal/thermal_zone1/temp", "97500"),
        AS_IT_IS,
        Severity::Error,
        "heat: the board throttles: CPU-therm is at 97.5 °C",
        "fan",
    ),
    (
        |board| board.set("sys/class/thermal/thermal_zone1/temp", "91000"),
        AS_IT_IS,
        Severity::Warning,
        "6.0 °C below the point where clocks are lowered",
        "board.govern",
    ),
    (
        |board| board.set("sys/bus/i2c/drivers/ina3221x/6-0040/iio:device0/in_voltage0_input", "4600"),
        AS_IT_IS,
        Severity::Error,
        "supply: 4.60 V at the input",
        "5 V 4 A",
    ),
    (
        |board| board.set("etc/nv_tegra_release", "# R32 (release), REVISION: 4.4, GCID: 1, BOARD: t210ref"),
        AS_IT_IS,
        Severity::Warning,
        "L4T 32.4.4",
        "4.6",
    ),
    (
        |board| {
            board.set(
                "proc/meminfo",
                "MemTotal: 4059284 kB\nMemAvailable: 200000 kB\nSwapTotal: 1000 kB\nSwapFree: 0 kB",
            )
        },
        AS_IT_IS,
        Severity::Warning,
        "memory: 195 MiB are available: building an engine with TensorRT needs 1430 MiB",
        "multi-user.target",
    ),
    (
        |board| {
            board.set(
                "proc/meminfo",
                "MemTotal: 1979284 kB\nMemAvailable: 1400000 kB\nSwapTotal: 1000 kB\nSwapFree: 0 kB",
            )
        },
        AS_IT_IS,
        Severity::Warning,
        "memory: 1367 MiB are available",
        "set runtime.providers = [\"cpu\"]",
    ),
    (
        NOTHING,
        |facts| facts.engines = vec![Entry { unfinished: 2, ..engine("3f2a9c0b1d2e77aa") }],
        Severity::Warning,
        "engines: 2 builds of the engine 3f2a9c0b1d2e were begun and did not end",
        "sudo sightd model engines --clear 3f2a9c0b1d2e",
    ),
    (
        |board| {
            board.set("proc/meminfo", "MemTotal: 4059284 kB\nMemAvailable: 2900000 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB")
        },
        AS_IT_IS,
        Severity::Warning,
        "there is no swap",
        "nvzramconfig",
    ),
    (
        NOTHING,
        |facts| facts.board.disk = Some(Disk { total_bytes: 16 << 30, available_bytes: 90 << 20 }),
        Severity::Error,
        "disk: 90 MiB are free",
        "journalctl --vacuum-size",
    ),
    (
        |board| board.set("sys/fs/ext4/mmcblk0p1/errors_count", "3"),
        AS_IT_IS,
        Severity::Error,
        "ext4 met 3 errors on mmcblk0p1",
        "copy the card",
    ),
    (
        |board| board.set("sys/fs/ext4/mmcblk0p1/lifetime_write_kbytes", "32212254720"),
        AS_IT_IS,
        Severity::Warning,
        "wear: 30 TiB have been written to mmcblk0p1",
        "new card",
    ),
    (
        |board| board.set("sys/block/mmcblk0/device/life_time", "0x01 0x0a"),
        AS_IT_IS,
        Severity::Warning,
        "wear: the eMMC has used 90 % of its life",
        "new card",
    ),
    (
        NOTHING,
        |facts| facts.cache = Err("/var/cache/sightd: permission denied".into()),
        Severity::Error,
        "engine cache: /var/cache/sightd: permission denied",
        "chown",
    ),
    (
        NOTHING,
        |facts| facts.runtime = Err("no ONNX Runtime was found".into()),
        Severity::Error,
        "onnx runtime: no ONNX Runtime was found",
        "setup-runtime",
    ),
    (
        NOTHING,
        |facts| {
            let why = "TensorRT execution provider is not enabled in this build.";
            facts.runtime.as_mut().unwrap().providers[0].missing = Some(why.into());
        },
        Severity::Warning,
        "runs on cuda, cpu only (tensorrt: TensorRT execution provider is not enabled in this build.)",
        "CUDA 10.2",
    ),
    (
        |board| board.remove("usr/lib/aarch64-linux-gnu/libnvinfer.so.8"),
        AS_IT_IS,
        Severity::Error,
        "libnvinfer.so.8 is missing",
        "apt-get install libnvinfer8",
    ),
    (
        NOTHING,
        |facts| {
            facts.missing_elements =
                vec![ElementFact { element: "nvvidconv".into(), package: "nvidia-l4t-gstreamer".into() }];
        },
        Severity::Error,
        "the element nvvidconv is missing",
        "apt-get install nvidia-l4t-gstreamer",
    ),
    (
        NOTHING,
        |facts| facts.config = Err(vec!["/etc/sightd/config.toml: camera.front.sorce: unknown key".into()]),
        Severity::Error,
        "camera.front.sorce: unknown key",
        "sightd check",
    ),
    (
        NOTHING,
        |facts| facts.cameras[0].missing = Some("CSI camera 0 is not there (0 were found)".into()),
        Severity::Error,
        "camera: front: CSI camera 0 is not there",
        "plug it in",
    ),
    (
        |board| board.remove("tmp/argus_socket"),
        AS_IT_IS,
        Severity::Error,
        "/tmp/argus_socket is missing",
        "restart nvargus-daemon",
    ),
    (
        |board| board.set("etc/group", "video:x:44:owner"),
        AS_IT_IS,
        Severity::Error,
        "the user sightd is not in the group video",
        "adduser sightd video",
    ),
    (
        NOTHING,
        |facts| facts.display = Some("localhost:10.0".into()),
        Severity::Warning,
        "DISPLAY=localhost:10.0",
        "unset DISPLAY",
    ),
    (
        NOTHING,
        |facts| facts.clock_synchronised = Some(false),
        Severity::Warning,
        "clock: not synchronised",
        "timedatectl set-ntp true",
    ),
    (
        NOTHING,
        |facts| facts.listener = ListenerFact::Refused("127.0.0.1:8080".parse().unwrap(), "address in use".into()),
        Severity::Error,
        "127.0.0.1:8080 cannot be used",
        "http.listen",
    ),
];

#[test]
fn every_planted_fault_is_found_with_its_fix() {
    for (plant, change, severity, what, fix) in FAULTS {
        let board = FakeBoard::new();
        plant(&board);
        let mut facts = facts(&board);
        change(&mut facts);
        let report = doctor::examine(&facts);
        let complaints = complaints(&report);
        assert_eq!((complaints.len(), report.severity), (1, *severity), "{what}: {complaints:?}");
        assert!(complaints[0].contains(what) && complaints[0].contains(fix), "{what}: {complaints:?}");
    }
}

#[test]
fn the_report_is_json_with_the_fixes() {
    let board = FakeBoard::new();
    board.set("sys/fs/ext4/mmcblk0p1/errors_count", "3");
    let report = serde_json::to_value(doctor::examine(&facts(&board))).unwrap();
    assert_eq!(report["severity"], "error");
    let damaged =
        report["findings"].as_array().unwrap().iter().find(|finding| finding["check"] == "file system").unwrap();
    assert!(damaged["fix"].as_str().unwrap().contains("copy the card"));
}

#[test]
fn the_bundle_has_no_secrets() {
    let facts = facts(&FakeBoard::new());
    let report = doctor::examine(&facts);
    let config = "[http]\ntoken = \"hunter2\"\n[camera.gate]\nsource = \"rtsp://admin:hunter2@10.0.0.9/live\"\n";
    let bundle = doctor::bundle(&report, &facts, &[("config".into(), config.into())]);
    assert!(!bundle.contains("hunter2"), "{bundle}");
    assert!(bundle.contains("rtsp://***@10.0.0.9/live") && bundle.contains("NVIDIA Jetson Nano"), "{bundle}");
}
