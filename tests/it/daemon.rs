//! The program as its user runs it: real footage in, detections out, clean stops, clear words on bad input.

use crate::{
    program::{Daemon, reference_model, run_to_end},
    support::{part, root},
};
use serde_json::Value;
use std::{fs, io::Write, net::TcpListener, os::unix::fs::PermissionsExt, process::Command, time::Duration};

#[test]
fn footage_gives_persons_and_growing_numbers() {
    let daemon = Daemon::on_footage();
    let first = daemon.wait_for_scene();
    let later = daemon.wait_for(|scene| scene["seq"].as_u64() > first["seq"].as_u64().map(|seq| seq + 5));
    assert_eq!(first["camera"], "default");
    assert_eq!((&first["frame"]["width"], &first["frame"]["height"]), (&Value::from(768), &Value::from(576)));
    assert!(later["captured_at"].as_str() > first["captured_at"].as_str());
    for stage in ["capture", "wait", "preprocess", "infer", "decode"] {
        assert!(later["timings_ms"][stage].as_f64().unwrap() >= 0.0, "{stage}");
    }
    assert!(later["timings_ms"]["infer"].as_f64().unwrap() > 0.5);
    daemon.wait_for(|scene| {
        let detections = scene["detections"].as_array().unwrap();
        detections.iter().any(|found| found["label"] == "person" && found["score"].as_f64().unwrap() >= 0.5)
    });
}

#[test]
fn health_and_readiness_are_told_apart() {
    let daemon = Daemon::on_footage();
    assert_eq!(daemon.get("/healthz").0, 200);
    daemon.wait_for_scene();
    assert_eq!(daemon.get("/readyz").0, 200);
    let version: Value = serde_json::from_str(&daemon.get("/version").1).unwrap();
    assert_eq!(version["version"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn sigterm_and_ctrl_c_stop_in_order() {
    for signal in ["TERM", "INT"] {
        let mut daemon = Daemon::on_footage();
        daemon.wait_for_scene();
        daemon.signal(signal);
        let (code, log) = daemon.wait_for_end(Duration::from_secs(20));
        assert_eq!(code, Some(0), "{log}");
        assert!(log.contains("stopped"), "{log}");
        assert!(!log.contains("did not end in time"), "{log}");
    }
}

#[test]
fn a_busy_port_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let model = reference_model();
    let (code, log) = run_to_end(&["run", "--listen", &address, "--source", "test://smpte", "--model", &model]);
    assert_eq!(code, Some(1), "{log}");
    assert!(log.contains(&format!("{address} is in use by another program")), "{log}");
}

/// What is wrong, the arguments, the exit code, and words that the message must hold.
#[test]
fn bad_input_gives_one_clear_message() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let model = reference_model();
    fs::write(path("empty.avi"), b"").unwrap();
    fs::write(path("noise.avi"), [0x55; 4096]).unwrap();
    fs::write(path("codec.avi"), footage_of_an_unknown_codec()).unwrap();
    fs::create_dir(path("folder.onnx")).unwrap();
    fs::write(path("text.onnx"), b"this is no model").unwrap();
    let weights = fs::read(&model).unwrap();
    fs::write(path("short.onnx"), &weights[..weights.len() / 2]).unwrap();
    fs::write(path("five.toml"), FIVE_MISTAKES).unwrap();

    let empty = format!("file://{}", path("empty.avi"));
    let noise = format!("file://{}", path("noise.avi"));
    let codec = format!("file://{}", path("codec.avi"));
    let folder_as_video = format!("file://{}", folder.path().display());
    let gone = format!("file://{}", path("gone.avi"));
    let cases: &[(&str, &[&str], i32, &[&str])] = &[
        ("missing model", &["--model", &path("gone.onnx")], 78, &["gone.onnx"]),
        ("unknown model", &["--model", "resnet"], 78, &["resnet"]),
        (
            "no model at all",
            &["--model", &path("text.onnx")],
            78,
            &["text.onnx", "is not an ONNX file or is truncated"],
        ),
        ("a folder as model", &["--model", &path("folder.onnx")], 78, &["folder.onnx`: Is a directory"]),
        ("truncated model", &["--model", &path("short.onnx")], 78, &["short.onnx"]),
        ("missing video", &["--model", &model, "--source", &gone], 78, &["gone.avi"]),
        ("empty video", &["--model", &model, "--source", &empty], 78, &["empty.avi", "empty"]),
        ("folder as video", &["--model", &model, "--source", &folder_as_video], 78, &["is a folder", "images://"]),
        ("unknown codec", &["--model", &model, "--source", &codec], 78, &["codec.avi", "there is no", "decoder"]),
        ("noise as video", &["--model", &model, "--source", &noise], 78, &["noise.avi"]),
        ("unknown kind of source", &["--model", &model, "--source", "ftp://x"], 78, &["ftp://x", "rtsp://"]),
        ("missing config", &["--config", &path("gone.toml")], 78, &["gone.toml"]),
        ("five mistakes", &["--config", &path("five.toml")], 78, &["5 mistakes"]),
    ];
    for (what, arguments, want, words) in cases {
        let arguments: Vec<_> = ["run", "--listen", "127.0.0.1:0"].iter().chain(*arguments).copied().collect();
        let (code, log) = run_to_end(&arguments);
        assert_eq!(code, Some(*want), "{what}: {log}");
        for word in *words {
            assert!(log.contains(word), "{what}: {word:?} is not in: {log}");
        }
        assert!(!log.contains("panicked") && !log.contains("backtrace"), "{what}: {log}");
    }
}

/// The default footage, said to be of a codec that nobody knows.
fn footage_of_an_unknown_codec() -> Vec<u8> {
    let mut bytes = fs::read(part("footage/vtest.avi")).unwrap();
    bytes.truncate(100_000);
    for at in 0..bytes.len() - 4 {
        if bytes[at..at + 4].eq_ignore_ascii_case(b"div3") {
            bytes[at..at + 4].copy_from_slice(b"ZQ9X");
        }
    }
    bytes
}

/// A file that this user may not read. Root may read everything, so for root the program runs as another user.
#[test]
fn files_that_may_not_be_read_are_named() {
    let program = env!("CARGO_BIN_EXE_sightd");
    if !as_nobody("test").args(["-x", program]).status().unwrap().success() {
        let _ = writeln!(
            std::io::stderr(),
            "left out: files_that_may_not_be_read_are_named needs a checkout that every user may read"
        );
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::copy(reference_model(), path("model.onnx")).unwrap();
    fs::copy(part("models/ssdlite-mobilenet-v2.toml"), path("model.toml")).unwrap();
    for name in ["video.avi", "locked.onnx", "locked.toml"] {
        fs::write(path(name), "x").unwrap();
        fs::set_permissions(path(name), fs::Permissions::from_mode(0o000)).unwrap();
    }
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let text = |name: &str| path(name).display().to_string();
    let video = format!("file://{}", text("video.avi"));
    for (arguments, name) in [
        (["run", "--model", &text("model.onnx"), "--source", &video], "video.avi"),
        (["run", "--source", "test://smpte", "--model", &text("locked.onnx")], "locked.onnx"),
        (["check", "--config", &text("locked.toml"), "", ""], "locked.toml"),
    ] {
        let arguments: Vec<_> = arguments.into_iter().filter(|argument| !argument.is_empty()).collect();
        let mut command = as_nobody(program);
        command.args(arguments).env("SIGHTD__HTTP__LISTEN", "127.0.0.1:0").current_dir(root());
        let output = command.output().unwrap();
        let log = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(78), "{name}: {log}");
        assert!(log.contains(name) && log.contains("Permission denied"), "{name}: {log}");
    }
}

/// `program`, without the right to read everything, which root has.
fn as_nobody(program: &str) -> Command {
    if !rustix::process::geteuid().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups", program]);
    command
}

#[test]
fn a_missing_runtime_is_named_with_every_folder_searched() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.toml");
    fs::write(&config, "[runtime]\nlibrary = \"/nowhere/libonnxruntime.so\"\n").unwrap();
    let config = config.display().to_string();
    let model = reference_model();
    let (code, log) = run_to_end(&[
        "run",
        "--listen",
        "127.0.0.1:0",
        "--config",
        &config,
        "--source",
        "test://smpte",
        "--model",
        &model,
    ]);
    assert_eq!(code, Some(78), "{log}");
    assert!(log.contains("/nowhere/libonnxruntime.so"), "{log}");
}

