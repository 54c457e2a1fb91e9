//! Every mistake in a configuration has its exact words.

use crate::support::root;
use sightd::config::{Config, Loaded, Sources, load};
use std::fs;

/// Reads `text` as a file; the path in messages is cut to `FILE`.
fn read(text: &str, flags: &[(&str, &str)]) -> Result<Config, String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.toml");
    fs::write(&file, text).unwrap();
    let flags = flags.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
    match load(&Sources { file: Some(file.clone()), flags }) {
        Ok(Loaded { config, .. }) => Ok(config),
        Err(mistakes) => Err(mistakes.to_string().replace(&file.display().to_string(), "FILE")),
    }
}

#[test]
fn the_shipped_file_is_the_default() {
    let shipped = fs::read_to_string(root().join("deploy/config.toml")).unwrap();
    assert_eq!(read(&shipped, &[]).unwrap(), Config::default());
}

#[test]
fn mistakes_in_their_exact_words() {
    for (text, want) in [
        ("[detection]\nscore = 1.5", "FILE: detection.score = 1.5: 1.5 is not between 0 and 1"),
        (
            "[detection]\nscore = \"high\"",
            "FILE: detection.score = \"high\": is string \"high\", must be a floating point",
        ),
        (
            "[detection]\nscroe = 0.4",
            "FILE: detection.scroe: unknown key; did you mean \"score\"? \
             (known here: classes, iou, max_detections, only, overlaps, score)",
        ),
        ("[model]\nxyzzy = 1", "FILE: model.xyzzy: unknown key (known here: folders, name)"),
        (
            "[camera.Front]\nsource = \"auto\"",
            "FILE: camera.Front: \"Front\" is not a camera name: use 1 to 64 of a-z, 0-9, '-' and '_', starting with a \
             letter or digit",
        ),
        (
            "[camera.front]\nfps = 0",
            "FILE: camera.front.fps = 0: 0 is not a frame rate: use 0.01 to 240 frames a second",
        ),
        (
            "[camera.front.video]\nbitrate_kbps = 100",
            "FILE: camera.front.video.bitrate_kbps = 100: 100 is not a bit rate for video: use 200 to 20000 kilobits a \
             second",
        ),
        (
            "[runtime]\nproviders = [\"cpu\", \"cpu\"]",
            "FILE: runtime.providers = [\"cpu\", \"cpu\"]: \"cpu\" stands in the list twice",
        ),
        (
            "[log]\nfilter = \"a=b=c\"",
            "FILE: log.filter = \"a=b=c\": must be error, warn, info, debug or trace, or a list such as \
             `info,sightd::source=debug`",
        ),
    ] {
        let said = read(text, &[]).unwrap_err();
        assert_eq!(said, format!("the configuration has a mistake: {want}"), "{text}");
    }
}

#[test]
fn a_password_in_a_source_is_not_repeated() {
    let said = read("[camera.front]\nsource = \"rtps://user:geheim@camera/1\"", &[]).unwrap_err();
    assert!(said.contains("camera.front.source") && !said.contains("geheim"), "{said}");
}

#[test]
fn what_is_no_toml_is_named_with_its_place() {
    let said = read("[detection\nscore = 1", &[]).unwrap_err();
    assert!(
        said.starts_with("the configuration has a mistake: FILE: is not TOML: ") && said.contains("line 1"),
        "{said}"
    );
}

#[test]
fn all_mistakes_come_at_once() {
    let said =
        read("[detection]\nscore = 2\niou = -1\n[http]\nlisten = \"here\"\n[camera.a]\nfsp = 1", &[]).unwrap_err();
    assert!(said.starts_with("the configuration has 4 mistakes:\n"), "{said}");
    for key in ["detection.score", "detection.iou", "http.listen", "camera.a.fsp"] {
        assert_eq!(said.matches(&format!("  FILE: {key}")).count(), 1, "{key}: {said}");
    }
}

#[test]
fn cameras_inherit_the_detection_table() {
    let config =
        read("[detection]\nscore = 0.3\niou = 0.4\n[camera.a]\n[camera.b.detection]\nscore = 0.9", &[]).unwrap();
    let of = |name: &str| config.camera[name].detection.clone();
    assert_eq!((of("a").score.get(), of("a").iou.get()), (0.3, 0.4));
    assert_eq!((of("b").score.get(), of("b").iou.get()), (0.9, 0.4));
}

#[test]
fn flags_override_files() {
    let config = read("[http]\nlisten = \"127.0.0.1:1\"", &[("http.listen", "127.0.0.1:2")]).unwrap();
    assert_eq!(config.http.listen.port(), 2);
    let said = read("", &[("http.listen", "nowhere")]).unwrap_err();
    assert!(said.contains("the command line: http.listen"), "{said}");
}

#[test]
fn parts_beside_the_file_are_read_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("config.toml", "[detection]\nscore = 0.1");
    fs::create_dir(folder.path().join("conf.d")).unwrap();
    write("conf.d/20-b.toml", "[detection]\nscore = 0.3");
    write("conf.d/10-a.toml", "[detection]\nscore = 0.2\niou = 0.5");
    write("conf.d/README", "not read");
    let loaded = load(&Sources { file: Some(folder.path().join("config.toml")), flags: Vec::new() }).unwrap();
    assert_eq!((loaded.config.detection.score.get(), loaded.config.detection.iou.get()), (0.3, 0.5));
    assert_eq!(loaded.files.len(), 3);
}
