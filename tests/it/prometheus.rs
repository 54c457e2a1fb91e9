//! /metrics as Prometheus sees it: its own linter, a server that scrapes the daemon and answers every question of the
//! Grafana dashboard, and the list in docs/metrics.md.

use crate::{
    board::FakeBoard,
    program::{Daemon, TIMEOUT, reference_model},
    support::{part, root},
};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// A daemon to which everything has happened that is measured.
struct Busy {
    daemon: Daemon,
    /// Open streams of scenes and of pictures.
    _clients: [TcpStream; 2],
    _board: FakeBoard,
    _folder: TempDir,
}

impl Busy {
    /// Two cameras, of which one cannot be reached, on a hot board; with clients, and a request for what is not there.
    fn start() -> Self {
        let (board, folder) = (FakeBoard::new(), tempfile::tempdir().unwrap());
        board.set("sys/class/thermal/thermal_zone1/temp", "98500");
        let config = folder.path().join("sightd.toml");
        let text = format!(
            "[model]\nname = \"{}\"\n[http]\nlisten = \"127.0.0.1:0\"\n[board]\nroot = \"{}\"\ngovern = true\n\
             [camera.front]\nsource = \"file://{}?loop\"\n[camera.gate]\nsource = \"rtsp://127.0.0.1:9/gate\"\n",
            reference_model(),
            board.root().display(),
            part("footage/vtest.avi").display(),
        );
        fs::write(&config, text).unwrap();
        let daemon = Daemon::spawn(&["run", "--config", config.to_str().unwrap()]);
        daemon.wait_for(|scene| scene["detections"].as_array().is_some_and(|found| !found.is_empty()));
        let clients = ["/detections/stream", "/cameras/front/live.mjpg"].map(|path| stream(&daemon, path));
        assert_eq!(daemon.get("/nothing").0, 404);
        Self { daemon, _clients: clients, _board: board, _folder: folder }
    }

    /// What `/metrics` says once the governor has lowered the rate.
    fn metrics(&self) -> String {
        let start = Instant::now();
        loop {
            let text = self.daemon.get("/metrics").1;
            if text.contains("sightd_limit_fps ") && text.contains("route=\"/metrics\"") {
                return text;
            }
            assert!(start.elapsed() < TIMEOUT, "no limit:\n{text}");
            thread::sleep(Duration::from_millis(100));
        }
    }
}

/// An endless answer, begun.
fn stream(daemon: &Daemon, path: &str) -> TcpStream {
    let url = daemon.url();
    let mut stream = TcpStream::connect(url.trim_start_matches("http://")).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    stream.read_exact(&mut [0; 12]).unwrap();
    stream
}

#[test]
fn prometheus_linter_and_our_documentation_agree_with_what_is_exported() {
    let text = Busy::start().metrics();
    let mut promtool = Command::new(part("prometheus/promtool"))
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    promtool.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success() && said.is_empty(), "promtool check metrics:\n{said}");

    let documentation = fs::read_to_string(root().join("docs/metrics.md")).unwrap();
    let documented: Vec<_> = documentation.lines().filter(|line| line.starts_with("| `")).collect();
    let exported = table(&text);
    assert_eq!(documented, exported, "docs/metrics.md should have this table:\n{}", exported.join("\n"));
}

/// The exported metrics as the rows of a table, by name: name, type, labels, help.
fn table(text: &str) -> Vec<String> {
    let (mut types, mut help) = (BTreeMap::new(), BTreeMap::new());
    let mut labels = BTreeMap::<_, BTreeSet<&str>>::new();
    for line in text.lines() {
        match line.split(' ').collect::<Vec<_>>()[..] {
            ["#", "HELP", name, ..] => drop(help.insert(name, line.splitn(4, ' ').nth(3).unwrap())),
            ["#", "TYPE", name, kind] => drop(types.insert(name, kind)),
            _ => {
                let (name, rest) = line.split_at(line.find(['{', ' ']).unwrap());
                let family = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
                let family = family.filter(|family| types.get(family) == Some(&"histogram")).unwrap_or(name);
                let names = rest.split_once('}').map_or("", |(labels, _)| labels);
                let names = names.split(['{', ',']).filter_map(|pair| Some(pair.split_once('=')?.0));
                labels.entry(family).or_default().extend(names.filter(|name| *name != "le"));
            }
        }
    }
    let row = |(name, labels): (&str, BTreeSet<&str>)| {
        let labels: Vec<_> = labels.iter().map(|label| format!("`{label}`")).collect();
        format!("| `{name}` | {} | {} | {} |", types[name], labels.join(" "), help[name].trim_end_matches('.'))
    };
    labels.into_iter().map(row).collect()
}

