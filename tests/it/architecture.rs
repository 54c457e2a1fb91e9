//! The direction of imports, read from the source itself: data ← state and channels ← stages ← pipeline ← app; stages
//! never import each other, no files import each other in a circle, and each outside library has its module.

mod imports;

use crate::support::root;
use imports::{Package, circles};
use std::{collections::BTreeSet, process::Command};

/// The modules of src/, lowest first: a module may import modules of lower levels only.
const LEVELS: &[&[&str]] = &[
    &["board", "camera", "frame", "scene"],
    &["channels", "draw"],
    &["state"],
    &["source", "publish", "ops"],
    &["config", "pipeline", "commands"],
    &["app"],
    &["cli"],
];

/// Outside libraries, and the modules of src/ that may name them. ONNX Runtime is named in crates/detector only.
const HOMES: &[(&str, &[&str])] = &[
    ("gstreamer", &["source"]),
    ("gstreamer_app", &["source"]),
    ("gstreamer_video", &["source"]),
    ("axum", &["publish"]),
    ("workshop", &["app", "cli"]),
    ("ort", &[]),
];

fn level(module: &str) -> Option<usize> {
    LEVELS.iter().position(|modules| modules.contains(&module))
}

#[test]
fn imports_go_one_way() {
    let daemon = Package::read(&root().join("src"), "sightd");
    let mut wrong = BTreeSet::new();
    for (file, target) in &daemon.edges {
        let (from, to) = (daemon.top_module(file), daemon.top_module(target));
        let (Some(below), Some(above)) = (level(to), level(from)) else { continue };
        if from != to && below >= above && !(below == 0 && above == 0) {
            wrong.insert(format!("{file} imports {target}"));
        }
    }
    assert!(wrong.is_empty(), "imports against the direction: {wrong:#?}");
}

#[test]
fn every_module_has_its_level() {
    let daemon = Package::read(&root().join("src"), "sightd");
    for file in &daemon.files {
        let module = daemon.top_module(file);
        let known = matches!(module, "lib" | "main") || level(module).is_some();
        assert!(known, "{file} is in no level: add {module} to LEVELS");
    }
}

#[test]
fn libraries_stay_at_home() {
    let daemon = Package::read(&root().join("src"), "sightd");
    let mut wrong = BTreeSet::new();
    for (file, library) in &daemon.libraries {
        let Some((_, homes)) = HOMES.iter().find(|(name, _)| name == library) else { continue };
        if !homes.contains(&daemon.top_module(file)) {
            wrong.insert(format!("{file} names {library}, which only {homes:?} may"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    for (folder, name) in [("src", "sightd"), ("crates/detector/src", "detector"), ("crates/workshop/src", "workshop")]
    {
        let package = Package::read(&root().join(folder), name);
        let found = circles(&package.edges);
        assert!(package.edges.len() > package.files.len(), "{folder}: the reader sees few imports");
        assert!(found.is_empty(), "{folder}: files that import each other in a circle: {found:#?}");
    }
}

/// The board has GStreamer 1.14, the oldest the bindings know; each later version's API is a feature of theirs. That the
/// binary needs no later symbol is for `scripts/symbols.sh` to see.
#[test]
fn no_api_of_a_later_gstreamer_is_enabled() {
    let tree = cargo_tree("sightd", "features,normal,build,dev");
    let mut lines: Vec<&str> = tree.lines().filter(|line| line.starts_with("gstreamer")).collect();
    lines.sort_unstable();
    lines.dedup();
    assert!(lines.iter().any(|line| line.starts_with("gstreamer-app v")), "{lines:?}");
    let later: Vec<_> = lines.iter().filter(|line| line.contains("feature \"v1_")).collect();
    assert!(later.is_empty(), "{later:?}");
}

#[test]
fn detector_and_workshop_know_no_video_and_no_http() {
    for package in ["sightd-detector", "sightd-workshop"] {
        let tree = cargo_tree(package, "normal");
        assert!(tree.starts_with(package), "{tree}");
        let known = |name: &&str| tree.lines().any(|line| line.starts_with(&format!("{name} v")));
        let wrong: Vec<_> = ["gstreamer", "axum", "tokio", "hyper", "sightd"].into_iter().filter(known).collect();
        assert!(wrong.is_empty(), "{package} depends on {wrong:?}");
    }
}

fn cargo_tree(package: &str, edges: &str) -> String {
    let tree = ["tree", "--locked", "--offline", "--package", package, "--edges", edges, "--prefix", "none"];
    let output = Command::new(env!("CARGO")).args(tree).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
