//! What several subjects need.

pub mod counting;
pub mod freeze;
pub mod small_net;

use detector::manifest::{Activation, Anchors, Channels, Decode, Input, Interpolated, Manifest, Model};
use std::{
    io::Write,
    path::{Path, PathBuf},
    process::Command,
};
use workshop::import::Imported;

/// The checkout.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The acceptance data `path` under `../shared`, or a word that the test was left out for want of it, which
/// `scripts/test.sh` counts.
pub fn shared(path: &str) -> Option<PathBuf> {
    let full = root().join("../shared").join(path);
    if full.exists() {
        return Some(full);
    }
    let test = std::thread::current();
    // Straight to stderr: the harness swallows what passing tests print with `println!`.
    let _ = writeln!(std::io::stderr(), "left out: {} needs ../shared/{path}", test.name().unwrap_or("a test"));
    None
}

/// A file of little-endian f32 values.
pub fn read_f32(path: &Path) -> Vec<f32> {
    let bytes = std::fs::read(path).unwrap();
    bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}

/// The default model, but for the names of its classes.
pub fn coco_ssd() -> Manifest {
    Manifest {
        name: "ssdlite-mobilenet-v2".into(),
        sha256: None,
        licence: None,
        source: None,
        labels: (0..91).map(|id| format!("class {id}")).collect(),
        input: Input {
            name: "image".into(),
            width: 300,
            height: 300,
            channels: Channels::Rgb,
            scale: 2.0 / 255.0,
            offset: [-1.0; 3],
        },
        decode: Decode::Ssd {
            boxes: "raw_boxes".into(),
            logits: "logits".into(),
            activation: Activation::Sigmoid,
            scales: [10.0, 10.0, 5.0, 5.0],
            anchors: Anchors {
                layers: [19, 10, 5, 3, 2, 1].map(|n| [n, n]).into(),
                min_scale: 0.2,
                max_scale: 0.95,
                ratios: vec![1.0, 2.0, 0.5, 3.0, 0.3333],
                reduce_lowest_layer: true,
                interpolated: Interpolated::Last,
            },
        },
    }
}

/// The file at `path` as the model that `manifest` describes, unread: the checksum is left empty.
pub fn unread_model(path: &Path, manifest: Manifest) -> Model {
    Model { path: path.to_owned(), sha256: String::new(), manifest, stands_in_for: None }
}

/// Whether this is a long run (`make long`).
pub fn is_long() -> bool {
    std::env::var_os("SIGHTD_LONG").is_some()
}

/// A file that set-up fetched, which tests may require: `weights/...`, `footage/...`, `lib/...`.
pub fn part(path: &str) -> PathBuf {
    root().join(".sightd").join(path)
}

/// The ONNX file that an import makes.
pub fn bytes_of(imported: &Imported) -> Vec<u8> {
    let mut bytes = Vec::new();
    imported.onnx.write_to(&mut bytes).unwrap();
    bytes
}

/// What [`again`] tells the test it starts.
pub const ROLE: &str = "SIGHTD_TEST_ROLE";

/// This test binary once more, to run only `test` (its full name) in a process of its own, which finds `role` in the
/// environment variable [`ROLE`].
pub fn again(test: &str, role: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]).env(ROLE, role);
    command
}

/// The role this process was started in by [`again`], if it was.
pub fn role() -> Option<String> {
    std::env::var(ROLE).ok()
}
