//! The doctor: checks everything that the daemon needs, and says how to correct what is wrong.
//!
//! Each check is a small function from [`Facts`] to findings. Whoever asks gathers the facts, so that a test can plant
//! any fault.

mod board;
mod bundle;
mod facts;
mod service;
mod software;
mod storage;

pub use bundle::bundle;
pub use facts::{CameraFact, Connection, ElementFact, Facts, ListenerFact, ProviderFact, RuntimeFact};

use serde::Serialize;
use std::fmt;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// As it should be.
    Good,
    /// It works, and less well than it could.
    Warning,
    /// It does not work like this.
    Error,
}

impl Severity {
    /// The exit code of `sightd doctor`: 0, 1 or 2.
    pub fn exit_code(self) -> u8 {
        self as u8
    }
}

/// The result of one check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The check, in one word: `supply`, `heat`, `disk`.
    pub check: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What was found.
    pub what: String,
    /// What to do, where there is something to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

impl Finding {
    fn good(check: &'static str, what: impl Into<String>) -> Self {
        Self { check, severity: Severity::Good, what: what.into(), fix: None }
    }

    fn warning(check: &'static str, what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { check, severity: Severity::Warning, what: what.into(), fix: Some(fix.into()) }
    }

    fn error(check: &'static str, what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { check, severity: Severity::Error, what: what.into(), fix: Some(fix.into()) }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = match self.severity {
            Severity::Good => "ok     ",
            Severity::Warning => "warning",
            Severity::Error => "ERROR  ",
        };
        write!(f, "{mark} {}: {}", self.check, self.what)?;
        match &self.fix {
            Some(fix) => write!(f, "\n        -> {fix}"),
            None => Ok(()),
        }
    }
}

/// Everything that was found.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The version of sightd.
    pub version: &'static str,
    /// The worst of the findings.
    pub severity: Severity,
    /// The findings, in the order of the checks.
    pub findings: Vec<Finding>,
}

/// All checks, in the order in which they are shown.
const CHECKS: &[fn(&Facts) -> Vec<Finding>] = &[
    board::identity,
    board::power_mode,
    board::heat,
    board::supply,
    board::memory,
    storage::room,
    storage::damage,
    storage::wear,
    storage::cache,
    storage::engines,
    software::runtime,
    software::nvidia_libraries,
    software::elements,
    software::video,
    service::config,
    service::cameras,
    service::camera_daemon,
    service::groups,
    service::display,
    service::time,
    service::listener,
];

/// Runs all checks.
pub fn examine(facts: &Facts) -> Report {
    let findings: Vec<_> = CHECKS.iter().flat_map(|check| check(facts)).collect();
    let severity = findings.iter().map(|finding| finding.severity).max().unwrap_or(Severity::Good);
    Report { version: env!("CARGO_PKG_VERSION"), severity, findings }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            writeln!(f, "{finding}")?;
        }
        let count = |severity, name| {
            let count = self.findings.iter().filter(|finding| finding.severity == severity).count();
            format!("{count} {name}{}", if count == 1 { "" } else { "s" })
        };
        write!(f, "{}, {}", count(Severity::Error, "error"), count(Severity::Warning, "warning"))
    }
}
