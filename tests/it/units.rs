//! The systemd units: nothing in them is newer than systemd 237 (Ubuntu 18.04), and they hold together.

use crate::support::root;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The version of systemd on Ubuntu 18.04 (JetPack 4.6).
const BOARD: u32 = 237;

/// The directives that the units use, with the version of systemd each came with; 183 stands for that or an older one.
/// From the manual pages of systemd 257 (systemd.unit, .service, .exec, .path: "Added in version"), which do not mark
/// the oldest, and for StateDirectory and CacheDirectory from its NEWS, "CHANGES WITH 235". A directive that is added
/// to a unit is looked up there first.
const SINCE: &[(&str, &[(u32, &str)])] = &[
    (
        "Unit",
        &[
            (201, "Description Documentation Wants After Conflicts OnFailure"),
            (183, "ConditionPathExists"),
            (229, "StartLimitIntervalSec"),
        ],
    ),
    ("Install", &[(201, "WantedBy Also")]),
    ("Path", &[(183, "PathExists")]),
    (
        "Service",
        &[
            (183, "Type ExecStart ExecReload Restart RestartSec WatchdogSec"),
            (183, "User Group SupplementaryGroups UMask LimitNOFILE Environment CapabilityBoundingSet"),
            (187, "NoNewPrivileges SystemCallFilter"),
            (188, "TimeoutStartSec TimeoutStopSec"),
            (189, "RestartPreventExitStatus"),
            (209, "SystemCallArchitectures SystemCallErrorNumber"),
            (211, "RuntimeDirectory RestrictAddressFamilies"),
            (214, "ProtectSystem ProtectHome"),
            (231, "ReadWritePaths RestrictRealtime"),
            (232, "ProtectKernelTunables ProtectKernelModules ProtectControlGroups"),
            (233, "RestrictNamespaces"),
            (235, "StateDirectory CacheDirectory RuntimeDirectoryPreserve UnsetEnvironment LockPersonality"),
        ],
    ),
];

/// The sets of system calls that the units use, with the version each came with (NEWS of systemd, 231 and 233);
/// `@system-service` came with 239.
const SETS_SINCE: &[(u32, &str)] =
    &[(231, "@clock @cpu-emulation @debug @keyring @module @mount @obsolete @raw-io"), (233, "@reboot @swap")];

/// The version in which `word` came, in a table like the above.
fn since(table: &[(u32, &str)], word: &str) -> Option<u32> {
    table.iter().find(|(_, words)| words.split(' ').any(|known| known == word)).map(|(version, _)| *version)
}

/// One line of a unit.
struct Setting {
    section: String,
    key: String,
    value: String,
}

fn units() -> Vec<PathBuf> {
    let mut units: Vec<_> = fs::read_dir(root().join("systemd")).unwrap().map(|entry| entry.unwrap().path()).collect();
    units.sort();
    assert!(units.len() >= 6, "{units:?}");
    units
}

fn settings(unit: &Path) -> Vec<Setting> {
    let (mut section, mut settings) = (String::new(), Vec::new());
    for line in fs::read_to_string(unit).unwrap().lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        match line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            Some(name) => section = name.into(),
            None => {
                let (key, value) = line.split_once('=').unwrap();
                settings.push(Setting { section: section.clone(), key: key.into(), value: value.into() });
            }
        }
    }
    settings
}

#[test]
fn every_directive_is_known_to_systemd_237() {
    for unit in units() {
        for Setting { section, key, value } in settings(&unit) {
            let known = SINCE.iter().find(|(name, _)| *name == section).map_or(&[][..], |(_, table)| table);
            let version = since(known, &key).unwrap_or(u32::MAX);
            assert!(version <= BOARD, "{}: [{section}] {key} came with {version}", unit.display());
            if key == "SystemCallFilter" {
                for set in value.trim_start_matches('~').split(' ') {
                    let version = since(SETS_SINCE, set).unwrap_or(u32::MAX);
                    assert!(version <= BOARD, "{}: {set} came with {version}", unit.display());
                }
            }
        }
    }
}

/// What the board needs: jetson-nano's /tmp/argus_socket and device nodes.
#[test]
fn the_sandbox_leaves_the_cameras_and_the_gpu_in_reach() {
    for unit in ["sightd.service", "sightd-last-good.service"] {
        let settings = settings(&root().join("systemd").join(unit));
        for breaks in ["PrivateTmp", "PrivateDevices", "PrivateUsers", "DynamicUser", "MemoryDenyWriteExecute"] {
            assert!(!settings.iter().any(|setting| setting.key == breaks), "{unit}: {breaks}");
        }
    }
}

#[test]
fn the_pair_differs_only_in_what_it_starts() {
    let read = |unit: &str| -> BTreeMap<(String, String), Vec<String>> {
        let mut by_key = BTreeMap::<_, Vec<_>>::new();
        for setting in settings(&root().join("systemd").join(unit)).into_iter().filter(|s| s.section == "Service") {
            by_key.entry((setting.section, setting.key)).or_default().push(setting.value);
        }
        by_key.remove(&("Service".to_owned(), "ExecStart".to_owned())).unwrap();
        by_key
    };
    assert_eq!(read("sightd.service"), read("sightd-last-good.service"));
}

/// `systemd-analyze verify` on the units, in a root of their own where the programs they start exist.
#[test]
fn systemd_finds_nothing_to_say() {
    let home = tempfile::tempdir().unwrap();
    let place = |path: &str| {
        let path = home.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    };
    for unit in units() {
        // Only the programs' paths are changed: verify looks whether they can be run.
        let text = fs::read_to_string(&unit).unwrap();
        let text = text
            .replace("/usr/bin/sightd", place("usr/bin/sightd").to_str().unwrap())
            .replace("/usr/lib/sightd/last-good", place("usr/lib/sightd/last-good").to_str().unwrap());
        fs::write(place(&format!("units/{}", unit.file_name().unwrap().to_str().unwrap())), text).unwrap();
    }
    for program in ["usr/bin/sightd", "usr/lib/sightd/last-good"] {
        fs::copy("/bin/true", place(program)).unwrap();
    }
    let mut verify = Command::new("systemd-analyze");
    verify.arg("verify").args(units().iter().map(|unit| home.path().join("units").join(unit.file_name().unwrap())));
    let said = match verify.output() {
        Ok(output) => output,
        Err(error) => return println!("left out: systemd-analyze verify ({error})"),
    };
    // Of the system's own units we answer for nothing.
    let ours: Vec<_> = String::from_utf8_lossy(&said.stderr)
        .lines()
        .filter(|line| line.contains("sightd"))
        .map(str::to_owned)
        .collect();
    assert!(ours.is_empty() && said.status.success(), "{:?}", String::from_utf8_lossy(&said.stderr));
}
