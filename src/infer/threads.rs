//! How many threads to work with when the configuration does not say.

use std::{collections::BTreeSet, fs, path::Path, thread};

/// What Linux knows of the CPUs.
const CPUS: &str = "/sys/devices/system/cpu";

/// The device tree's name of the board; there is none on a PC.
const BOARD: &str = "/proc/device-tree/model";

/// One thread for each physical core this process may use; on a board one less, which is left for the pictures.
pub(super) fn default_count() -> usize {
    let allowed = thread::available_parallelism().map_or(1, Into::into);
    let cores = physical_cores(Path::new(CPUS)).map_or(allowed, |cores| cores.min(allowed));
    count(cores, Path::new(BOARD).exists())
}

/// The rule of [`default_count`].
fn count(cores: usize, on_board: bool) -> usize {
    if on_board { cores.saturating_sub(1).max(1) } else { cores.max(1) }
}

/// Counts CPUs that share a core once.
fn physical_cores(cpus: &Path) -> Option<usize> {
    let siblings: BTreeSet<String> = fs::read_dir(cpus)
        .ok()?
        .flatten()
        .filter_map(|cpu| fs::read_to_string(cpu.path().join("topology/thread_siblings_list")).ok())
        .collect();
    Some(siblings.len()).filter(|cores| *cores > 0)
}
