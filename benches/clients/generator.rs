//! The clients, in a process of their own.

use anyhow::{Context, bail};
use futures_util::StreamExt;
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use std::{env, process::Stdio, time::Duration};
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    net::{TcpSocket, TcpStream},
    process::{Child, ChildStdout, Command},
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep_until, timeout_at},
};
use tokio_tungstenite::{client_async, tungstenite::Message};

/// The first argument of a process that is the clients.
pub const ROLE: &str = "clients";
/// One in how many WebSocket clients is slow, and how long a slow one takes for each message.
const SLOW_ONE_IN: usize = 100;
const SLOW_FOR: Duration = Duration::from_millis(125);
/// What the kernel may hold for a slow client, so that it is late soon.
const SLOW_BUFFER: u32 = 16 * 1024;
/// How long a client that did not read reads when the phase is over.
const LEFT_OVER: Duration = Duration::from_secs(1);
const READY: &str = "ready";

/// What the clients look at.
#[derive(Clone, Copy, PartialEq)]
pub enum Kind {
    /// Scenes, by WebSocket.
    Scenes,
    /// Scenes, by WebSocket, of which nothing is read before the phase is over.
    Unread,
    /// Pictures, by MJPEG.
    Pictures,
    /// Video, by WebSocket.
    Video,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Scenes => "WebSockets",
            Self::Unread => "that never read",
            Self::Pictures => "MJPEG",
            Self::Video => "H.264",
        }
    }

    fn parse(name: &str) -> anyhow::Result<Self> {
        [Self::Scenes, Self::Unread, Self::Pictures, Self::Video]
            .into_iter()
            .find(|kind| kind.name() == name)
            .context("no such kind of clients")
    }
}

/// What the clients saw, all together.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Report {
    pub connected: usize,
    /// Scenes, or pictures.
    pub received: u64,
    /// The fewest that a client of normal speed got; none without such a client.
    pub least: Option<u64>,
    pub bytes: u64,
    /// Slow clients, how many of them were told of a loss or let go, how many were told, and how many scenes these said.
    pub slow: usize,
    pub slow_answered: usize,
    pub slow_told: usize,
    pub slow_lost: u64,
    /// Scenes that clients of normal speed were told they lost.
    pub lost: u64,
    /// Clients whose connection the daemon ended.
    pub let_go: usize,
    /// CPU time of this process while it listened.
    pub cpu_s: f64,
}

impl Report {
    pub fn in_words(&self, clients: usize) -> String {
        let megabytes = self.bytes as f64 / 1e6;
        let slow = match self.slow {
            0 => String::new(),
            slow => format!("; {} of {slow} slow ones were told that they lost {}", self.slow_told, self.slow_lost),
        };
        let least = self.least.map_or_else(String::new, |least| format!(", the least of a prompt one {least}"));
        format!(
            "{clients} clients received {} messages ({megabytes:.1} MB){least}, lost {}, let go {}{slow}",
            self.received, self.lost, self.let_go
        )
    }
}

/// The process of the clients, seen from the one that measures.
pub struct Generator {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

/// Starts the process, and waits until all its clients are connected.
pub async fn start(kind: Kind, address: &str, clients: usize, length: Duration) -> anyhow::Result<Generator> {
    let mut child = Command::new(env::current_exe()?)
        .args([ROLE, kind.name(), address, &clients.to_string(), &length.as_secs().to_string()])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let mut lines = BufReader::new(child.stdout.take().context("no stdout")?).lines();
    match lines.next_line().await? {
        Some(line) if line == READY => Ok(Generator { child, lines }),
        other => bail!("the clients are not ready: {other:?}"),
    }
}

impl Generator {
    /// Waits for the end.
    pub async fn report(&mut self) -> anyhow::Result<Report> {
        let line = self.lines.next_line().await?.context("no report")?;
        self.child.wait().await?;
        Ok(serde_json::from_str(&line)?)
    }
}

/// The process itself: `KIND ADDRESS CLIENTS SECONDS`.
pub async fn run(arguments: &[String]) -> anyhow::Result<()> {
    let [kind, address, clients, seconds] = arguments else { bail!("KIND ADDRESS CLIENTS SECONDS") };
    let (kind, clients) = (Kind::parse(kind)?, clients.parse::<usize>()?);
    let length = Duration::from_secs(seconds.parse()?);
    let (begin, begun) = watch::channel(None);
    let slow = match kind {
        Kind::Scenes => clients / SLOW_ONE_IN,
        Kind::Unread => clients,
        Kind::Pictures | Kind::Video => 0,
    };
    let mut tasks = JoinSet::new();
    for index in 0..clients {
        let begun = begun.clone();
        match kind {
            Kind::Scenes => {
                let socket = connect(address, index < slow).await?;
                let (socket, _) = client_async(format!("ws://{address}/ws"), socket).await?;
                let pause = if index < slow { SLOW_FOR } else { Duration::ZERO };
                tasks.spawn(scenes(socket, pause, begun));
            }
            Kind::Unread => {
                let socket = connect(address, true).await?;
                let (socket, _) = client_async(format!("ws://{address}/ws"), socket).await?;
                tasks.spawn(unread(socket, begun));
            }
            Kind::Video => {
                let socket = connect(address, false).await?;
                let (socket, _) = client_async(format!("ws://{address}/cameras/front/video"), socket).await?;
                tasks.spawn(video(socket, begun));
            }
            Kind::Pictures => drop(tasks.spawn(pictures(address.clone(), begun))),
        }
    }
    println!("{READY}");
    let cpu = clock_gettime(ClockId::ProcessCPUTime);
    begin.send_replace(Some(Instant::now() + length));
    let mut report = Report { slow, ..Report::default() };
    while let Some(tally) = tasks.join_next().await {
        report.add(&tally??);
    }
    let now = clock_gettime(ClockId::ProcessCPUTime);
    report.cpu_s = (now.tv_sec - cpu.tv_sec) as f64 + (now.tv_nsec - cpu.tv_nsec) as f64 / 1e9;
    println!("{}", serde_json::to_string(&report)?);
    Ok(())
}

async fn connect(address: &str, slow: bool) -> anyhow::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    if slow {
        socket.set_recv_buffer_size(SLOW_BUFFER)?;
    }
    Ok(socket.connect(address.parse()?).await?)
}

