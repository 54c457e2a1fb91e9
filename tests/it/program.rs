//! The program under test: started as its user starts it, watched, killed when the test is over.

use crate::support::{part, root};
use serde_json::Value;
use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// The default model's ONNX file, imported by `make test` before the tests run.
pub fn reference_model() -> String {
    part("models/ssdlite-mobilenet-v2.onnx").display().to_string()
}

/// Runs the program to its end: exit code, and all it printed.
pub fn run_to_end(arguments: &[&str]) -> (Option<i32>, String) {
    let mut daemon = Daemon::spawn(arguments);
    daemon.wait_for_end(TIMEOUT)
}

/// Longer than anything a test waits for takes, on the slowest machine.
pub const TIMEOUT: Duration = Duration::from_secs(120);

/// A running `sightd`; killed when dropped.
pub struct Daemon {
    child: Child,
    log: Arc<Mutex<String>>,
    readers: Vec<JoinHandle<()>>,
}

impl Daemon {
    /// `sightd` with `arguments`, whose output is collected.
    pub fn spawn(arguments: &[&str]) -> Self {
        Self::start(Command::new(env!("CARGO_BIN_EXE_sightd")).args(arguments))
    }

    /// `command`, which becomes `sightd`, whose output is collected.
    pub fn start(command: &mut Command) -> Self {
        let mut child = command
            .current_dir(root())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let outputs: [Box<dyn Read + Send>; 2] =
            [Box::new(child.stdout.take().unwrap()), Box::new(child.stderr.take().unwrap())];
        let readers = outputs.map(|output| {
            let log = log.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    let mut log = log.lock().unwrap();
                    log.push_str(&line);
                    log.push('\n');
                }
            })
        });
        Self { child, log, readers: readers.into() }
    }

    /// The daemon on the default footage in a loop, on a free port.
    pub fn on_footage() -> Self {
        let source = format!("file://{}?loop", part("footage/vtest.avi").display());
        Self::spawn(&["run", "--listen", "127.0.0.1:0", "--source", &source, "--model", &reference_model()])
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// All it has printed so far.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// What `look` finds, which is asked again and again until it finds it; `what` that is, for the message.
    pub fn until_some<T>(&self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        let start = Instant::now();
        loop {
            if let Some(found) = look() {
                return found;
            }
            assert!(start.elapsed() < TIMEOUT, "{what} did not come within {TIMEOUT:?}: {}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until its log has the words.
    pub fn wait_for_log(&self, words: &str) {
        self.until_some(words, || self.log().contains(words).then_some(()));
    }

    /// The address it serves, once it has printed it.
    pub fn url(&self) -> String {
        self.until_some("the address", || {
            let log = self.log();
            let at = log.find("http://127.0.0.1:")?;
            Some(log[at..].split('/').take(3).collect::<Vec<_>>().join("/"))
        })
    }

    /// Status and body of a GET.
    pub fn get(&self, path: &str) -> (u16, String) {
        answer(reqwest::Client::new().get(format!("{}{path}", self.url())))
    }

    /// Status and body of a POST.
    pub fn post(&self, path: &str, kind: &str, body: Vec<u8>) -> (u16, String) {
        self.send("POST", path, kind, body)
    }

    /// Status and body of any request.
    pub fn send(&self, method: &str, path: &str, kind: &str, body: Vec<u8>) -> (u16, String) {
        let method = method.parse().unwrap();
        let request = reqwest::Client::new().request(method, format!("{}{path}", self.url()));
        answer(request.header("content-type", kind).body(body))
    }

    /// The first scene of the first camera that `fits`.
    pub fn wait_for(&self, fits: impl Fn(&Value) -> bool) -> Value {
        self.until_some("such a scene", || {
            let body: Value = serde_json::from_str(&self.get("/detections").1).unwrap();
            let scene = &body["scenes"][0];
            (scene.is_object() && fits(scene)).then(|| scene.clone())
        })
    }

    /// The first scene.
    pub fn wait_for_scene(&self) -> Value {
        self.wait_for(|_| true)
    }

    /// Sends `TERM`, `INT`, ...
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits for the end: exit code (none if a signal ended it), and all it printed.
    pub fn wait_for_end(&mut self, timeout: Duration) -> (Option<i32>, String) {
        let start = Instant::now();
        let status = loop {
            match self.child.try_wait().unwrap() {
                Some(status) => break status,
                None if start.elapsed() > timeout => panic!("still running after {timeout:?}: {}", self.log()),
                None => std::thread::sleep(Duration::from_millis(20)),
            }
        };
        self.readers.drain(..).for_each(|reader| reader.join().unwrap());
        (status.code(), self.log())
    }
}

/// Status and body of the answer to `request`.
fn answer(request: reqwest::RequestBuilder) -> (u16, String) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    })
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill(); // it may have ended by itself
        let _ = self.child.wait();
    }
}
