//! Names are the field's standard terms: no declaration, JSON key, metric, CSS class or JavaScript name bears one of the
//! words that this project once made up.

use crate::support::root;
use serde_json::Value;
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};
use syn::visit::{self, Visit};

/// Words that no name may contain, in any spelling; each with what the field says.
const WORDS: &[(&str, &str)] = &[
    ("mailroom", "LatestFrames"),
    ("desk", "a handle, FrameSink, VideoBranch"),
    ("house", "module"),
    ("looker", "DatasetRunner"),
    ("succession", "ModelSwap"),
    ("heir", "SwapRequest"),
    ("heirs", "SwapReceiver"),
    ("swapper", "Reloader"),
    ("obey", "on_sighup"),
    ("exclusively", "with_lock"),
    ("logbook", "LogBuffer"),
    ("grave", "level"),
    ("spelling", "suggest"),
    ("happening", "PipelineEvent"),
    ("cure", "RetryPolicy"),
    ("patience", "Timeouts"),
    ("outlet", "SourceOutputs"),
    ("studio", "EncoderContext"),
    ("surroundings", "SearchEnv"),
    ("visitor", "Client"),
    ("veil", "overlay"),
    ("lamp", "status indicator"),
    ("wish", "request"),
    ("looked", "detect, DetectResult"),
];

/// Whole names that are taken for something else.
const NAMES: &[(&str, &str)] = &[
    ("Room", "bool"),
    ("Lane", "DetectQueue"),
    ("Place", "Permit"),
    ("PLACES", "MAX_QUEUED"),
    ("Seen", "DetectResult, FrameTimes"),
    ("Refusal", "QueueError"),
    ("look", "infer, detect, measure"),
    ("look_at", "detect_in"),
    ("look_at_still", "detect_still"),
    ("heart", "watchdog"),
    ("beat", "watchdog::run"),
    ("succeed", "apply_pending"),
    ("hand_over", "swap"),
    ("let_serve", "activate_model"),
    ("Pages", "lines"),
    ("Attempt", "PipelineRun, LoadAttempt"),
    ("Machine", "CameraStateMachine, Host"),
    ("Step", "Action"),
    ("shortest_pause", "min_backoff"),
    ("longest_pause", "max_backoff"),
    ("Chain", "ProviderSelector"),
    ("Tried", "ProbeResult"),
    ("Sealed", "FileDigest"),
    ("StandIn", "Substitute"),
    ("stand_in", "substitute"),
    ("Traffic", "HttpMetrics"),
    ("wait_in_line", "acquire_permit"),
    ("most", "max_state, max"),
    ("most_hz", "max_hz"),
    ("least_fps", "min_fps"),
    ("Found", "Candidate, CocoResult"),
    ("Watcher", "a viewer, a monitor"),
];

/// Aliases of configuration keys that keep working.
const KEPT: &[&str] = &["patience", "least_fps"];

fn complaint(name: &str) -> Option<String> {
    let words = words(name);
    let word = WORDS.iter().find(|(word, _)| words.iter().any(|part| part == word));
    let whole = NAMES.iter().find(|(whole, _)| *whole == name);
    word.or(whole).map(|(_, standard)| format!("{name} (standard: {standard})"))
}

/// `FrameDesk`, `frame_desk` and `frame-desk` are all made of `frame` and `desk`.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = '_';
    for c in name.chars() {
        let begins = c.is_uppercase() && !before.is_uppercase();
        if begins || !c.is_alphanumeric() {
            words.push(String::new());
        }
        if c.is_alphanumeric() {
            words.last_mut().unwrap().extend(c.to_lowercase());
        }
        before = c;
    }
    words.retain(|word| !word.is_empty());
    words
}

fn files(folders: &[&str], endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open: Vec<PathBuf> = folders.iter().map(|folder| root().join(folder)).collect();
    while let Some(folder) = open.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|ending| endings.iter().any(|wanted| ending == *wanted)) {
                found.push(path);
            }
        }
    }
    assert!(!found.is_empty());
    found
}

/// Names that are declared in Rust: modules, types, fields, variants, functions, constants.
#[derive(Default)]
struct Declared(BTreeSet<String>);

