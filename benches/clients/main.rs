//! What viewers cost the daemon: `cargo bench --bench clients`.
//!
//! The real program watches `test://counter` at 15 frames a second, and a small network gives three boxes in each.
//! Its rate of scenes is measured while nobody watches, under the load of each of the [`PHASES`], and with nobody after
//! each. The clients are another process (`generator.rs`), whose own CPU time is named; ten of the 1,000 read slower
//! than scenes come, and must be told how many they lost; ten never read, and must be told or let go. Ends with failure
//! when the rate falls below a phase's share of that without clients, when memory grows by more than [`MAX_GROWTH`], or
//! when a slow client was not answered.
//!
//! `SIGHTD_BENCH_SECONDS` (default 60) is the length of the phases with clients.

mod daemon;
mod generator;

use anyhow::{Context, ensure};
use daemon::{Daemon, Observed};
use generator::{Kind, Report};
use std::{env, process::ExitCode, time::Duration};

/// One load: what the clients look at, how many they are, and the share of the rate without clients that must remain.
struct Phase(Kind, usize, f64);

const PHASES: [Phase; 8] = [
    Phase(Kind::Scenes, 10, 0.98),
    Phase(Kind::Unread, 10, 0.98),
    Phase(Kind::Scenes, 1000, 0.95),
    Phase(Kind::Pictures, 1, 0.98),
    Phase(Kind::Video, 1, 0.98),
    Phase(Kind::Pictures, 20, 0.95),
    Phase(Kind::Video, 20, 0.95),
    Phase(Kind::Pictures, 50, 0.95),
];
/// Of the memory in the first quarter of a phase, once all clients are connected.
const MAX_GROWTH: f64 = 0.05;

fn main() -> anyhow::Result<ExitCode> {
    let arguments: Vec<String> = env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    if let [role, rest @ ..] = arguments.as_slice()
        && role == generator::ROLE
    {
        runtime.block_on(generator::run(rest))?;
        return Ok(ExitCode::SUCCESS);
    }
    let seconds = env::var("SIGHTD_BENCH_SECONDS").map_or(Ok(60), |text| text.parse())?;
    runtime.block_on(measure(Duration::from_secs(seconds)))
}

async fn measure(length: Duration) -> anyhow::Result<ExitCode> {
    let daemon = Daemon::start().await?;
    let quiet = length / 3;
    println!(
        "phase               scenes/s   of quiet   daemon CPU   clients' CPU   daemon RSS MB (first, last quarter)"
    );
    let mut before = daemon.observe(quiet).await?;
    print_quiet(&before);
    let mut good = true;
    for Phase(kind, clients, least) in PHASES {
        let (seen, report) = with_clients(&daemon, kind, clients, length).await?;
        let after = daemon.observe(quiet).await?;
        let part = seen.rate() / f64::midpoint(before.rate(), after.rate());
        println!(
            "{:<18} {:>9.2} {:>9.1} % {:>10.1} % {:>12.1} % {:>12.1} {:>8.1}",
            format!("{clients} {}", kind.name()),
            seen.rate(),
            part * 100.0,
            seen.cpu * 100.0,
            report.cpu_s / length.as_secs_f64() * 100.0,
            seen.rss_first_mb,
            seen.rss_last_mb,
        );
        println!("  {}", report.in_words(clients));
        print_quiet(&after);
        let flat = seen.rss_last_mb <= seen.rss_first_mb * (1.0 + MAX_GROWTH);
        let answered = report.slow_answered == report.slow && (kind == Kind::Unread || report.let_go == 0);
        good &= part >= least && flat && answered;
        before = after;
    }
    println!("{}", if good { "holds" } else { "DOES NOT HOLD" });
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print_quiet(seen: &Observed) {
    println!(
        "{:<18} {:>9.2} {:>11} {:>10.1} % {:>14} {:>12.1} {:>8.1}",
        "nobody",
        seen.rate(),
        "",
        seen.cpu * 100.0,
        "",
        seen.rss_first_mb,
        seen.rss_last_mb
    );
}

/// What the daemon does while `clients` watch, and what they say of it.
async fn with_clients(
    daemon: &Daemon,
    kind: Kind,
    clients: usize,
    length: Duration,
) -> anyhow::Result<(Observed, Report)> {
    let mut generator = generator::start(kind, daemon.address(), clients, length).await?;
    let seen = daemon.observe(length).await?;
    let report = generator.report().await.context("the clients' process")?;
    ensure!(report.connected == clients, "only {} of {clients} clients could connect", report.connected);
    Ok((seen, report))
}
