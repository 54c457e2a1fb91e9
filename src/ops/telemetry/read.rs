//! One reading of the machine.

use super::{system, tegra, thermal, tree::Tree};
use crate::board::{BoardNote, BoardStatus};
use std::path::Path;

/// Below this voltage at its 5 V input the board is called browned out: 5 V less 5 %, the lowest that USB 2.0 (7.2.1)
/// lets a supply give. It was not measured on a board where a Nano stops.
pub const MIN_VOLTS: f32 = 4.75;

/// One reading of the machine; `data` is a path on the file system whose room is reported.
pub fn read(tree: &Tree, data: &Path) -> BoardStatus {
    let cpus_online = system::cpus_online(tree);
    let mut status = BoardStatus {
        model: system::model(tree),
        l4t: system::l4t(tree),
        power_mode: tegra::power_mode(tree, cpus_online),
        thermal_zones: thermal::zones(tree),
        cooling: thermal::cooling(tree),
        gpu: tegra::gpu(tree),
        power: tegra::power(tree),
        fan: tegra::fan(tree),
        memory: system::memory(tree),
        cpus_online,
        uptime_s: system::uptime_s(tree),
        disk: system::disk(data),
        process: system::process(),
        notes: Vec::new(),
    };
    status.notes = notes(&status);
    status
}

/// What the reading itself says of the work being held back.
fn notes(status: &BoardStatus) -> Vec<BoardNote> {
    let hot = status.least_margin().is_some_and(|(_, margin)| margin <= 0.0);
    let held_back = status.cooling.iter().any(|device| device.state > 0);
    let volts = status.power.as_ref().and_then(|power| power.volts);
    let mut notes = Vec::new();
    if hot || held_back {
        notes.push(BoardNote::Throttled);
    }
    if volts.is_some_and(|volts| volts < MIN_VOLTS) {
        notes.push(BoardNote::BrownOut);
    }
    notes
}