impl<'ast> Visit<'ast> for Declared {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        let name = match item {
            syn::Item::Const(item) => Some(&item.ident),
            syn::Item::Enum(item) => Some(&item.ident),
            syn::Item::Mod(item) => Some(&item.ident),
            syn::Item::Static(item) => Some(&item.ident),
            syn::Item::Struct(item) => Some(&item.ident),
            syn::Item::Trait(item) => Some(&item.ident),
            syn::Item::Type(item) => Some(&item.ident),
            _ => None,
        };
        self.0.extend(name.map(ToString::to_string));
        visit::visit_item(self, item);
    }

    fn visit_signature(&mut self, signature: &'ast syn::Signature) {
        self.0.insert(signature.ident.to_string());
        visit::visit_signature(self, signature);
    }

    fn visit_field(&mut self, field: &'ast syn::Field) {
        self.0.extend(field.ident.as_ref().map(ToString::to_string));
        visit::visit_field(self, field);
    }

    fn visit_variant(&mut self, variant: &'ast syn::Variant) {
        self.0.insert(variant.ident.to_string());
        visit::visit_variant(self, variant);
    }
}

fn check(wrong: &mut BTreeSet<String>, file: &Path, names: impl IntoIterator<Item = String>) {
    let file = file.strip_prefix(root()).unwrap().display();
    wrong.extend(names.into_iter().filter_map(|name| Some(format!("{file}: {}", complaint(&name)?))));
}

#[test]
fn rust_declares_standard_names() {
    let mut wrong = BTreeSet::new();
    for file in files(&["src", "crates", "tests/it", "benches", "fuzz/src", "fuzz/fuzz_targets"], &["rs"]) {
        let mut declared = Declared::default();
        declared.visit_file(&syn::parse_file(&fs::read_to_string(&file).unwrap()).unwrap());
        let module = file.file_stem().unwrap().to_string_lossy().into_owned();
        check(&mut wrong, &file, declared.0.into_iter().chain([module]));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_page_uses_standard_names() {
    let mut wrong = BTreeSet::new();
    for file in files(&["src/publish/http/dashboard", "tests/browser"], &["js", "mjs", "css", "html"]) {
        let text = fs::read_to_string(&file).unwrap();
        let names = text.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '-').map(str::to_owned);
        // Comments and visible texts are prose: a capital or a plain English word alone says nothing there.
        let is_name = |name: &String| {
            WORDS.iter().any(|(word, _)| words(name).iter().any(|part| part == word))
                || ["most_hz", "least_fps", "stand_in"].contains(&name.as_str())
        };
        check(&mut wrong, &file, names.filter(is_name));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn json_and_metrics_use_standard_names() {
    let mut wrong = BTreeSet::new();
    let description = root().join("docs/openapi.json");
    let mut names = BTreeSet::new();
    keys(&serde_json::from_slice(&fs::read(&description).unwrap()).unwrap(), &mut names);
    assert!(names.contains("detections"));
    check(&mut wrong, &description, names);
    for page in ["docs/metrics.md", "deploy/config.toml", "models/catalog.toml"] {
        let file = root().join(page);
        let text = fs::read_to_string(&file).unwrap();
        let names = text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| word.contains('_'));
        check(&mut wrong, &file, names.map(str::to_owned));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn keys(value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => object.iter().for_each(|(key, value)| {
            names.insert(key.clone());
            keys(value, names);
        }),
        Value::Array(items) => items.iter().for_each(|item| keys(item, names)),
        _ => {}
    }
}

#[test]
fn a_made_up_name_is_found_in_every_form() {
    for name in ["FrameDesk", "frame_desk", "FRAME_DESK", "frame-desk", "Room", "most_hz"] {
        assert!(complaint(name).is_some(), "{name}");
    }
    for name in ["desktop", "FrameSink", "at_most", "Clamp", "room_for"] {
        assert_eq!(complaint(name), None, "{name}");
    }
    // The old keys are accepted as aliases, which are texts and not declarations.
    for key in KEPT {
        assert!(complaint(key).is_some(), "{key}");
    }
}
