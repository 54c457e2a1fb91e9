//! Where the runtime placed the nodes of a graph: read from what it logs at the verbose level while it makes a session,
//! and for old runtimes counted in the profile of the first run.

use super::runtime::log::Message;
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

/// The providers that run at least one node, by the runtime's names for them, and how many nodes; `None` where it
/// names the provider of the whole graph without a number (ONNX Runtime 1.10 and 1.11).
pub(super) fn read(messages: &[Message]) -> BTreeMap<String, Option<u32>> {
    messages.iter().filter_map(|message| placed(message.text.trim())).collect()
}

/// One line of the log, in the words of 1.10 or of today.
fn placed(line: &str) -> Option<(String, Option<u32>)> {
    if let Some(rest) = line.strip_prefix("All nodes have been placed on [") {
        return Some((rest.strip_suffix("].")?.to_owned(), None));
    }
    if let Some(rest) = line.strip_prefix("Provider: [") {
        // The nodes follow as `Type (name), ` each.
        let (provider, nodes) = rest.split_once("]: [")?;
        return Some((provider.to_owned(), u32::try_from(nodes.matches("), ").count()).ok()));
    }
    let rest = line.strip_prefix("All nodes placed on [").or_else(|| line.strip_prefix("Node(s) placed on ["))?;
    let (provider, nodes) = rest.split_once("]. Number of nodes: ")?;
    Some((provider.to_owned(), Some(nodes.parse().ok()?)))
}

/// A session's profile of its first run, for runtimes whose log names the provider of the whole graph without saying
/// how many nodes it has.
pub(super) struct Profile {
    folder: TempDir,
}

impl Profile {
    /// The first API version that surely needs none. The log was read from 1.10, 1.11 (no number) and 1.16 on.
    const NEEDED_BELOW: u32 = 16;

    /// A place for the profile, where the runtime needs one and a temporary folder can be made.
    pub(super) fn for_api(api: u32) -> Option<Self> {
        if api >= Self::NEEDED_BELOW {
            return None;
        }
        TempDir::with_prefix("sightd-").ok().map(|folder| Self { folder })
    }

    /// What to give to the session's builder; the runtime adds a date and an ending.
    pub(super) fn prefix(&self) -> PathBuf {
        self.folder.path().join("profile")
    }

    /// How many nodes each provider ran, once the session has ended its profile.
    pub(super) fn count(self, file: &Path) -> BTreeMap<String, u32> {
        fs::read(file).ok().map(|text| executed(&text)).unwrap_or_default()
    }
}

/// One event of a profile, as far as it matters here.
#[derive(Deserialize)]
struct Event {
    #[serde(default)]
    cat: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    args: Arguments,
}

#[derive(Default, Deserialize)]
struct Arguments {
    #[serde(default)]
    provider: String,
}

/// Counts the nodes whose kernels ran.
fn executed(profile: &[u8]) -> BTreeMap<String, u32> {
    let events: Vec<Event> = serde_json::from_slice(profile).unwrap_or_default();
    let mut nodes = BTreeMap::new();
    for event in events.iter().filter(|event| event.cat == "Node" && event.name.ends_with("_kernel_time")) {
        *nodes.entry(event.args.provider.clone()).or_insert(0) += 1;
    }
    nodes
}

#[cfg(test)]
mod tests {
    use super::*;
    use ort::logging::LogLevel;

    fn read_lines(lines: &[&str]) -> Vec<(String, Option<u32>)> {
        let message = |text: &&str| Message { level: LogLevel::Verbose, text: (*text).to_owned() };
        read(&lines.iter().map(message).collect::<Vec<_>>()).into_iter().collect()
    }

    #[test]
    fn every_form_of_the_log_is_understood() {
        let cpu = |nodes| ("CPUExecutionProvider".to_owned(), nodes);
        let cuda = |nodes| ("CUDAExecutionProvider".to_owned(), nodes);
        assert_eq!(
            read_lines(&["Node placements", "All nodes have been placed on [CPUExecutionProvider]."]),
            [cpu(None)]
        );
        assert_eq!(
            read_lines(&[
                " Provider: [CPUExecutionProvider]: [Shape (a), Gather (), ]",
                " Provider: [CUDAExecutionProvider]: [Conv (layer/1), ]",
            ]),
            [cpu(Some(2)), cuda(Some(1))]
        );
        assert_eq!(
            read_lines(&[" All nodes placed on [CPUExecutionProvider]. Number of nodes: 114"]),
            [cpu(Some(114))]
        );
        assert_eq!(
            read_lines(&[
                " Node(s) placed on [CUDAExecutionProvider]. Number of nodes: 7",
                "  Conv (layer/1)",
                " Node(s) placed on [CPUExecutionProvider]. Number of nodes: 2",
            ]),
            [cpu(Some(2)), cuda(Some(7))]
        );
        assert_eq!(read_lines(&["Session successfully initialized.", "Provider: [", "All nodes placed on [x]."]), []);
    }
}
