//! The systemd units: nothing in them is newer than systemd 237 (Ubuntu 18.04), and they hold together.

use crate::support::root;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Directives of systemd 237 by section, as its manual pages list them (systemd.unit, .service, .exec, .kill,
/// .resource-control, .path). What a unit needs and is not here: look up in which version it came before adding it.
const KNOWN_TO_237: &[(&str, &[&str])] = &[
    (
        "Unit",
        &[
            "Description",
            "Documentation",
            "Wants",
            "Requires",
            "Requisite",
            "BindsTo",
            "PartOf",
            "Conflicts",
            "Before",
            "After",
            "OnFailure",
            "PropagatesReloadTo",
            "ReloadPropagatedFrom",
            "JoinsNamespaceOf",
            "RequiresMountsFor",
            "OnFailureJobMode",
            "IgnoreOnIsolate",
            "StopWhenUnneeded",
            "RefuseManualStart",
            "RefuseManualStop",
            "AllowIsolate",
            "DefaultDependencies",
            "CollectMode",
            "JobTimeoutSec",
            "JobRunningTimeoutSec",
            "JobTimeoutAction",
            "JobTimeoutRebootArgument",
            "StartLimitIntervalSec",
            "StartLimitBurst",
            "StartLimitAction",
            "FailureAction",
            "SuccessAction",
            "RebootArgument",
            "SourcePath",
            "ConditionArchitecture",
            "ConditionVirtualization",
            "ConditionHost",
            "ConditionKernelCommandLine",
            "ConditionKernelVersion",
            "ConditionSecurity",
            "ConditionCapability",
            "ConditionACPower",
            "ConditionNeedsUpdate",
            "ConditionFirstBoot",
            "ConditionPathExists",
            "ConditionPathExistsGlob",
            "ConditionPathIsDirectory",
            "ConditionPathIsSymbolicLink",
            "ConditionPathIsMountPoint",
            "ConditionPathIsReadWrite",
            "ConditionDirectoryNotEmpty",
            "ConditionFileNotEmpty",
            "ConditionFileIsExecutable",
            "ConditionUser",
            "ConditionGroup",
            "ConditionControlGroupController",
            "AssertPathExists",
        ],
    ),
    ("Install", &["Alias", "WantedBy", "RequiredBy", "Also", "DefaultInstance"]),
    (
        "Path",
        &[
            "PathExists",
            "PathExistsGlob",
            "PathChanged",
            "PathModified",
            "DirectoryNotEmpty",
            "Unit",
            "MakeDirectory",
            "DirectoryMode",
        ],
    ),
    (
        "Service",
        &[
            "Type",
            "RemainAfterExit",
            "GuessMainPID",
            "PIDFile",
            "BusName",
            "ExecStart",
            "ExecStartPre",
            "ExecStartPost",
            "ExecReload",
            "ExecStop",
            "ExecStopPost",
            "RestartSec",
            "TimeoutStartSec",
            "TimeoutStopSec",
            "TimeoutSec",
            "RuntimeMaxSec",
            "WatchdogSec",
            "Restart",
            "SuccessExitStatus",
            "RestartPreventExitStatus",
            "RestartForceExitStatus",
            "RootDirectoryStartOnly",
            "NonBlocking",
            "NotifyAccess",
            "Sockets",
            "FileDescriptorStoreMax",
            "USBFunctionDescriptors",
            "USBFunctionStrings",
            // systemd.exec
            "WorkingDirectory",
            "RootDirectory",
            "RootImage",
            "MountAPIVFS",
            "BindPaths",
            "BindReadOnlyPaths",
            "User",
            "Group",
            "DynamicUser",
            "SupplementaryGroups",
            "PAMName",
            "CapabilityBoundingSet",
            "AmbientCapabilities",
            "NoNewPrivileges",
            "SecureBits",
            "LimitCPU",
            "LimitFSIZE",
            "LimitDATA",
            "LimitSTACK",
            "LimitCORE",
            "LimitRSS",
            "LimitNOFILE",
            "LimitAS",
            "LimitNPROC",
            "LimitMEMLOCK",
            "UMask",
            "KeyringMode",
            "OOMScoreAdjust",
            "TimerSlackNSec",
            "Personality",
            "IgnoreSIGPIPE",
            "Nice",
            "CPUSchedulingPolicy",
            "CPUSchedulingPriority",
            "CPUSchedulingResetOnFork",
            "CPUAffinity",
            "IOSchedulingClass",
            "IOSchedulingPriority",
            "ProtectSystem",
            "ProtectHome",
            "RuntimeDirectory",
            "StateDirectory",
            "CacheDirectory",
            "LogsDirectory",
            "ConfigurationDirectory",
            "RuntimeDirectoryMode",
            "StateDirectoryMode",
            "CacheDirectoryMode",
            "LogsDirectoryMode",
            "ConfigurationDirectoryMode",
            "RuntimeDirectoryPreserve",
            "ReadWritePaths",
            "ReadOnlyPaths",
            "InaccessiblePaths",
            "PrivateTmp",
            "PrivateDevices",
            "PrivateNetwork",
            "PrivateUsers",
            "ProtectKernelTunables",
            "ProtectKernelModules",
            "ProtectControlGroups",
            "RestrictAddressFamilies",
            "RestrictNamespaces",
            "LockPersonality",
            "MemoryDenyWriteExecute",
            "RestrictRealtime",
            "RemoveIPC",
            "MountFlags",
            "SystemCallFilter",
            "SystemCallErrorNumber",
            "SystemCallArchitectures",
            "Environment",
            "EnvironmentFile",
            "PassEnvironment",
            "UnsetEnvironment",
            "StandardInput",
            "StandardOutput",
            "StandardError",
            "StandardInputText",
            "StandardInputData",
            "LogLevelMax",
            "LogExtraFields",
            "SyslogIdentifier",
            "SyslogFacility",
            "SyslogLevel",
            "SyslogLevelPrefix",
            // systemd.kill and systemd.resource-control
            "KillMode",
            "KillSignal",
            "SendSIGHUP",
            "SendSIGKILL",
            "CPUAccounting",
            "CPUWeight",
            "CPUQuota",
            "MemoryAccounting",
            "MemoryLow",
            "MemoryHigh",
            "MemoryMax",
            "MemoryLimit",
            "TasksAccounting",
            "TasksMax",
            "IOAccounting",
            "IOWeight",
            "IPAccounting",
            "IPAddressAllow",
            "IPAddressDeny",
            "DeviceAllow",
            "DevicePolicy",
            "Slice",
            "Delegate",
        ],
    ),
];

/// Sets of system calls that 237 knows; `@system-service` came with 239.
const SETS_OF_237: &[&str] = &[
    "@aio",
    "@basic-io",
    "@chown",
    "@clock",
    "@cpu-emulation",
    "@debug",
    "@default",
    "@file-system",
    "@io-event",
    "@ipc",
    "@keyring",
    "@memlock",
    "@module",
    "@mount",
    "@network-io",
    "@obsolete",
    "@privileged",
    "@process",
    "@raw-io",
    "@reboot",
    "@resources",
    "@setuid",
    "@signal",
    "@swap",
    "@sync",
    "@timer",
];

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
            let known = KNOWN_TO_237.iter().find(|(name, _)| *name == section).map_or(&[][..], |(_, keys)| keys);
            assert!(known.contains(&key.as_str()), "{}: [{section}] {key}", unit.display());
            if key == "SystemCallFilter" {
                let unknown = value.trim_start_matches('~').split(' ').find(|set| !SETS_OF_237.contains(set));
                assert_eq!(unknown, None, "{}", unit.display());
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
