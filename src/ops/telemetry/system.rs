//! What every Linux machine shows: what it is, memory, cores, uptime, disk.

use super::Tree;
use crate::board::{Disk, Memory, Process};
use std::{fs, path::Path};

/// What the board calls itself, from the device tree.
pub(super) fn model(tree: &Tree) -> Option<String> {
    tree.text("proc/device-tree/model")
}

/// The release of NVIDIA's Linux for Tegra: `# R32 (release), REVISION: 7.1, …` is `32.7.1`.
pub(super) fn l4t(tree: &Tree) -> Option<String> {
    let text = tree.text("etc/nv_tegra_release")?;
    let release = text.strip_prefix("# R")?.split_whitespace().next()?;
    let revision = text.split("REVISION:").nth(1)?.split(',').next()?.trim();
    Some(format!("{release}.{revision}"))
}

/// Main memory and swap.
pub(super) fn memory(tree: &Tree) -> Option<Memory> {
    let text = tree.text("proc/meminfo")?;
    let bytes = |key: &str| -> Option<u64> {
        let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
        Some(line.trim().trim_end_matches(" kB").parse::<u64>().ok()? << 10)
    };
    Some(Memory {
        total_bytes: bytes("MemTotal")?,
        available_bytes: bytes("MemAvailable")?,
        swap_total_bytes: bytes("SwapTotal").unwrap_or(0),
        swap_free_bytes: bytes("SwapFree").unwrap_or(0),
    })
}

/// How many cores are switched on, from a list such as `0-1,3`.
pub(super) fn cpus_online(tree: &Tree) -> Option<u32> {
    let list = tree.text("sys/devices/system/cpu/online")?;
    list.split(',').try_fold(0, |sum: u32, range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
        Some(sum + last.checked_sub(first)? + 1)
    })
}

/// Seconds since the machine started.
pub(super) fn uptime_s(tree: &Tree) -> Option<f64> {
    tree.text("proc/uptime")?.split_whitespace().next()?.parse().ok()
}

/// The file system that holds `path`.
pub(super) fn disk(path: &Path) -> Option<Disk> {
    let disk = rustix::fs::statvfs(path).ok()?;
    Some(Disk {
        total_bytes: disk.f_blocks.saturating_mul(disk.f_frsize),
        available_bytes: disk.f_bavail.saturating_mul(disk.f_frsize),
    })
}

/// This process, whatever tree the rest is read from (proc(5), `/proc/pid/stat`).
#[expect(clippy::cast_precision_loss, reason = "ticks of a processor's time are exact in an f64 for ages")]
pub(super) fn process() -> Option<Process> {
    let text = fs::read_to_string("/proc/self/stat").ok()?;
    // The name, which may hold anything, is in parentheses; `state` behind it is field 3.
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let field = |number: usize| -> Option<u64> { fields.get(number - 3)?.parse().ok() };
    let ticks = field(14)? + field(15)?;
    Some(Process {
        resident_bytes: field(24)? * rustix::param::page_size() as u64,
        cpu_s: ticks as f64 / rustix::param::clock_ticks_per_second() as f64,
        threads: field(20)?.try_into().ok()?,
        open_files: fs::read_dir("/proc/self/fd").ok()?.count().try_into().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_measured() {
        let process = process().unwrap();
        assert!(process.resident_bytes > 1 << 20 && process.threads >= 1 && process.open_files >= 3, "{process:?}");
    }

    #[test]
    fn core_lists_are_counted() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("sys/devices/system/cpu")).unwrap();
        for (list, count) in
            [("0-3", Some(4)), ("0", Some(1)), ("0-1,3", Some(3)), ("3-0", None), ("", None), ("a-b", None)]
        {
            fs::write(root.path().join("sys/devices/system/cpu/online"), format!("{list}\n")).unwrap();
            assert_eq!(cpus_online(&Tree::new(root.path())), count, "{list}");
        }
    }
}
