//! The way back after an update: deploy/deb/last-good, with a fake program and a fake systemctl.

use crate::{
    program::{Daemon, TIMEOUT, reference_model},
    support::root,
};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output},
};
use tempfile::TempDir;

struct Installation(TempDir);

impl Installation {
    /// A installation with version `installed`; `worked` is the version that last worked.
    fn new(installed: &str, worked: Option<&str>) -> Self {
        let installation = Self(tempfile::tempdir().unwrap());
        fs::create_dir_all(installation.at("good")).unwrap();
        installation.install(installed);
        if let Some(version) = worked {
            installation.worked(version);
        }
        installation
            .program("bin/systemctl", "echo \"$@\" >> \"$(dirname \"$0\")/asked\"; echo ExecMainStatus=$STATUS");
        installation
    }

    fn at(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn program(&self, path: &str, script: &str) {
        let file = self.at(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn install(&self, version: &str) {
        self.program("sightd", &format!("[ \"$1\" = --version ] || echo {version} \"$@\"; echo sightd {version}"));
    }

    fn worked(&self, version: &str) {
        fs::write(self.at("good/VERSION"), format!("{version}\n")).unwrap();
    }

    fn last_good(&self, command: &str, status: u8) -> Output {
        let path = format!("{}:{}", self.at("bin").display(), std::env::var("PATH").unwrap());
        let output = Command::new(root().join("deploy/deb/last-good"))
            .arg(command)
            .env("PATH", path)
            .env("SIGHTD_GOOD", self.at("good"))
            .env("SIGHTD_KEPT", self.at("kept"))
            .env("SIGHTD_PROGRAM", self.at("sightd"))
            .env("SIGHTD_TRIAL_SECONDS", "1")
            .env("STATUS", status.to_string())
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        output
    }

    fn asked(&self) -> String {
        fs::read_to_string(self.at("bin/asked")).unwrap_or_default()
    }
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn runs(program: &Path) -> String {
    stdout(&Command::new(program).arg("--version").output().unwrap())
}

const GO_BACK: &str = "--no-block start sightd-last-good.service";

#[test]
fn a_version_that_worked_is_kept_before_an_upgrade() {
    let installation = Installation::new("1.0.0", Some("1.0.0"));
    installation.last_good("save", 0);
    assert_eq!(runs(&installation.at("kept/sightd")), "sightd 1.0.0\n");
}

#[test]
fn a_version_that_never_worked_does_not_replace_the_one_kept() {
    let installation = Installation::new("1.0.0", Some("1.0.0"));
    installation.last_good("save", 0);
    installation.install("1.1.0");
    installation.last_good("save", 0);
    assert_eq!(runs(&installation.at("kept/sightd")), "sightd 1.0.0\n");
}

#[test]
fn a_new_version_that_works_ends_its_trial() {
    let installation = Installation::new("1.0.0", Some("1.0.0"));
    installation.last_good("save", 0);
    installation.install("1.1.0");
    installation.worked("1.1.0");
    assert_eq!(stdout(&installation.last_good("trial", 0)), "sightd 1.1.0 works\n");
    assert!(!installation.at("kept/trial").exists());
    assert_eq!(installation.asked(), "");
}

#[test]
fn a_new_version_that_does_not_work_gives_way_to_the_old_one() {
    let installation = Installation::new("1.0.0", Some("1.0.0"));
    installation.last_good("save", 0);
    installation.install("1.1.0");
    let said = stdout(&installation.last_good("trial", 0));
    assert!(said.starts_with("sightd 1.1.0 did not work within 1 s: going back to 1.0.0\n"), "{said}");
    assert_eq!(installation.asked().trim_end(), GO_BACK);
    let said = stdout(&installation.last_good("run", 0));
    assert!(said.starts_with("1.0.0 run --last-good\n"), "{said}");
}

#[test]
fn a_bad_configuration_gives_way_to_the_last_good_one() {
    let installation = Installation::new("1.0.0", Some("1.0.0"));
    installation.last_good("fallback", 78);
    assert_eq!(installation.asked().lines().last(), Some(GO_BACK));
    // No other program was kept: the installed one runs with the configuration that worked.
    let said = stdout(&installation.last_good("run", 0));
    assert!(said.starts_with("1.0.0 run --last-good\n"), "{said}");
}

#[test]
fn other_failures_are_left_to_the_restart() {
    let installation = Installation::new("1.0.0", Some("1.0.0"));
    installation.last_good("fallback", 75);
    assert!(!installation.asked().contains(GO_BACK), "{}", installation.asked());
}

#[test]
fn without_anything_that_worked_there_is_nothing_to_go_back_to() {
    let installation = Installation::new("1.0.0", None);
    let said = stdout(&installation.last_good("fallback", 78));
    assert!(said.contains("none has worked before"), "{said}");
    assert!(!installation.asked().contains(GO_BACK), "{}", installation.asked());
}

#[test]
fn a_kept_program_older_than_what_last_worked_is_not_started() {
    let installation = Installation::new("1.0.0", Some("1.0.0"));
    installation.last_good("save", 0);
    installation.install("1.1.0");
    installation.worked("1.1.0");
    let said = stdout(&installation.last_good("run", 0));
    assert!(said.starts_with("1.1.0 run --last-good\n"), "{said}");
}

/// The real program, as a service that keeps its data in `state`, with the configuration `config`.
fn service(state: &Path, config: &Path) -> Daemon {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sightd"));
    Daemon::start(command.args(["run", "--config"]).arg(config).env("STATE_DIRECTORY", state))
}

#[test]
fn a_run_that_works_is_kept_and_returns_when_its_configuration_is_spoilt() {
    let folder = tempfile::tempdir().unwrap();
    let (state, config) = (folder.path().join("state"), folder.path().join("config.toml"));
    let model = folder.path().join("ours.onnx");
    fs::create_dir(&state).unwrap();
    fs::copy(reference_model(), &model).unwrap();
    let manifest = Path::new(&reference_model()).with_extension("toml");
    if manifest.exists() {
        fs::copy(manifest, model.with_extension("toml")).unwrap();
    }
    let good = format!(
        "[model]\nname = {model:?}\n[http]\nlisten = \"127.0.0.1:0\"\n[camera.gate]\nsource = \"test://smpte\"\n"
    );
    fs::write(&config, &good).unwrap();

    let mut daemon = service(&state, &config);
    daemon.wait_for_log("kept as the last good one");
    daemon.signal("TERM");
    assert_eq!(daemon.wait_for_end(TIMEOUT).0, Some(0));
    let version = fs::read_to_string(state.join("last-good/VERSION")).unwrap();
    assert_eq!(version.trim_end(), env!("CARGO_PKG_VERSION"));
    assert_eq!(fs::metadata(state.join("last-good")).unwrap().permissions().mode() & 0o777, 0o700);

    // An upgrade brings a bad configuration and takes the model away: every mistake is named, nothing starts.
    fs::write(&config, "[detection]\nscore = 7\niou = -1\n").unwrap();
    fs::remove_file(&model).unwrap();
    let (code, log) = service(&state, &config).wait_for_end(TIMEOUT);
    assert_eq!(code, Some(78), "{log}");
    assert!(log.contains("2 mistakes") && log.contains("detection.score") && log.contains("detection.iou"), "{log}");

    // systemd runs the fallback, which finds that the failure is for good and starts the pair, as systemd would here.
    let installation = Installation::new(version.trim_end(), None);
    fs::remove_dir(installation.at("good")).unwrap();
    std::os::unix::fs::symlink(state.join("last-good"), installation.at("good")).unwrap();
    installation.last_good("fallback", 78);
    assert_eq!(installation.asked().lines().last(), Some(GO_BACK));
    let mut command = Command::new(root().join("deploy/deb/last-good"));
    command.arg("run").env("STATE_DIRECTORY", &state).env("SIGHTD_GOOD", state.join("last-good"));
    command.env("SIGHTD_KEPT", installation.at("kept")).env("SIGHTD_PROGRAM", env!("CARGO_BIN_EXE_sightd"));
    let returned = Daemon::start(&mut command);
    assert_eq!(returned.wait_for_scene()["camera"], "gate");
}

#[test]
fn without_a_run_that_worked_the_way_back_says_so() {
    let state = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_sightd"));
    let mut daemon = Daemon::start(command.args(["run", "--last-good"]).env("STATE_DIRECTORY", state.path()));
    let (code, log) = daemon.wait_for_end(TIMEOUT);
    assert_eq!(code, Some(78), "{log}");
    assert!(log.contains("no run has proved itself yet"), "{log}");
}
