//! The disk, which on a Jetson Nano is an SD card.

use super::{facts::Facts, report::Finding};
use detector::infer::cache::SHORT_NAME;

/// Below this much room on the disk recordings and engines are at risk.
const MIN_ROOM_BYTES: u64 = 500 << 20;

/// From here on a consumer's SD card may be near its end.
const MUCH_WRITTEN_BYTES: u64 = 20 << 40;

/// An eMMC's own word on its life, from 1 (fresh) to 10 (used up), 11 is beyond.
const EMMC_OLD: u32 = 9;

pub(super) fn room(facts: &Facts) -> Vec<Finding> {
    let Some(disk) = &facts.board.disk else { return Vec::new() };
    let free = disk.available_bytes >> 20;
    vec![if disk.available_bytes < MIN_ROOM_BYTES {
        Finding::error(
            "disk",
            format!("{free} MiB are free: engines and the journal need {} MiB", MIN_ROOM_BYTES >> 20),
            "sudo apt-get clean; sudo journalctl --vacuum-size=100M; df -h shows what else fills the disk",
        )
    } else {
        Finding::good("disk", format!("{free} MiB are free"))
    }]
}

/// Errors that ext4 has met.
pub(super) fn damage(facts: &Facts) -> Vec<Finding> {
    let tree = &facts.tree;
    let volumes = tree.entries("sys/fs/ext4", "");
    volumes
        .iter()
        .filter_map(|volume| {
            let errors: u64 = tree.number(volume.join("errors_count"))?;
            let name = volume.file_name()?.to_string_lossy().into_owned();
            (errors > 0).then(|| {
                Finding::error(
                    "file system",
                    format!("ext4 met {errors} errors on {name}: the card may be failing"),
                    "copy the card to a new one (dd or balenaEtcher), then: sudo touch /forcefsck and reboot",
                )
            })
        })
        .collect()
}

/// How much has been written in the life of the disk.
pub(super) fn wear(facts: &Facts) -> Vec<Finding> {
    const CHECK: &str = "wear";
    const FIX: &str =
        "plan a new card: an industrial or \"endurance\" one lasts many times longer; keep a copy of this one";
    let tree = &facts.tree;
    let mut findings = Vec::new();
    for disk in tree.entries("sys/block", "mmcblk") {
        let Some(life) = tree.text(disk.join("device/life_time")) else { continue };
        let used =
            life.split_whitespace().filter_map(|word| u32::from_str_radix(word.trim_start_matches("0x"), 16).ok());
        if let Some(worst) = used.max().filter(|&worst| worst >= EMMC_OLD) {
            findings.push(Finding::warning(
                CHECK,
                format!("the eMMC has used {} % of its life or more", (worst - 1) * 10),
                FIX,
            ));
        }
    }
    for volume in tree.entries("sys/fs/ext4", "mmcblk") {
        let Some(kib) = tree.number::<u64>(volume.join("lifetime_write_kbytes")) else { continue };
        let written = kib << 10;
        if written > MUCH_WRITTEN_BYTES {
            let name = volume.file_name().unwrap_or_default().to_string_lossy().into_owned();
            findings.push(Finding::warning(CHECK, format!("{} TiB have been written to {name}", written >> 40), FIX));
        }
    }
    findings
}

/// Models whose engine builds died too often, so that TensorRT is left out.
pub(super) fn engines(facts: &Facts) -> Vec<Finding> {
    let given_up = facts.engines.iter().filter(|engine| engine.is_given_up());
    given_up
        .map(|engine| {
            let name = engine.name.get(..SHORT_NAME).unwrap_or(&engine.name);
            Finding::warning(
                "engines",
                format!(
                    "{} builds of the engine {name} were begun and did not end, probably because memory ran out: \
                     TensorRT is left out",
                    engine.unfinished
                ),
                format!(
                    "free memory (sudo systemctl set-default multi-user.target, reboot), then sudo sightd model engines \
                     --clear {name} and sudo systemctl restart sightd"
                ),
            )
        })
        .collect()
}

/// Engines that cannot be kept are built anew at each start, which takes from minutes to an hour.
pub(super) fn cache(facts: &Facts) -> Vec<Finding> {
    vec![match &facts.cache {
        Ok(folder) => Finding::good("engine cache", format!("{} can be written", folder.display())),
        Err(why) => Finding::error(
            "engine cache",
            format!("{why}: TensorRT would build its engine at every start"),
            "sudo chown -R sightd: /var/cache/sightd, or set runtime.cache_dir to a folder that sightd may write",
        ),
    }]
}
