//! Temperatures, trip points and what the kernel does about them (`/sys/class/thermal`).

use super::Tree;
use crate::board::{CoolingDevice, ThermalZone};
use std::path::Path;

const CLASS: &str = "sys/class/thermal";

/// Zones that say nothing: the Nano's PMIC reports a constant 100 °C.
const MEANINGLESS: &[&str] = &["PMIC-Die"];

/// All temperature sensors that answer, by name. Their numbers change from boot to boot.
pub(super) fn zones(tree: &Tree) -> Vec<ThermalZone> {
    let mut zones: Vec<_> =
        tree.entries(CLASS, "thermal_zone").iter().filter_map(|folder| zone(tree, folder)).collect();
    zones.sort_by(|a, b| a.name.cmp(&b.name));
    zones
}

fn zone(tree: &Tree, folder: &Path) -> Option<ThermalZone> {
    let name = tree.text(folder.join("type"))?;
    if MEANINGLESS.contains(&name.as_str()) {
        return None;
    }
    Some(ThermalZone {
        name,
        celsius: celsius(tree.number(folder.join("temp"))?),
        passive_celsius: lowest_trip(tree, folder, "passive"),
        critical_celsius: lowest_trip(tree, folder, "critical"),
    })
}

/// The lowest trip point of `kind`; those at or below 0 are switched off.
fn lowest_trip(tree: &Tree, folder: &Path, kind: &str) -> Option<f32> {
    let points = tree.entries(folder, "trip_point_");
    let of_kind = points.iter().filter_map(|path| {
        let stem = path.file_name()?.to_str()?.strip_suffix("_type")?;
        let is_kind = tree.text(path).is_some_and(|text| text == kind);
        is_kind.then(|| tree.number::<i64>(folder.join(format!("{stem}_temp"))))?
    });
    of_kind.filter(|&point| point > 0).min().map(celsius)
}

/// What can be held back against heat, fans left out.
pub(super) fn cooling(tree: &Tree) -> Vec<CoolingDevice> {
    let devices = tree.entries(CLASS, "cooling_device");
    let mut cooling: Vec<_> = devices.iter().filter_map(|folder| cooling_device(tree, folder)).collect();
    cooling.sort_by(|a, b| a.name.cmp(&b.name));
    cooling
}

fn cooling_device(tree: &Tree, folder: &Path) -> Option<CoolingDevice> {
    let name = tree.text(folder.join("type"))?;
    if name.to_ascii_lowercase().contains("fan") {
        return None;
    }
    Some(CoolingDevice {
        name,
        state: tree.number(folder.join("cur_state"))?,
        max_state: tree.number(folder.join("max_state"))?,
    })
}

#[expect(clippy::cast_precision_loss, reason = "temperatures in m°C are small")]
fn celsius(milli: i64) -> f32 {
    milli as f32 / 1000.0
}
