//! The support bundle: one text file to read through and send to whoever helps, without secrets.

use super::{facts::Facts, report::Report};
use crate::ops::redact::without_secrets;

/// The bundle: the findings, the machine's reading, and `texts` (a title and a text each) with secrets removed.
pub fn bundle(report: &Report, facts: &Facts, texts: &[(String, String)]) -> String {
    let mut bundle = format!("sightd {} support bundle\n", report.version);
    let board = serde_json::to_string_pretty(&facts.board).unwrap_or_else(|error| error.to_string());
    for (title, text) in [("doctor".to_owned(), report.to_string()), ("board".to_owned(), board)].iter().chain(texts) {
        bundle.push_str(&format!("\n===== {title}\n{}\n", without_secrets(text)));
    }
    bundle
}
