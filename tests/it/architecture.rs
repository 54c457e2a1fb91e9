//! The direction of imports, read from the `use` lines: data ← stages ← pipeline ← app, stages never import each
//! other, and each outside library lives in its rooms.

use crate::support::root;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The rooms of src/, lowest first: a room may import rooms of lower levels only.
const LEVELS: &[&[&str]] = &[
    &[
        "board",
        "camera",
        "detection",
        "fraction",
        "frame",
        "geometry",
        "manifest",
        "scene",
        "suggest",
        "status",
        "still",
        "tensor",
    ],
    &["draw", "log_buffer", "latest_frames", "photo", "pictures", "video"],
    &["detect_queue"],
    &["source", "preprocess", "infer", "decode", "publish", "ops"],
    &["network"],
    &["model"],
    &["config", "pipeline", "detect", "setup_runtime"],
    &["app"],
    &["cli"],
];

/// Outside libraries with a home: crate, and the rooms that may name it.
const HOMES: &[(&str, &[&str])] = &[
    ("gstreamer", &["source"]),
    ("gstreamer_app", &["source"]),
    ("gstreamer_video", &["source"]),
    ("ort", &["infer"]),
    ("libloading", &["infer"]),
    ("axum", &["publish"]),
    ("prost", &["model"]),
];

/// Exceptions with their reasons.
const MAY: &[(&str, &str, &str)] = &[];

struct Import {
    file: PathBuf,
    room: String,
    path: String,
}

fn imports() -> Vec<Import> {
    let src = root().join("src");
    let mut found = Vec::new();
    let mut folders = vec![src.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                folders.push(entry);
            } else if entry.extension().is_some_and(|ending| ending == "rs") {
                let room = room_of(entry.strip_prefix(&src).unwrap());
                let text = fs::read_to_string(&entry).unwrap();
                found.extend(paths(&text).into_iter().map(|path| Import {
                    file: entry.clone(),
                    room: room.clone(),
                    path,
                }));
            }
        }
    }
    found
}

fn room_of(path: &Path) -> String {
    path.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs").to_owned()
}

/// Every path a file names from `use` lines and in the code, as `crate::room` or `library::`, tests left out.
fn paths(text: &str) -> Vec<String> {
    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
    let lines: String = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join(" ");
    let mut found = Vec::new();
    for (at, _) in lines.match_indices("crate::") {
        let rest = &lines[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            Some(list) => found.extend(heads(list).into_iter().map(|head| format!("crate::{head}"))),
            None => found.push(format!("crate::{}", word(rest))),
        }
    }
    for (library, _) in HOMES {
        for (at, _) in lines.match_indices(&format!("{library}::")) {
            let before = lines[..at].chars().next_back();
            if !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
                found.push(format!("{library}::"));
            }
        }
    }
    found
}

fn word(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// The first word of each item of a braced list.
fn heads(list: &str) -> Vec<String> {
    let (mut depth, mut item, mut items) = (0, String::new(), Vec::new());
    for c in list.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                items.push(word(item.trim()));
                item.clear();
                continue;
            }
            _ => {}
        }
        item.push(c);
    }
    items.push(word(item.trim()));
    items.retain(|item| !item.is_empty());
    items
}

fn level(room: &str) -> Option<usize> {
    LEVELS.iter().position(|rooms| rooms.contains(&room))
}

#[test]
fn imports_go_one_way() {
    let mut wrong = Vec::new();
    for import in imports() {
        let Some(target) = import.path.strip_prefix("crate::") else { continue };
        let (Some(from), Some(to)) = (level(&import.room), level(target)) else { continue };
        let excepted = MAY.iter().any(|(room, other, _)| *room == import.room && *other == target);
        if import.room != target && to >= from && !(from == 0 && to == 0) && !excepted {
            wrong.push(format!("{}: {} imports {target}", import.file.display(), import.room));
        }
    }
    assert!(wrong.is_empty(), "imports against the direction:\n{}", wrong.join("\n"));
}

#[test]
fn libraries_stay_at_home() {
    let mut wrong = Vec::new();
    for import in imports() {
        let Some(library) = import.path.strip_suffix("::") else { continue };
        let homes = HOMES.iter().find(|(name, _)| *name == library).unwrap().1;
        if !homes.contains(&import.room.as_str()) {
            wrong.push(format!("{}: names {library}, which lives in {homes:?}", import.file.display()));
        }
    }
    assert!(wrong.is_empty(), "libraries out of their rooms:\n{}", wrong.join("\n"));
}

/// The board has GStreamer 1.14, the oldest the bindings know; each later version's API is a feature of theirs. That the
/// binary needs no later symbol is for `scripts/symbols.sh` to see.
#[test]
fn no_api_of_a_later_gstreamer_is_enabled() {
    let tree = ["tree", "--locked", "--offline", "--edges", "features,normal,build,dev", "--prefix", "none"];
    let output = Command::new(env!("CARGO")).args(tree).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8(output.stdout).unwrap();
    let mut lines: Vec<&str> = tree.lines().filter(|line| line.starts_with("gstreamer")).collect();
    lines.sort_unstable();
    lines.dedup();
    assert!(lines.iter().any(|line| line.starts_with("gstreamer-app v")), "{lines:?}");
    let later: Vec<_> = lines.iter().filter(|line| line.contains("feature \"v1_")).collect();
    assert!(later.is_empty(), "{later:?}");
}

#[test]
fn every_room_has_its_level() {
    for import in imports() {
        let known = matches!(import.room.as_str(), "lib" | "main") || level(&import.room).is_some();
        assert!(known, "{} is in no level: add it to LEVELS", import.file.display());
    }
}

#[test]
fn the_reader_of_imports_sees_them() {
    let text = "use crate::{a::{x, y}, b};\nuse crate::c::Z;\n// crate::comment\nfn f() { ort::init(); crate::d::g() }";
    assert_eq!(paths(text), ["crate::a", "crate::b", "crate::c", "crate::d", "ort::"]);
}
