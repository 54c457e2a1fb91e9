//! Secrets stay where they are: planted in the configuration, the environment and systemd's credentials of the real
//! program, they appear in nothing that it writes or answers, whatever goes wrong.

use crate::{
    program::{Daemon, TIMEOUT, reference_model},
    support::part,
};
use std::{fs, process::Command, thread, time::Duration, time::Instant};

const READ: &str = "planted-read-token-4711";
const ADMIN: &str = "planted-admin-token-4711";
const WRONG: &str = "planted-wrong-token-4711";
const SECRETS: [&str; 6] =
    [READ, ADMIN, WRONG, "planted-url-password-4711", "planted-password-4711", "planted-file-password-4711"];

/// The program with `arguments` on a free port, tokens in systemd's credentials, all its log.
fn with_credentials(folder: &std::path::Path, arguments: &[&str]) -> Daemon {
    fs::write(folder.join("token"), READ).unwrap();
    fs::write(folder.join("admin-token"), format!("{ADMIN}\n")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_sightd"));
    command.args(["run", "--listen", "127.0.0.1:0", "--model", &reference_model()]).args(arguments);
    Daemon::start(command.env("CREDENTIALS_DIRECTORY", folder).env("SIGHTD__LOG__FILTER", "trace"))
}

/// Status and body of any request.
fn ask(daemon: &Daemon, method: &str, path: &str, token: &str, body: &str) -> (u16, String) {
    let request = reqwest::Client::new().request(method.parse().unwrap(), format!("{}{path}", daemon.url()));
    let request = request.bearer_auth(token).header("content-type", "application/json").body(body.to_owned());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let response = request.send().await.unwrap();
        let headers = format!("{:?}", response.headers());
        (response.status().as_u16(), headers + &response.text().await.unwrap())
    })
}

#[test]
fn tokens_come_from_the_credentials_of_systemd() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = with_credentials(folder.path(), &["--source", "test://ball"]);
    assert_eq!(daemon.get("/session").0, 401);
    for (token, role) in [(READ, "\"read\""), (ADMIN, "\"admin\"")] {
        let (status, session) = ask(&daemon, "GET", "/session", token, "");
        assert!(status == 200 && session.contains(role), "{session}");
    }
    assert_eq!(ask(&daemon, "GET", "/session", WRONG, "").0, 401);
}

#[test]
fn planted_secrets_are_in_no_log_answer_or_error() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.toml");
    let password = folder.path().join("password");
    fs::write(&password, "planted-file-password-4711\n").unwrap();
    fs::set_permissions(&password, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let text = format!(
        "[camera.url]\nsource = \"rtsp://user:planted-url-password-4711@127.0.0.1:9/stream\"\n\
         [camera.key]\nsource = \"rtsp://127.0.0.1:9/stream\"\n\
         network = {{ user = \"user\", password = \"planted-password-4711\" }}\n\
         [camera.file]\nsource = \"rtsp://127.0.0.1:9/stream\"\n\
         network = {{ user = \"user\", password_file = {password:?} }}\n\
         [camera.good]\nsource = \"file://{}?loop\"\n",
        part("footage/vtest.avi").display()
    );
    fs::write(&config, &text).unwrap();
    let daemon = with_credentials(folder.path(), &["--config", config.to_str().unwrap()]);
    let start = Instant::now();
    while daemon.get("/readyz").0 != 200 || daemon.log().matches("127.0.0.1:9").count() < 3 {
        assert!(start.elapsed() < TIMEOUT, "{}", daemon.log());
        thread::sleep(Duration::from_millis(50));
    }
    let mut answers = Vec::new();
    for path in
        ["/config", "/cameras", "/logs?limit=1000", "/metrics", "/system", "/model", "/detections", "/openapi.json"]
    {
        let (status, answer) = ask(&daemon, "GET", path, ADMIN, "");
        assert_eq!(status, 200, "{path}");
        answers.push((path, answer));
    }
    for (method, path, token, body) in [
        ("GET", "/readyz", "", ""),
        ("GET", "/config", WRONG, ""),
        ("GET", "/detections?token=planted-wrong-token-4711", READ, ""),
        ("GET", "/detections?min_score=planted-wrong-token-4711", READ, ""),
        ("PATCH", "/cameras/url", READ, "{}"),
        ("PATCH", "/cameras/url", ADMIN, "{\"detection\": {\"score\": 7}}"),
        ("PATCH", "/cameras/url", ADMIN, "{\"source\": \"x\"}"),
        ("POST", "/detect", ADMIN, "{}"),
        ("POST", "/model", ADMIN, "{\"name\": \"nothing\"}"),
    ] {
        answers.push((path, ask(&daemon, method, path, token, body).1));
    }
    for mistake in ["source = 7", "[camera.url]\nsource = \"x\"", "[http]\nhosts = 7", "[camera.key.network]\nport = 1"]
    {
        fs::write(&config, format!("{text}{mistake}\n")).unwrap();
        let (status, answer) = ask(&daemon, "POST", "/reload", ADMIN, "");
        assert_eq!(status, 422, "{mistake}: {answer}");
        answers.push((mistake, answer));
    }
    let query_is_the_callers_own = |path: &str| path.contains("min_score=planted");
    for secret in SECRETS {
        assert!(!daemon.log().contains(secret), "{secret} is in the log:\n{}", daemon.log());
        for (path, answer) in answers.iter().filter(|(path, _)| !query_is_the_callers_own(path)) {
            assert!(!answer.contains(secret), "{secret} is in the answer to {path}: {answer}");
        }
    }
}