/// A Prometheus server that scrapes one daemon every second.
struct Prometheus {
    child: Child,
    url: String,
    runtime: tokio::runtime::Runtime,
    _folder: TempDir,
}

impl Prometheus {
    fn scraping(target: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("prometheus.yml");
        let text = format!(
            "global: {{scrape_interval: 1s}}\nscrape_configs: [{{job_name: sightd, static_configs: [{{targets: \
             [\"{target}\"]}}]}}]\n"
        );
        fs::write(&config, text).unwrap();
        let mut child = Command::new(part("prometheus/prometheus"))
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg("--web.listen-address=127.0.0.1:0")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let address = lines.by_ref().find_map(|line| {
            line.contains("Listening on").then(|| line.rsplit_once("address=").unwrap().1.trim().to_owned())
        });
        thread::spawn(move || lines.for_each(drop));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let prometheus = Self { child, url: format!("http://{}", address.unwrap()), runtime, _folder: folder };
        prometheus.wait_until_ready();
        prometheus
    }

    fn wait_until_ready(&self) {
        let start = Instant::now();
        while !self.runtime.block_on(reqwest::get(format!("{}/-/ready", self.url))).unwrap().status().is_success() {
            assert!(start.elapsed() < TIMEOUT, "Prometheus does not become ready");
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// The data of an answer of Prometheus' HTTP API.
    fn ask(&self, path: &str, parameters: &[(&str, &str)]) -> Value {
        let url = reqwest::Url::parse_with_params(&format!("{}/api/v1/{path}", self.url), parameters).unwrap();
        let answer: Value = self.runtime.block_on(async { reqwest::get(url).await.unwrap().json().await.unwrap() });
        assert_eq!(answer["status"], "success", "{parameters:?}: {answer}");
        answer["data"].clone()
    }

    /// The series that `expression` gives, once it gives a number.
    fn wait_for(&self, expression: &str) -> Vec<Value> {
        let start = Instant::now();
        loop {
            let data = self.ask("query", &[("query", expression)]);
            let series = data["result"].as_array().unwrap();
            let number = |series: &Value| series["value"][1].as_str()?.parse::<f64>().ok();
            if series.iter().filter_map(number).any(f64::is_finite) {
                return series.clone();
            }
            assert!(start.elapsed() < TIMEOUT, "no data for {expression}: {data}");
            thread::sleep(Duration::from_millis(200));
        }
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill(); // it may have ended by itself
        let _ = self.child.wait();
    }
}

#[test]
fn a_prometheus_server_answers_every_question_of_the_dashboard() {
    let busy = Busy::start();
    let url = busy.daemon.url();
    let target = url.trim_start_matches("http://");
    let prometheus = Prometheus::scraping(target);
    let dashboard = fs::read_to_string(root().join("deploy/grafana-dashboard.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&dashboard).unwrap();
    let substituted = |text: &str| {
        let text = text.replace("$__rate_interval", "10s").replace("$instance", target);
        assert!(!text.contains('$'), "a variable that the test does not know: {text}");
        text
    };

    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().unwrap());
    let mut asked = 0;
    for target in targets {
        let expression = substituted(target["expr"].as_str().unwrap());
        let legend = target["legendFormat"].as_str().unwrap();
        let series = prometheus.wait_for(&expression);
        for label in legend.split("{{").skip(1).map(|rest| rest.split_once("}}").unwrap().0) {
            let all_have_it = series.iter().all(|series| series["metric"][label].is_string());
            assert!(all_have_it, "{expression} has no {label} for {legend:?}: {series:?}");
        }
        asked += 1;
    }
    assert!(asked > 30, "only {asked} questions");

    let variables = dashboard["templating"]["list"].as_array().unwrap();
    let queries = variables.iter().filter(|variable| variable["type"] == "query");
    for query in queries.map(|variable| variable["query"]["query"].as_str().unwrap()) {
        let arguments = query.strip_prefix("label_values(").and_then(|rest| rest.strip_suffix(')')).unwrap();
        let (metric, label) = arguments.split_once(", ").unwrap();
        let values = prometheus.ask(&format!("label/{label}/values"), &[("match[]", metric)]);
        assert_eq!(values, serde_json::json!([target]), "{query}");
    }
}
