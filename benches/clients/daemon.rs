//! The program under load, and what is seen of it from outside.

use anyhow::{Context, bail};
use futures_util::StreamExt;
use std::{
    fs,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;
use tokio::{
    net::TcpStream,
    time::{sleep, timeout_at},
};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite::Message};

#[path = "../../tests/it/support/counting.rs"]
mod counting;

const ADDRESS: &str = "127.0.0.1:18437";
const FPS: u32 = 15;
/// Ticks of `/proc/PID/stat` in a second: `USER_HZ`, the same on every Linux that matters here.
const TICKS: f64 = 100.0;

/// A running `sightd`; ended when dropped.
pub struct Daemon {
    child: Child,
    _folder: TempDir,
}

/// What was seen in one phase.
pub struct Observed {
    scenes: u64,
    length: Duration,
    /// CPU time of the daemon per second.
    pub cpu: f64,
    /// Its resident memory: means of the phase's first and last quarter.
    pub rss_first_mb: f64,
    pub rss_last_mb: f64,
}

impl Observed {
    /// Scenes per second.
    pub fn rate(&self) -> f64 {
        self.scenes as f64 / self.length.as_secs_f64()
    }
}

impl Daemon {
    /// Starts it, and waits until it serves scenes.
    pub async fn start() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let model = counting::write(folder.path());
        let config = folder.path().join("sightd.toml");
        let text = format!(
            "[http]\nlisten = \"{ADDRESS}\"\n[model]\nname = {model:?}\n[runtime]\nthreads = 1\n\
             [camera.front]\nsource = \"test://counter\"\nfps = {FPS}\nwidth = 1280\nheight = 720\n"
        );
        fs::write(&config, text)?;
        let child = Command::new(env!("CARGO_BIN_EXE_sightd"))
            .args(["run", "--config"])
            .arg(&config)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("sightd")?;
        let daemon = Self { child, _folder: folder };
        for _ in 0..300 {
            if let Ok(mut scenes) = daemon.scenes().await
                && scenes.next().await.is_some()
            {
                sleep(Duration::from_secs(2)).await; // what is allocated once is allocated
                return Ok(daemon);
            }
            sleep(Duration::from_millis(100)).await;
        }
        bail!("sightd serves no scenes at {ADDRESS}")
    }

    pub fn address(&self) -> &'static str {
        ADDRESS
    }

    async fn scenes(&self) -> anyhow::Result<WebSocketStream<MaybeTlsStream<TcpStream>>> {
        Ok(connect_async(format!("ws://{ADDRESS}/ws")).await?.0)
    }

    /// Counts scenes as one more client, and reads the kernel's books every second.
    pub async fn observe(&self, length: Duration) -> anyhow::Result<Observed> {
        let mut scenes = self.scenes().await?;
        let (start, ticks) = (Instant::now(), self.ticks()?);
        let (mut count, mut rss) = (0, Vec::new());
        while start.elapsed() < length {
            rss.push(self.rss_mb()?);
            let second = (Instant::now() + Duration::from_secs(1)).into();
            while let Ok(Some(message)) = timeout_at(second, scenes.next()).await {
                if let Message::Text(text) = message? {
                    count += published(&text)?;
                }
            }
        }
        let length = start.elapsed();
        let cpu = (self.ticks()? - ticks) / TICKS / length.as_secs_f64();
        let quarter = (rss.len() / 4).max(1);
        let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
        let (first, last) = (mean(&rss[..quarter]), mean(&rss[rss.len() - quarter..]));
        Ok(Observed { scenes: count, length, cpu, rss_first_mb: first, rss_last_mb: last })
    }

    /// User and system time so far.
    fn ticks(&self) -> anyhow::Result<f64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let fields = stat.rsplit_once(')').context("/proc/PID/stat")?.1.split_whitespace();
        Ok(fields.skip(11).take(2).map(str::parse::<f64>).sum::<Result<_, _>>()?)
    }

    fn rss_mb(&self) -> anyhow::Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
        Ok(line.trim().trim_end_matches("kB").trim().parse::<f64>()? / 1024.0)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How many scenes a message stands for: itself, or those that this client lost.
fn published(text: &str) -> anyhow::Result<u64> {
    let message: serde_json::Value = serde_json::from_str(text)?;
    Ok(match message["type"].as_str() {
        Some("lost") => message["count"].as_u64().context("lost without a count")?,
        _ => 1,
    })
}
