//! Nothing leaves the machine that the user did not ask for: the system calls of the real program, with the default
//! model on the newest ONNX Runtime, show no look-up, no connection and no datagram to another address, and no file
//! written outside its folders.

use crate::{program::reference_model, support::part};
use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};
use tempfile::TempDir;

/// Runs the program with `arguments` under strace, for `seconds` (then it is asked to stop) or to its end; the lines of
/// the calls that send or write.
fn calls(home: &TempDir, seconds: u32, arguments: &[&str]) -> Vec<String> {
    let trace = home.path().join("trace");
    let own = |name: &str| home.path().join(name);
    let mut command = Command::new("timeout");
    command.args(["--signal=TERM", &seconds.to_string(), "strace", "-f", "-qq", "-s", "256", "-o"]).arg(&trace);
    command.args([
        "-e",
        "trace=connect,sendto,sendmsg,sendmmsg,open,openat,creat,mkdir,mkdirat,rename,renameat,renameat2",
    ]);
    command.arg(env!("CARGO_BIN_EXE_sightd")).args(arguments).current_dir(crate::support::root());
    command.env("HOME", home.path()).env("CACHE_DIRECTORY", own("cache")).env("STATE_DIRECTORY", own("state"));
    command.env_remove("ORT_DISABLE_TELEMETRY").env_remove("XDG_CACHE_HOME").env_remove("XDG_RUNTIME_DIR");
    for name in ["cache", "state"] {
        fs::create_dir_all(own(name)).unwrap();
    }
    let output = command.stdin(Stdio::null()).output().unwrap();
    let text = fs::read_to_string(&trace).unwrap();
    assert!(text.lines().count() > 50, "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    text.lines().map(str::to_owned).collect()
}

/// A call that reaches beyond this machine.
fn sends_away(call: &str) -> bool {
    let family = call.contains("sa_family=AF_INET");
    let local = call.contains("inet_addr(\"127.") || call.contains("inet_pton(AF_INET6, \"::1\"");
    family && !local
}

/// The file that a call makes, changes or renames to; none for reading and for devices.
fn written(call: &str) -> Option<&str> {
    let made = ["O_CREAT", "O_WRONLY", "O_RDWR", "creat(", "mkdir", "rename"].iter().any(|word| call.contains(word));
    let path = call.rsplit('"').nth(1)?;
    let failed = call.contains("= -1");
    (made && !failed && path.starts_with('/')).then_some(path)
}

fn assert_quiet(home: &TempDir, calls: &[String]) {
    let away: Vec<_> = calls.iter().filter(|call| sends_away(call)).collect();
    assert!(away.is_empty(), "sent to another machine: {away:#?}");
    let allowed = |path: &str| {
        let path = Path::new(path);
        let registry = home.path().join(".cache/gstreamer-1.0"); // GStreamer's list of its own plugins
        let own = ["cache", "state"].map(|name| home.path().join(name));
        // Orc, which makes GStreamer's inner loops, maps them from a file that it deletes at once.
        let orc = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("orcexec."));
        orc || path.starts_with("/dev")
            || path.starts_with("/proc")
            || path.starts_with(registry)
            || own.iter().any(|folder| path.starts_with(folder))
            || path == home.path().join(".cache")
    };
    let outside: Vec<_> = calls.iter().filter(|call| written(call).is_some_and(|path| !allowed(path))).collect();
    assert!(outside.is_empty(), "written outside the program's folders: {outside:#?}");
}

#[test]
fn a_running_daemon_sends_nothing_and_writes_in_its_folders_only() {
    let home = tempfile::tempdir().unwrap();
    let source = format!("file://{}?loop", part("footage/vtest.avi").display());
    let arguments = ["run", "--listen", "127.0.0.1:0", "--source", &source, "--model", &reference_model()];
    assert_quiet(&home, &calls(&home, 15, &arguments));
}

#[test]
fn detect_and_doctor_send_nothing() {
    let home = tempfile::tempdir().unwrap();
    let photo = home.path().join("photo.png");
    image::RgbImage::from_pixel(64, 48, image::Rgb([90, 120, 40])).save(&photo).unwrap();
    assert_quiet(&home, &calls(&home, 60, &["detect", photo.to_str().unwrap(), "--model", &reference_model()]));
    assert_quiet(&home, &calls(&home, 60, &["doctor"]));
}

#[test]
fn what_is_sent_and_written_is_recognised() {
    for away in [
        "7 connect(9, {sa_family=AF_INET, sin_port=htons(53), sin_addr=inet_addr(\"192.0.2.1\")}, 16) = 0",
        "7 sendto(9, \"x\", 1, 0, {sa_family=AF_INET6, sin6_port=htons(443), inet_pton(AF_INET6, \"2001:db8::1\", ...",
    ] {
        assert!(sends_away(away), "{away}");
    }
    assert!(!sends_away(
        "7 connect(9, {sa_family=AF_INET, sin_port=htons(8080), sin_addr=inet_addr(\"127.0.0.1\")}, 16) = 0"
    ));
    assert!(!sends_away("7 connect(9, {sa_family=AF_UNIX, sun_path=\"/run/systemd/notify\"}, 23) = 0"));
    assert_eq!(written("7 openat(AT_FDCWD, \"/x/y\", O_WRONLY|O_CREAT, 0666) = 3"), Some("/x/y"));
    assert_eq!(written("7 openat(AT_FDCWD, \"/x/y\", O_RDONLY|O_CLOEXEC) = 3"), None);
    assert_eq!(written("7 rename(\"/x/a\", \"/x/b\") = 0"), Some("/x/b"));
}