const FIVE_MISTAKES: &str = r#"
[detection]
score = 1.5
[camera.front]
source = "ftp://camera"
fsp = 10
[model]
folders = "here"
[log]
filter = "loud=noisy=very"
"#;

#[test]
fn check_names_all_mistakes_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.toml");
    fs::write(&config, FIVE_MISTAKES).unwrap();
    let (code, log) = run_to_end(&["check", "--config", &config.display().to_string()]);
    assert_eq!(code, Some(78), "{log}");
    for key in ["detection.score = 1.5", "camera.front.source", "camera.front.fsp", "model.folders", "log.filter"] {
        assert!(log.contains(&format!("{}: {key}", config.display())), "{key} is not named in: {log}");
    }
    assert!(log.contains("did you mean \"fps\"?"), "{log}");
}

/// What `run` refuses before it listens `check` refuses as well, with the same code and words: packages rely on it.
#[test]
fn check_refuses_what_run_refuses() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.toml");
    let token = folder.path().join("token");
    fs::write(&token, "0123456789abcdef0123").unwrap();
    fs::set_permissions(&token, fs::Permissions::from_mode(0o644)).unwrap();
    let model = format!("[model]\nname = {:?}\n", reference_model());
    for (about, text, says) in [
        ("open address", "[http]\nlisten = \"0.0.0.0:0\"\n".to_owned(), "would be open to the whole network"),
        ("no token file", format!("[http]\ntoken_file = \"{}/gone\"\n", folder.path().display()), "gone"),
        ("readable token", format!("[http]\ntoken_file = {token:?}\n"), "chmod 600"),
        ("no file", "[camera.a]\nsource = \"file:///nowhere/gone.mp4\"\n".to_owned(), "/nowhere/gone.mp4"),
    ] {
        fs::write(&file, format!("{text}{model}")).unwrap();
        for command in ["check", "run"] {
            let (code, log) = run_to_end(&[command, "--config", file.to_str().unwrap()]);
            assert_eq!(code, Some(78), "{about}: {command}: {log}");
            assert!(log.contains(says), "{about}: {command}: {log}");
        }
    }
    let both = "[camera.a]\nsource = \"file:///nowhere/gone.mp4\"\n[camera.b]\nsource = \"test://ball\"\n";
    fs::write(&file, format!("{both}{model}")).unwrap();
    let (code, log) = run_to_end(&["--config", file.to_str().unwrap(), "check"]);
    assert!(code == Some(0) && log.contains("camera a") && log.contains("configuration is good"), "{log}");
}
