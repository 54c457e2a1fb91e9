//! Logs: to the journal when systemd gives us one, else to the terminal. One line per event; camera and sequence
//! number are fields.

use serde::Deserialize;
use std::io::IsTerminal;
use tracing_subscriber::{EnvFilter, Layer, layer::SubscriberExt, util::SubscriberInitExt};

/// `[log]`.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// What is logged: a level (`error`, `warn`, `info`, `debug`, `trace`), or a list such as
    /// `info,sightd::source=debug`.
    pub filter: Filter,
}

impl Default for Config {
    fn default() -> Self {
        Self { filter: Filter("info".into()) }
    }
}

/// A filter known to parse.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(try_from = "String")]
pub struct Filter(String);

impl TryFrom<String> for Filter {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match EnvFilter::try_new(&text) {
            Ok(_) => Ok(Self(text)),
            Err(_) => {
                Err("must be error, warn, info, debug or trace, or a list such as `info,sightd::source=debug`".into())
            }
        }
    }
}

/// Starts logging for the whole process; the first call wins.
pub fn start(config: &Config) {
    let output = match journal() {
        Some(journal) => journal.boxed(),
        None => {
            let to = std::io::stderr;
            tracing_subscriber::fmt::layer().with_target(false).with_ansi(to().is_terminal()).with_writer(to).boxed()
        }
    };
    let filter = EnvFilter::new(&config.filter.0);
    // A second call (tests in one process) finds a logger in place, which is as good.
    let _ = tracing_subscriber::registry().with(output.with_filter(filter)).try_init();
}

/// The journal, if systemd has connected our output to it (it sets `JOURNAL_STREAM`).
fn journal() -> Option<tracing_journald::Layer> {
    std::env::var_os("JOURNAL_STREAM")?;
    Some(tracing_journald::layer().ok()?.with_field_prefix(Some("SIGHTD".into())))
}
