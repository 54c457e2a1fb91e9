//! What is known of the machine itself: heat, power, memory, and what they do to the work.

use serde::Serialize;
use std::fmt;
use utoipa::ToSchema;

/// One reading of the machine. What the machine does not have is left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct BoardStatus {
    /// What the machine calls itself, for example `NVIDIA Jetson Nano Developer Kit`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// NVIDIA's Linux for Tegra, for example `32.7.1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub l4t: Option<String>,
    /// The power mode of a Jetson Nano.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub power_mode: Option<PowerMode>,
    /// Temperature sensors, by name.
    pub thermal_zones: Vec<ThermalZone>,
    /// Whether a clock is being lowered because of heat.
    pub cooling: Vec<CoolingDevice>,
    /// The graphics processor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gpu: Option<Gpu>,
    /// The input from the power supply.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub power: Option<PowerInput>,
    /// The fan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fan: Option<Fan>,
    /// Main memory and swap.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<Memory>,
    /// Processor cores that are switched on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpus_online: Option<u32>,
    /// Seconds since the machine started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uptime_s: Option<f64>,
    /// The file system that holds the daemon's data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disk: Option<Disk>,
    /// What the daemon itself takes of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process: Option<Process>,
    /// What holds the work back right now.
    pub notes: Vec<BoardNote>,
}

impl BoardStatus {
    /// The zone nearest to the temperature at which the kernel lowers clocks, with its distance in °C.
    pub fn least_margin(&self) -> Option<(&ThermalZone, f32)> {
        self.thermal_zones
            .iter()
            .filter_map(|zone| Some((zone, zone.passive_celsius? - zone.celsius)))
            .min_by(|(_, a), (_, b)| a.total_cmp(b))
    }
}

/// A temperature sensor.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ThermalZone {
    /// The kernel's name for it, for example `GPU-therm`.
    pub name: String,
    /// Its temperature.
    pub celsius: f32,
    /// From here on the kernel lowers clocks (its lowest `passive` trip point).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub passive_celsius: Option<f32>,
    /// From here on the kernel shuts the machine down.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub critical_celsius: Option<f32>,
}

/// Something that gives off less heat when it is told to; fans are not listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct CoolingDevice {
    /// The kernel's name for it, for example `cpu-balanced`.
    pub name: String,
    /// How far it is held back: 0 is not at all.
    pub state: u32,
    /// The furthest it can be held back.
    pub max_state: u32,
}

/// The graphics processor of a Tegra.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Gpu {
    /// Load, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub load: Option<f32>,
    /// Its clock in Hz.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock_hz: Option<u64>,
    /// The highest clock that is allowed in this power mode, in Hz.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_hz: Option<u64>,
}

/// What the board draws from its supply, measured at the 5 V input.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct PowerInput {
    /// Power in watts: the whole board, cameras and USB devices with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watts: Option<f32>,
    /// Voltage.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub volts: Option<f32>,
}

/// A fan driven by pulse width.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Fan {
    /// What it is driven with, 0 to 1.
    pub duty: f32,
}

/// Main memory and swap, in bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Memory {
    /// All of it.
    pub total_bytes: u64,
    /// What programs can still have without swapping.
    pub available_bytes: u64,
    /// Swap space; 0 when there is none.
    pub swap_total_bytes: u64,
    /// Swap space that is free.
    pub swap_free_bytes: u64,
}

/// A file system, in bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Disk {
    /// Its size.
    pub total_bytes: u64,
    /// What an unprivileged program can still write.
    pub available_bytes: u64,
}

/// What the daemon's process takes.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Process {
    /// Main memory that it holds, in bytes.
    pub resident_bytes: u64,
    /// Processor time since it started, all cores together, in seconds.
    pub cpu_s: f64,
    /// Its threads.
    pub threads: u32,
    /// Files, sockets and devices that it has open.
    pub open_files: u32,
}

/// A Jetson Nano's power mode (`nvpmodel`), told from the cores that are on and the highest GPU clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PowerMode {
    /// Mode 0, 10 W: four cores, GPU up to 921.6 MHz.
    Maxn,
    /// Mode 1, 5 W: two cores, GPU up to 640 MHz.
    FiveWatt,
    /// Somebody's own mode.
    Custom,
}

/// What holds the work back; carried by scenes while it lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BoardNote {
    /// Clocks are lowered because of heat.
    Throttled,
    /// The supply's voltage is below what the board needs.
    BrownOut,
    /// The governor holds the frame rate down so that the board does not throttle.
    RateLowered,
}

impl BoardNote {
    /// The note's name, as it is on the wire and in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Throttled => "throttled",
            Self::BrownOut => "brown_out",
            Self::RateLowered => "rate_lowered",
        }
    }
}

impl fmt::Display for BoardNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
