//! The doctor: checks everything that the daemon needs, and says how to correct what is wrong.
//!
//! Each check is a small function from [`Facts`] to findings. Whoever asks gathers the facts, so that a test can plant
//! any fault.

mod board;
mod bundle;
mod facts;
mod report;
mod service;
mod software;
mod storage;

pub use bundle::bundle;
pub use facts::{CameraFact, Connection, ElementFact, Facts, ListenerFact, ProviderFact, RuntimeFact};
pub use report::{Finding, Report, Severity};

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
