//! What the machine says of itself, and what the process takes of it; what is not there is left out.

use super::page::{Page, Sample, maybe, one};
use crate::board::{BoardNote, BoardStatus, Gpu, PowerInput, PowerMode, Process, ThermalZone};
use std::fmt;

/// Writes what is known of the machine.
pub(crate) fn board(page: &mut Page<'_>, board: &BoardStatus) -> fmt::Result {
    about(page, board)?;
    temperatures(page, &board.thermal_zones)?;
    for (name, help, note) in [
        ("throttled", "Whether clocks are lowered because of heat", BoardNote::Throttled),
        ("brown_out", "Whether the supply's voltage is too low", BoardNote::BrownOut),
        ("rate_lowered", "Whether the governor holds the frame rate down", BoardNote::RateLowered),
    ] {
        page.gauge(name, help, one(u8::from(board.notes.contains(&note))))?;
    }
    board.power.as_ref().map_or(Ok(()), |power| self::power(page, power))?;
    board.gpu.as_ref().map_or(Ok(()), |gpu| self::gpu(page, gpu))?;
    let duty = board.fan.as_ref().map(|fan| thousandths(fan.duty));
    page.gauge("fan_duty_ratio", "What the fan is driven with", maybe(duty))?;
    memory_and_disk(page, board)?;
    page.gauge("cpus_online", "Processor cores that are switched on", maybe(board.cpus_online))?;
    page.gauge("uptime_seconds", "Time since the machine started", maybe(board.uptime_s))
}

fn about(page: &mut Page<'_>, board: &BoardStatus) -> fmt::Result {
    let word = |value: &Option<String>| value.clone().unwrap_or_default();
    let mode = match board.power_mode {
        Some(PowerMode::Maxn) => "maxn",
        Some(PowerMode::FiveWatt) => "five_watt",
        Some(PowerMode::Custom) => "custom",
        None => "",
    };
    let about = vec![("model", word(&board.model)), ("l4t", word(&board.l4t)), ("power_mode", mode.to_owned())];
    page.gauge("board_info", "The machine", vec![(about, 1.0)])
}

fn temperatures(page: &mut Page<'_>, zones: &[ThermalZone]) -> fmt::Result {
    let now = zones.iter().map(|zone| (vec![("zone", zone.name.clone())], thousandths(zone.celsius)));
    page.gauge("temperature_celsius", "Temperature sensors", now.collect())?;
    let limit = |zone: &ThermalZone, trip: &str, celsius: Option<f32>| -> Option<Sample> {
        Some((vec![("zone", zone.name.clone()), ("trip", trip.to_owned())], thousandths(celsius?)))
    };
    let limits = zones.iter().flat_map(|zone| {
        [limit(zone, "passive", zone.passive_celsius), limit(zone, "critical", zone.critical_celsius)]
    });
    let help = "Where the kernel lowers clocks (passive) and where it switches off (critical)";
    page.gauge("temperature_limit_celsius", help, limits.flatten().collect())
}

fn power(page: &mut Page<'_>, power: &PowerInput) -> fmt::Result {
    // The rail is the board's whole input: NVIDIA's name for it is POM_5V_IN.
    let rail = |value: Option<f32>| value.map(|value| (vec![("rail", "POM_5V_IN".to_owned())], thousandths(value)));
    page.gauge("power_watts", "Power drawn from the supply", rail(power.watts).into_iter().collect())?;
    page.gauge("supply_volts", "Voltage of the supply", rail(power.volts).into_iter().collect())
}

fn gpu(page: &mut Page<'_>, gpu: &Gpu) -> fmt::Result {
    page.gauge("gpu_load_ratio", "Load of the GPU", maybe(gpu.load.map(thousandths)))?;
    page.gauge("gpu_clock_hertz", "Clock of the GPU", maybe(gpu.clock_hz.map(|hertz| hertz as f64)))
}

fn memory_and_disk(page: &mut Page<'_>, board: &BoardStatus) -> fmt::Result {
    let (memory, disk) = (board.memory.as_ref(), board.disk.as_ref());
    for (name, help, bytes) in [
        ("memory_available_bytes", "Main memory that programs can still have", memory.map(|m| m.available_bytes)),
        ("memory_total_bytes", "Main memory", memory.map(|m| m.total_bytes)),
        ("swap_free_bytes", "Swap space that is free", memory.map(|m| m.swap_free_bytes)),
        ("swap_total_bytes", "Swap space", memory.map(|m| m.swap_total_bytes)),
        ("disk_available_bytes", "Room on the disk that holds the daemon's data", disk.map(|d| d.available_bytes)),
        ("disk_total_bytes", "Size of that disk", disk.map(|d| d.total_bytes)),
    ] {
        page.gauge(name, help, maybe(bytes.map(|bytes| bytes as f64)))?;
    }
    Ok(())
}

/// Writes what the process takes, under the names that every exporter uses.
pub(crate) fn process(page: &mut Page<'_>, process: &Process) -> fmt::Result {
    page.counter("process_cpu_seconds", "Processor time", one(process.cpu_s))?;
    page.gauge(
        "process_resident_memory_bytes",
        "Main memory that the process holds",
        one(process.resident_bytes as f64),
    )?;
    page.gauge("process_threads", "Threads", one(process.threads))?;
    page.gauge("process_open_fds", "Open files", one(process.open_files))
}

/// The value to three places: more than the sensors give.
fn thousandths(value: f32) -> f64 {
    (f64::from(value) * 1e3).round() / 1e3
}