/// What one client saw.
#[derive(Default)]
struct Tally {
    is_slow: bool,
    received: u64,
    bytes: u64,
    lost: u64,
    let_go: bool,
}

impl Tally {
    /// Counts a message: a scene, or how many were lost.
    fn count(&mut self, text: &str) -> anyhow::Result<()> {
        self.bytes += text.len() as u64;
        match text.strip_prefix(r#"{"type":"lost","count":"#) {
            Some(rest) => self.lost += rest.trim_end_matches('}').parse::<u64>()?,
            None => self.received += 1,
        }
        Ok(())
    }
}

impl Report {
    fn add(&mut self, tally: &Tally) {
        self.connected += 1;
        self.received += tally.received;
        self.bytes += tally.bytes;
        self.let_go += usize::from(tally.let_go);
        if tally.is_slow {
            self.slow_told += usize::from(tally.lost > 0);
            self.slow_answered += usize::from(tally.lost > 0 || tally.let_go);
            self.slow_lost += tally.lost;
        } else {
            self.least = Some(self.least.map_or(tally.received, |least| least.min(tally.received)));
            self.lost += tally.lost;
        }
    }
}

/// When this phase ends, once it has begun.
async fn end(mut begun: watch::Receiver<Option<Instant>>) -> anyhow::Result<Instant> {
    begun.wait_for(Option::is_some).await?.context("not begun")
}

/// Reads what comes over `socket` before the phase begins; gives its end.
async fn read_until_begun(
    socket: &mut tokio_tungstenite::WebSocketStream<TcpStream>,
    begun: watch::Receiver<Option<Instant>>,
) -> anyhow::Result<Instant> {
    let begins = end(begun);
    tokio::pin!(begins);
    loop {
        tokio::select! {
            end = &mut begins => return end,
            message = socket.next() => drop(message.context("closed too soon")??),
        }
    }
}

/// One client of `/ws`; what comes before the phase begins is read and not counted.
async fn scenes(
    mut socket: tokio_tungstenite::WebSocketStream<TcpStream>,
    pause: Duration,
    begun: watch::Receiver<Option<Instant>>,
) -> anyhow::Result<Tally> {
    let end = read_until_begun(&mut socket, begun).await?;
    let mut tally = Tally { is_slow: !pause.is_zero(), ..Tally::default() };
    while let Ok(message) = timeout_at(end, socket.next()).await {
        let Some(Ok(message)) = message else {
            tally.let_go = true;
            break;
        };
        if let Message::Text(text) = message {
            tally.count(&text)?;
            if !pause.is_zero() {
                sleep_until((Instant::now() + pause).min(end)).await;
            }
        }
    }
    Ok(tally)
}

/// One viewer of the video; what comes before the phase begins is read and not counted.
async fn video(
    mut socket: tokio_tungstenite::WebSocketStream<TcpStream>,
    begun: watch::Receiver<Option<Instant>>,
) -> anyhow::Result<Tally> {
    let end = read_until_begun(&mut socket, begun).await?;
    let mut tally = Tally::default();
    while let Ok(message) = timeout_at(end, socket.next()).await {
        match message {
            Some(Ok(Message::Binary(fragment))) => {
                tally.received += 1;
                tally.bytes += fragment.len() as u64;
            }
            Some(Ok(Message::Text(_) | Message::Ping(_))) => {}
            _ => {
                tally.let_go = true;
                break;
            }
        }
    }
    Ok(tally)
}

/// One client of `/ws` that reads nothing until the phase is over, and then what there is.
async fn unread(
    mut socket: tokio_tungstenite::WebSocketStream<TcpStream>,
    begun: watch::Receiver<Option<Instant>>,
) -> anyhow::Result<Tally> {
    sleep_until(end(begun).await?).await;
    let mut tally = Tally { is_slow: true, ..Tally::default() };
    let enough = Instant::now() + LEFT_OVER;
    while let Ok(message) = timeout_at(enough, socket.next()).await {
        match message {
            Some(Ok(Message::Text(text))) => tally.count(&text)?,
            Some(Ok(_)) => {}
            Some(Err(_)) | None => {
                tally.let_go = true;
                break;
            }
        }
    }
    Ok(tally)
}

/// One viewer of `live.mjpg`; pictures are counted by their boundaries' headers.
async fn pictures(address: String, begun: watch::Receiver<Option<Instant>>) -> anyhow::Result<Tally> {
    let response = reqwest::get(format!("http://{address}/cameras/front/live.mjpg")).await?.error_for_status()?;
    let mut body = response.bytes_stream();
    let end = end(begun).await?;
    let mut tally = Tally::default();
    while let Ok(part) = timeout_at(end, body.next()).await {
        let Some(Ok(part)) = part else {
            tally.let_go = true;
            break;
        };
        tally.bytes += part.len() as u64;
        tally.received += part.windows(7).filter(|window| window == b"x-seq: ").count() as u64;
    }
    Ok(tally)
}
