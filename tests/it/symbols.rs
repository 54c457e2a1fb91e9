//! scripts/symbols.sh: what the Nano lacks is named. ProbeResult on this build of sightd, made for this machine.

use crate::support::root;
use std::{fs, process::Command};

fn check(symbols: &str) -> (bool, String) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("all.symbols"), symbols).unwrap();
    let output = Command::new(root().join("scripts/symbols.sh"))
        .arg(env!("CARGO_BIN_EXE_sightd"))
        .arg(folder.path())
        .output()
        .unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn a_symbol_that_came_too_late_is_named() {
    let (good, said) = check(" gst_init_check@Base 1.16.0\n g_free@Base 2.58.0\n");
    assert!(!good);
    for words in
        ["gst_init_check: came with 1.16.0, the board has 1.14.0", "g_free: came with 2.58.0, the board has 2.56.0"]
    {
        assert!(said.contains(words), "{said}");
    }
}

#[test]
fn a_symbol_without_a_package_is_named() {
    let (good, said) = check(" gst_init_check@Base 1.0.0\n");
    assert!(!good && said.contains("no package of the sysroot has it"), "{said}");
}
