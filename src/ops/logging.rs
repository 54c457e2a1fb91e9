//! Logs: to the journal when systemd gives us one, else to the terminal; the last lines also into a [`LogBuffer`]. One
//! line per event; camera and sequence number are fields.

use super::redact::without_secrets;
use crate::channels::log_buffer::{LogBuffer, LogLevel};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::{fmt, io::IsTerminal, sync::Arc};
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    EnvFilter, Layer,
    layer::{Context, SubscriberExt},
    util::SubscriberInitExt,
};

/// `[log]`.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
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
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
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

/// Starts logging for the whole process, and gives the book that the last lines are in; the first call wins.
pub fn start(config: &Config) -> Arc<LogBuffer> {
    let output = match journal() {
        Some(journal) => journal.boxed(),
        None => {
            let to = std::io::stderr;
            tracing_subscriber::fmt::layer().with_target(false).with_ansi(to().is_terminal()).with_writer(to).boxed()
        }
    };
    let book = Arc::new(LogBuffer::default());
    let layers = output.and_then(Recorder(book.clone())).with_filter(EnvFilter::new(&config.filter.0));
    // A second call (tests in one process) finds a logger in place, which is as good.
    let _ = tracing_subscriber::registry().with(layers).try_init();
    book
}

/// The journal, if systemd has connected our output to it (it sets `JOURNAL_STREAM`).
fn journal() -> Option<tracing_journald::Layer> {
    std::env::var_os("JOURNAL_STREAM")?;
    Some(tracing_journald::layer().ok()?.with_field_prefix(Some("SIGHTD".into())))
}

/// Writes each event into the book.
struct Recorder(Arc<LogBuffer>);

impl<S: Subscriber> Layer<S> for Recorder {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut words = Words::default();
        event.record(&mut words);
        let level = match *event.metadata().level() {
            Level::ERROR => LogLevel::Error,
            Level::WARN => LogLevel::Warn,
            Level::INFO => LogLevel::Info,
            Level::DEBUG => LogLevel::Debug,
            Level::TRACE => LogLevel::Trace,
        };
        let message = without_secrets(&(words.message + &words.fields));
        self.0.write(Timestamp::now(), level, event.metadata().target().to_owned(), message);
    }
}

/// An event in words.
#[derive(Default)]
struct Words {
    message: String,
    fields: String,
}

impl Visit for Words {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        match field.name() {
            "message" => self.message = format!("{value:?}"),
            name => self.fields.push_str(&format!(" {name}={value:?}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_recorded_with_their_fields_and_without_secrets() {
        let book = Arc::new(LogBuffer::default());
        let subscriber = tracing_subscriber::registry().with(Recorder(book.clone()));
        tracing::subscriber::with_default(subscriber, || {
            tracing::warn!(camera = %"front", frames = 3, "no answer from rtsp://admin:hunter2@10.0.0.9/live");
        });
        let lines = book.read(0, LogLevel::Trace, 10);
        assert_eq!(lines[0].level, LogLevel::Warn);
        assert_eq!(lines[0].message, "no answer from rtsp://***@10.0.0.9/live camera=front frames=3");
        assert!(lines[0].target.ends_with("logging::tests"), "{}", lines[0].target);
    }
}
