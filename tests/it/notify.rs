//! The test plays systemd: it listens on the notification socket of a real daemon.

use crate::support::{
    freeze::{FreezePoint, Frozen},
    root,
};
use std::{
    fs,
    os::unix::net::UnixDatagram,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

/// A generous wait for one message; only a hang reaches it.
const TIMEOUT: Duration = Duration::from_secs(60);

fn start(folder: &Path, config: &str) -> (UnixDatagram, Child) {
    let (socket, file) = (folder.join("notify"), folder.join("config.toml"));
    fs::write(&file, config).unwrap();
    let systemd = UnixDatagram::bind(&socket).unwrap();
    systemd.set_read_timeout(Some(TIMEOUT)).unwrap();
    let daemon = Command::new(env!("CARGO_BIN_EXE_sightd"))
        .args(["run", "--listen", "127.0.0.1:0", "--config"])
        .arg(&file)
        .current_dir(root())
        .env("NOTIFY_SOCKET", &socket)
        .env("WATCHDOG_USEC", "3000000")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    (systemd, daemon)
}

/// Reads messages until one contains `wanted`; gives all of them.
fn until(systemd: &UnixDatagram, wanted: &str) -> String {
    let (mut heard, mut buffer) = (String::new(), [0; 4096]);
    while !heard.contains(wanted) {
        let length = systemd.recv(&mut buffer).unwrap_or_else(|error| panic!("no {wanted:?} ({error}) after: {heard}"));
        heard.push_str(&String::from_utf8_lossy(&buffer[..length]));
    }
    heard
}

#[test]
fn systemd_hears_ready_status_watchdog_and_stopping() {
    let folder = tempfile::tempdir().unwrap();
    let (systemd, mut daemon) = start(folder.path(), "[camera.front]\nsource = \"test://smpte\"\n");
    let first = until(&systemd, "READY=1");
    assert!(!first.contains("WATCHDOG=1"), "{first}");
    until(&systemd, "WATCHDOG=1");
    until(&systemd, "fps on cpu; 1 of 1 cameras running");
    until(&systemd, "WATCHDOG=1");
    let killed = Command::new("kill").args(["-TERM", &daemon.id().to_string()]).status().unwrap();
    assert!(killed.success());
    until(&systemd, "STOPPING=1");
    assert!(daemon.wait().unwrap().success());
}

#[test]
fn the_watchdog_starves_while_the_pipeline_is_stuck() {
    let folder = tempfile::tempdir().unwrap();
    let config = "[camera.front]\nsource = \"test://smpte\"\nfps = 5\n[runtime]\nthreads = 1\n";
    let (systemd, mut daemon) = start(folder.path(), config);
    until(&systemd, "fps on cpu; 1 of 1 cameras running");
    // A stop within a run would be the engine's own watchdog's business.
    let frozen = match Frozen::inference(daemon.id(), FreezePoint::Waiting) {
        Ok(frozen) => frozen,
        Err(error) => {
            daemon.kill().unwrap();
            daemon.wait().unwrap();
            return println!("left out: the_watchdog_starves_while_the_pipeline_is_stuck (ptrace: {error})");
        }
    };
    until(&systemd, "STATUS=no progress: frames come in, and no scene was published");

    systemd.set_read_timeout(Some(Duration::from_secs(3))).unwrap(); // three times the period at which it is fed
    let mut buffer = [0; 4096];
    if let Ok(length) = systemd.recv(&mut buffer) {
        panic!("systemd was told {:?}", String::from_utf8_lossy(&buffer[..length]));
    }

    frozen.let_go();
    systemd.set_read_timeout(Some(TIMEOUT)).unwrap();
    until(&systemd, "WATCHDOG=1");
    until(&systemd, "fps on cpu; 1 of 1 cameras running");
    assert!(Command::new("kill").args(["-TERM", &daemon.id().to_string()]).status().unwrap().success());
    until(&systemd, "STOPPING=1");
    assert!(daemon.wait().unwrap().success());
}

#[test]
fn a_bad_configuration_is_78_and_never_ready() {
    let folder = tempfile::tempdir().unwrap();
    let (systemd, mut daemon) = start(folder.path(), "[detection]\nscore = 7\n");
    assert_eq!(daemon.wait().unwrap().code(), Some(78));
    systemd.set_nonblocking(true).unwrap();
    assert!(systemd.recv(&mut [0; 64]).is_err(), "nothing is told");
}
