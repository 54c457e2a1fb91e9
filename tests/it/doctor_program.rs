//! `sightd doctor` as its user runs it, on a fake Jetson Nano with faults planted one by one.
//!
//! What no fake root can hold (the real ONNX Runtime and GStreamer of this machine) is judged too; a finding that this
//! machine has without any fault is not counted.

use crate::{
    board::FakeBoard,
    program::{Daemon, reference_model},
};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    fs,
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::{Command, Output},
};
use tempfile::TempDir;

/// A board, a configuration and a `timedatectl`, which the doctor is asked about.
struct Patient {
    board: FakeBoard,
    folder: TempDir,
}

impl Patient {
    fn new() -> Self {
        let patient = Self { board: FakeBoard::new(), folder: tempfile::tempdir().unwrap() };
        patient.clock("yes");
        patient.configure("", "csi://0", "127.0.0.1:0");
        patient
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn clock(&self, synchronised: &str) {
        let program = self.at("bin/timedatectl");
        fs::create_dir_all(program.parent().unwrap()).unwrap();
        let script = format!("#!/bin/sh\necho '       System clock synchronized: {synchronised}'\n");
        fs::write(&program, script).unwrap();
        fs::set_permissions(program, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn configure(&self, more: &str, source: &str, listen: &str) {
        let text = format!(
            "[model]\nname = {:?}\n[http]\nlisten = {listen:?}\n[camera.front]\nsource = {source:?}\n\
             [runtime]\ncache_dir = {:?}\n{more}\n",
            reference_model(),
            self.at("cache"),
        );
        fs::write(self.at("config.toml"), text).unwrap();
    }

    fn ask(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_sightd"))
            .args(["doctor", "--config"])
            .arg(self.at("config.toml"))
            .arg("--root")
            .arg(self.board.root())
            .args(arguments)
            .current_dir(crate::support::root())
            .env("PATH", format!("{}:{}", self.at("bin").display(), std::env::var("PATH").unwrap()))
            .env_remove("DISPLAY")
            .output()
            .unwrap()
    }

    /// The exit code, and each complaint in one line.
    fn complaints(&self) -> (i32, BTreeSet<String>) {
        let output = self.ask(&["--json"]);
        let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
        let bad = report["findings"].as_array().unwrap().iter().filter(|finding| finding["severity"] != "good");
        let line = |finding: &Value| {
            let word = |key: &str| finding[key].as_str().unwrap().to_owned();
            format!("{} {}: {} -> {}", word("severity"), word("check"), word("what"), word("fix"))
        };
        (output.status.code().unwrap(), bad.map(line).collect())
    }
}

/// A fault: how it is planted, words of the finding, words of its fix.
type Fault = (fn(&Patient), &'static str, &'static str);

const FAULTS: &[Fault] = &[
    (
        |patient| {
            patient.board.set("sys/devices/system/cpu/online", "0-1");
            patient.board.set("sys/class/devfreq/57000000.gpu/max_freq", "640000000");
        },
        "warning power mode: 5 W",
        "nvpmodel -m 0",
    ),
    (
        |patient| patient.board.set("sys/class/thermal/thermal_zone1/temp", "97500"),
        "error heat: the board throttles",
        "fan",
    ),
    (
        |patient| patient.board.set("sys/bus/i2c/drivers/ina3221x/6-0040/iio:device0/in_voltage0_input", "4600"),
        "error supply: 4.60 V",
        "5 V 4 A",
    ),
    (
        |patient| patient.board.set("etc/nv_tegra_release", "# R32 (release), REVISION: 4.4, GCID: 1"),
        "warning board: NVIDIA Jetson Nano Developer Kit, L4T 32.4.4",
        "4.6",
    ),
    (
        |patient| patient.board.set("sys/fs/ext4/mmcblk0p1/lifetime_write_kbytes", "32212254720"),
        "warning wear: 30 TiB",
        "new card",
    ),
    (
        |patient| patient.board.set("sys/fs/ext4/mmcblk0p1/errors_count", "3"),
        "error file system: ext4",
        "copy the card",
    ),
    (
        |patient| patient.board.remove("usr/lib/aarch64-linux-gnu/libnvinfer.so.8"),
        "error nvidia libraries: libnvinfer.so.8",
        "apt-get install libnvinfer8",
    ),
    (
        |patient| patient.board.set("etc/group", "video:x:44:owner"),
        "error groups: the user sightd is not in the group video",
        "adduser sightd video",
    ),
    (
        |patient| patient.board.remove("tmp/argus_socket"),
        "error camera daemon: /tmp/argus_socket",
        "systemctl restart nvargus-daemon",
    ),
    (
        |patient| patient.board.remove("sys/class/video4linux/video0/name"),
        "error camera: front: CSI camera 0 is not there",
        "sightd doctor cameras",
    ),
    (|patient| patient.clock("no"), "warning clock: not synchronised", "timedatectl set-ntp true"),
    (
        |patient| fs::write(patient.at("cache"), "a file where a folder should be").unwrap(),
        "error engine cache:",
        "runtime.cache_dir",
    ),
    (
        |patient| patient.configure("[detection]\nscroe = 0.4", "csi://0", "127.0.0.1:0"),
        "error config: ",
        "sightd check",
    ),
    (
        |patient| {
            patient.configure("library = \"/nowhere/libonnxruntime.so\"", "csi://0", "127.0.0.1:0");
        },
        "error onnx runtime: ",
        "setup-runtime",
    ),
];

#[test]
fn every_planted_fault_is_found_with_its_fix() {
    let (_, before) = Patient::new().complaints();
    for (plant, what, fix) in FAULTS {
        let patient = Patient::new();
        plant(&patient);
        let (code, now) = patient.complaints();
        let new: Vec<_> = now.difference(&before).collect();
        let found = new.iter().find(|line| line.starts_with(what) && line.contains(fix));
        let found = found.unwrap_or_else(|| panic!("{what} is not in {new:?}"));
        let (least, most) = if found.starts_with("error") { (2, 2) } else { (1, 2) };
        assert!((least..=most).contains(&code), "{what}: exit code {code}");
        // A mistake in the configuration hides the rest of it, so that other findings change too.
        assert!(new.len() == 1 || what.contains("config"), "{what}: {new:?}");
    }
}

#[test]
fn a_taken_port_is_told_from_a_running_daemon() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let patient = Patient::new();
    patient.configure("", "csi://0", &taken.local_addr().unwrap().to_string());
    let refused = |lines: &BTreeSet<String>| lines.iter().any(|line| line.starts_with("error port: 127.0.0.1:"));
    assert!(refused(&patient.complaints().1), "{:?}", patient.complaints());
    patient.board.set("proc/4242/comm", "sightd");
    assert!(!refused(&patient.complaints().1), "{:?}", patient.complaints());
}

#[test]
fn the_bundle_holds_what_helps_and_no_secrets() {
    let patient = Patient::new();
    patient.configure("", "rtsp://admin:hunter2@10.0.0.9/live", "127.0.0.1:0");
    let bundle = patient.at("bundle.txt");
    let output = patient.ask(&["--bundle", bundle.to_str().unwrap()]);
    let text = fs::read_to_string(&bundle).unwrap();
    assert!(!text.contains("hunter2") && text.contains("rtsp://***@10.0.0.9/live"), "{text}");
    for part in ["===== doctor", "===== board", "config.toml", "===== environment", "===== uname -a"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(shown.contains("ok      supply: 5.11 V at the input") && shown.contains(" warning"), "{shown}");
}

#[test]
fn the_findings_of_this_machine_have_fixes() {
    let daemon = &mut Daemon::spawn(&["doctor"]);
    let (code, text) = daemon.wait_for_end(crate::program::TIMEOUT);
    assert!(code.is_some_and(|code| code <= 2), "{text}");
    assert!(text.contains("onnx runtime") && text.contains("gstreamer"), "{text}");
    let lines: Vec<_> = text.lines().collect();
    for (index, line) in lines.iter().enumerate().filter(|(_, line)| line.starts_with("ERROR")) {
        assert!(lines.iter().skip(index + 1).any(|line| line.starts_with("        -> ")), "{line}: {text}");
    }
}
