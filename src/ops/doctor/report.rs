//! What the checks found.

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
    pub(super) fn good(check: &'static str, what: impl Into<String>) -> Self {
        Self { check, severity: Severity::Good, what: what.into(), fix: None }
    }

    pub(super) fn warning(check: &'static str, what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { check, severity: Severity::Warning, what: what.into(), fix: Some(fix.into()) }
    }

    pub(super) fn error(check: &'static str, what: impl Into<String>, fix: impl Into<String>) -> Self {
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
