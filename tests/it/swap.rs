//! The model changes while the daemon serves: by POST /model and by SIGHUP, and not when the new one is broken.

use crate::{
    program::{Daemon, TIMEOUT, reference_model},
    support::{is_long, part},
};
use futures_util::StreamExt;
use serde_json::{Value, json};
use std::{
    fs,
    io::Write,
    path::PathBuf,
    time::{Duration, Instant},
};
use tempfile::TempDir;
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite::Message};

/// A folder of models that differ in their names only, or are broken.
struct Models {
    folder: TempDir,
}

impl Models {
    /// `one` and `two` serve; `short` is half a file, `odd` has another output, `large` sees larger pictures.
    fn new() -> Self {
        let models = Self { folder: tempfile::tempdir().unwrap() };
        let weights = fs::read(reference_model()).unwrap();
        let text = fs::read_to_string(part("models/ssdlite-mobilenet-v2.toml")).unwrap();
        let mut manifest: toml::Table = text.parse().unwrap();
        manifest.remove("sha256");
        for (name, bytes) in [("one", &weights[..]), ("two", &weights), ("short", &weights[..weights.len() / 2])] {
            models.add(name, bytes, &mut manifest);
        }
        let mut odd = manifest.clone();
        odd["decode"]["logits"] = "scores".into();
        models.add("odd", &weights, &mut odd);
        let mut large = manifest.clone();
        large["input"]["width"] = 512.into();
        models.add("large", &weights, &mut large);
        models
    }

