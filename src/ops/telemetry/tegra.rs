//! What a Tegra X1 (Jetson Nano) shows: GPU, power input, fan, power mode. It has no NVML.

use super::Tree;
use crate::board::{Fan, Gpu, PowerInput, PowerMode};

const GPU: &str = "sys/class/devfreq/57000000.gpu";

/// The fan's full drive.
const FAN_MOST: f32 = 255.0;

/// The GPU's load and clocks. Reading the load wakes a sleeping GPU, so it should not be done more than once a second.
pub(super) fn gpu(tree: &Tree) -> Option<Gpu> {
    let load: Option<f32> = tree.number("sys/devices/gpu.0/load").or_else(|| tree.number(format!("{GPU}/device/load")));
    let gpu = Gpu {
        load: load.map(|tenths_of_percent| tenths_of_percent / 1000.0),
        clock_hz: tree.number(format!("{GPU}/cur_freq")),
        max_hz: tree.number(format!("{GPU}/max_freq")),
    };
    (gpu.load.is_some() || gpu.clock_hz.is_some()).then_some(gpu)
}

/// The 5 V input: channel 0 of the INA3221 at address 0x40 (`POM_5V_IN`), which measures the whole board. The other
/// channels are parts of it.
pub(super) fn power(tree: &Tree) -> Option<PowerInput> {
    let devices = tree.entries("sys/bus/i2c/drivers/ina3221x/6-0040", "iio:device");
    let device = devices.first()?;
    let milli = |file: &str| tree.number::<f32>(device.join(file)).map(|value| value / 1000.0);
    Some(PowerInput { watts: milli("in_power0_input"), volts: milli("in_voltage0_input") })
}

/// The fan on the header of the developer kit.
pub(super) fn fan(tree: &Tree) -> Option<Fan> {
    let duty: f32 = tree.number("sys/devices/pwm-fan/cur_pwm")?;
    Some(Fan { duty: duty / FAN_MOST })
}

/// The power mode, told from its marks: `nvpmodel -q` needs root. None off the Nano.
pub(super) fn power_mode(tree: &Tree, cpus_online: Option<u32>) -> Option<PowerMode> {
    const MAXN_HZ: u64 = 921_600_000;
    const FIVE_WATT_HZ: u64 = 640_000_000;
    let gpu_most: u64 = tree.number(format!("{GPU}/max_freq"))?;
    Some(match cpus_online? {
        4.. if gpu_most >= MAXN_HZ => PowerMode::Maxn,
        ..=2 if gpu_most <= FIVE_WATT_HZ => PowerMode::FiveWatt,
        _ => PowerMode::Custom,
    })
}