    fn add(&self, name: &str, bytes: &[u8], manifest: &mut toml::Table) {
        manifest.insert("name".into(), name.into());
        fs::write(self.path(&format!("{name}.onnx")), bytes).unwrap();
        fs::write(self.path(&format!("{name}.toml")), manifest.to_string()).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The configuration: a test picture at 30 frames per second, seen by the model `name`.
    fn configure(&self, name: &str) -> PathBuf {
        let path = self.path("sightd.conf.toml");
        let folder = self.folder.path().display();
        let text = format!(
            "[model]\nname = \"{name}\"\nfolders = [\"{folder}\"]\n[runtime]\nthreads = 1\n[http]\nlisten = \
             \"127.0.0.1:0\"\n[camera.front]\nsource = \"test://smpte\"\nfps = 30\n"
        );
        fs::write(&path, text).unwrap();
        path
    }

    fn daemon(&self) -> Daemon {
        let config = self.configure("one");
        let daemon = Daemon::spawn(&["run", "--config", config.to_str().unwrap()]);
        daemon.wait_for(|scene| scene["model"] == "one");
        daemon
    }
}

/// Status and body of POST /model.
async fn change(daemon: &Daemon, body: &Value) -> (u16, Value) {
    let url = format!("{}/model", daemon.url());
    let response = reqwest::Client::new().post(url).json(body).send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

async fn serving(daemon: &Daemon) -> String {
    let model: Value = reqwest::get(format!("{}/model", daemon.url())).await.unwrap().json().await.unwrap();
    model["engine"]["model"].as_str().unwrap().to_owned()
}

/// One scene as it came in.
struct SceneSummary {
    at: Instant,
    model: String,
    seq: u64,
    /// How long the network ran.
    run: Duration,
}

/// A WebSocket of the daemon, and the scenes that came over it.
struct SceneReader {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    seen: Vec<SceneSummary>,
}

impl SceneReader {
    async fn new(daemon: &Daemon) -> Self {
        let (socket, _) = connect_async(daemon.url().replace("http://", "ws://") + "/ws").await.unwrap();
        Self { socket, seen: Vec::new() }
    }

    /// Collects scenes until there are `count` of the model `name`.
    async fn watch(&mut self, count: usize, name: &str) {
        while self.seen.iter().filter(|scene| scene.model == name).count() < count {
            let message = timeout(TIMEOUT, self.socket.next()).await.unwrap().unwrap().unwrap();
            let Message::Text(text) = message else { continue };
            let message: Value = serde_json::from_str(&text).unwrap();
            let Some(seq) = message["seq"].as_u64() else { continue };
            let model = message["model"].as_str().unwrap().to_owned();
            let run = Duration::from_secs_f64(message["timings_ms"]["infer"].as_f64().unwrap() / 1e3);
            self.seen.push(SceneSummary { at: Instant::now(), model, seq, run });
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_takes_over_under_load_and_exactly_once() {
    let models = Models::new();
    let daemon = tokio::task::block_in_place(|| models.daemon());
    let names = ["one", "two"].into_iter().cycle();
    let rounds = if is_long() { 15 } else { 1 };
    let (mut gaps, mut limits) = (Vec::new(), Vec::new());
    for (old, new) in names.clone().zip(names.skip(1)).take(rounds) {
        let seen = swap(&daemon, old, new).await;
        gaps.push(seen.windows(2).map(|pair| pair[1].at - pair[0].at).max().unwrap());
        limits.push(2 * Duration::from_secs(1) / 30 + median(seen.iter().map(|seen| seen.run).collect()));
    }
    let (gap, limit) = (median(gaps), median(limits));
    let _ = writeln!(
        std::io::stderr(),
        "model swap at 30 fps, {rounds} times: the longest gap between two scenes was {gap:.1?} (median); two frame \
         intervals and a run are {limit:.1?}"
    );
    assert!(gap <= limit || !is_long(), "{gap:?} is more than {limit:?}");
}

/// Changes the model from `old` to `new`, and gives the scenes around the change: at least thirty of the old one first,
/// thirty of the new one at the end.
async fn swap(daemon: &Daemon, old: &str, new: &str) -> Vec<SceneSummary> {
    let mut reader = SceneReader::new(daemon).await;
    reader.watch(30, old).await;
    let to = json!({"name": new});
    let ((status, engine), ()) = tokio::join!(change(daemon, &to), reader.watch(30, new));
    assert_eq!((status, engine["model"].as_str()), (200, Some(new)), "{engine}");
    let seen = reader.seen;
    assert!(seen.is_sorted_by(|a, b| a.seq < b.seq));
    let changes = seen.windows(2).filter(|pair| pair[0].model != pair[1].model).count();
    assert_eq!((changes, seen[0].model.as_str()), (1, old));
    assert_eq!(serving(daemon).await, new);
    seen
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// A change of a camera's settings brought the model of the file back once, and GET /config did not know the new one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chosen_model_stays_when_a_camera_changes() {
    let models = Models::new();
    let daemon = tokio::task::block_in_place(|| models.daemon());
    assert_eq!(change(&daemon, &json!({"name": "two"})).await.0, 200);
    let client = reqwest::Client::new();
    let camera = client.patch(format!("{}/cameras/front", daemon.url()));
    let answer = camera.json(&json!({"detection": {"score": 0.25}})).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 200);
    let config: Value = reqwest::get(format!("{}/config", daemon.url())).await.unwrap().json().await.unwrap();
    assert_eq!((serving(&daemon).await.as_str(), &config["model"]["name"]), ("two", &json!("two")));
    assert_eq!(config["camera"]["front"]["detection"]["score"], 0.25);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_that_cannot_serve_leaves_the_old_one() {
    let models = Models::new();
    let daemon = tokio::task::block_in_place(|| models.daemon());
    for (body, want, words) in [
        (json!({"name": "short"}), 422, "short.onnx"),
        (json!({"name": "odd"}), 422, "\"scores\" is missing; nothing was changed"),
        (json!({"name": "large"}), 422, "the new model sees 512x300 pixels, the running cameras deliver 300x300"),
        (json!({"name": "nothing"}), 422, "nothing"),
        (json!({"name": "../one"}), 400, "is not a name in the catalogue"),
        (json!({"name": ""}), 400, "is not a name in the catalogue"),
        (json!({"model": "two"}), 400, "name"),
    ] {
        let (status, problem) = change(&daemon, &body).await;
        assert_eq!(status, want, "{body}: {problem}");
        assert!(problem["detail"].as_str().unwrap().contains(words), "{body}: {problem}");
        assert_eq!(serving(&daemon).await, "one");
    }
    let mut reader = SceneReader::new(&daemon).await;
    reader.watch(5, "one").await;
    assert_eq!(reader.seen.len(), 5, "scenes of no other model come");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_this_machine_may_change_the_model() {
    let models = Models::new();
    let daemon = tokio::task::block_in_place(|| models.daemon());
    let url = format!("{}/model", daemon.url());
    let headers: [(&str, &str); 3] =
        [("host", "evil.example"), ("x-forwarded-for", "192.0.2.7"), ("forwarded", "for=192.0.2.7")];
    for (name, value) in headers {
        let request = reqwest::Client::new().post(&url).json(&json!({"name": "two"})).header(name, value);
        assert_eq!(request.send().await.unwrap().status(), 403, "{name}: {value}");
    }
    // A web page can send a form or plain text to another site without asking, but no JSON.
    let request = reqwest::Client::new().post(&url).body("{\"name\": \"two\"}").header("content-type", "text/plain");
    assert_eq!(request.send().await.unwrap().status(), 415);
    assert_eq!(serving(&daemon).await, "one");
}

#[test]
fn sighup_reads_the_configuration_again() {
    let models = Models::new();
    let daemon = models.daemon();
    models.configure("two");
    daemon.signal("HUP");
    daemon.wait_for(|scene| scene["model"] == "two");
    models.configure("odd");
    daemon.signal("HUP");
    daemon.wait_for_log("\"scores\" is missing; nothing was changed");
    fs::write(models.path("sightd.conf.toml"), "[model]\nnaem = \"one\"\n").unwrap();
    daemon.signal("HUP");
    daemon.wait_for_log("model.naem");
    let (_, model) = daemon.get("/model");
    assert!(model.contains("\"model\":\"two\""), "{model}");
}
