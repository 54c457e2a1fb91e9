//! The machine itself: what it is, how it is set, how it feels.

use super::{
    facts::{Facts, ProviderFact},
    report::Finding,
};
use crate::{
    board::{BoardNote, PowerMode},
    ops::telemetry::MIN_VOLTS,
};

/// The release of L4T that the package is made for: JetPack 4.6.
const L4T_MADE_FOR: &str = "32.7";

/// Below this distance to the throttling point the board is called warm.
const WARM_MARGIN_CELSIUS: f32 = 8.0;

/// Below this much available memory an engine build is likely to fail: published figures for TensorRT 8.2 with cuDNN
/// and cuBLAS on a Jetson Nano are 1.3 to 2.0 GB.
const BUILD_MEMORY_BYTES: u64 = 1_500_000_000;

/// Memory of the machine below which no engine can be built, whatever else runs: the Jetson Nano with 2 GB.
const SMALL_BOARD_BYTES: u64 = 2_500_000_000;

/// Memory of the machine from which swap is not missed.
const ENOUGH_MEMORY_BYTES: u64 = 6 << 30;

pub(super) fn identity(facts: &Facts) -> Vec<Finding> {
    let model = facts.board.model.as_deref().unwrap_or("an unnamed machine");
    let finding = match facts.board.l4t.as_deref() {
        None => Finding::good("board", format!("{model}, no Jetson system (L4T): the CPU does the work")),
        Some(l4t) if l4t.starts_with(L4T_MADE_FOR) => {
            Finding::good("board", format!("{model}, L4T {l4t} (JetPack 4.6)"))
        }
        Some(l4t) => Finding::warning(
            "board",
            format!("{model}, L4T {l4t}: sightd's package is made for L4T {L4T_MADE_FOR} (JetPack 4.6.1 and newer)"),
            "update with NVIDIA's over-the-air packages to 4.6.x, or write its SD card image anew",
        ),
    };
    vec![finding]
}

pub(super) fn power_mode(facts: &Facts) -> Vec<Finding> {
    const CHECK: &str = "power mode";
    let Some(mode) = facts.board.power_mode else { return Vec::new() };
    vec![match mode {
        PowerMode::Maxn => Finding::good(CHECK, "MAXN (10 W): all four cores, GPU up to 921.6 MHz"),
        PowerMode::FiveWatt => Finding::warning(
            CHECK,
            "5 W: two cores, and a GPU at 640 instead of 921.6 MHz",
            "sudo nvpmodel -m 0 (needs a supply for 10 W), then sudo jetson_clocks if clocks should stay high",
        ),
        PowerMode::Custom => Finding::warning(
            CHECK,
            "neither MAXN nor 5 W: some cores are off or the GPU's clock is limited",
            "sudo nvpmodel -m 0 for full speed",
        ),
    }]
}

pub(super) fn heat(facts: &Facts) -> Vec<Finding> {
    const CHECK: &str = "heat";
    let Some((zone, margin)) = facts.board.least_margin() else { return Vec::new() };
    let reading =
        format!("{} is at {:.1} °C, {margin:.1} °C below the point where clocks are lowered", zone.name, zone.celsius);
    vec![if facts.board.notes.contains(&BoardNote::Throttled) {
        Finding::error(
            CHECK,
            format!("the board throttles: {} is at {:.1} °C", zone.name, zone.celsius),
            "fit a 40 mm fan to the heat sink, give the case air, or set board.govern = true",
        )
    } else if margin < WARM_MARGIN_CELSIUS {
        Finding::warning(CHECK, reading, "fit a fan, or set board.govern = true to lower the frame rate in time")
    } else {
        Finding::good(CHECK, reading)
    }]
}

pub(super) fn supply(facts: &Facts) -> Vec<Finding> {
    const CHECK: &str = "supply";
    let Some(volts) = facts.board.power.as_ref().and_then(|power| power.volts) else { return Vec::new() };
    vec![if volts < MIN_VOLTS {
        Finding::error(
            CHECK,
            format!("{volts:.2} V at the input: the board needs {MIN_VOLTS:.2} V and resets without warning below"),
            "use a 5 V 4 A supply on the barrel jack, with jumper J48 set",
        )
    } else {
        Finding::good(CHECK, format!("{volts:.2} V at the input"))
    }]
}

pub(super) fn memory(facts: &Facts) -> Vec<Finding> {
    const CHECK: &str = "memory";
    let Some(memory) = &facts.board.memory else { return Vec::new() };
    let mib = |bytes: u64| bytes >> 20;
    let mut findings = Vec::new();
    if memory.available_bytes < BUILD_MEMORY_BYTES && builds_engines(facts) {
        let fix = if memory.total_bytes < SMALL_BOARD_BYTES {
            "set runtime.providers = [\"cpu\"]: this board has too little memory for TensorRT"
        } else {
            "stop other programs; without a desktop (sudo systemctl set-default multi-user.target, reboot) 1 GB more is \
             available"
        };
        findings.push(Finding::warning(
            CHECK,
            format!(
                "{} MiB are available: building an engine with TensorRT needs {} MiB",
                mib(memory.available_bytes),
                mib(BUILD_MEMORY_BYTES)
            ),
            fix,
        ));
    }
    if memory.swap_total_bytes == 0 && memory.total_bytes < ENOUGH_MEMORY_BYTES {
        findings.push(Finding::warning(
            CHECK,
            "there is no swap: the system ends programs when memory runs short",
            "sudo systemctl enable --now nvzramconfig, or add a swap file",
        ));
    }
    if findings.is_empty() {
        findings.push(Finding::good(
            CHECK,
            format!("{} of {} MiB are available", mib(memory.available_bytes), mib(memory.total_bytes)),
        ));
    }
    findings
}

/// Whether an engine has yet to be built: TensorRT is there, and no build has ended.
fn builds_engines(facts: &Facts) -> bool {
    let is_there = |provider: &ProviderFact| provider.name == "tensorrt" && provider.missing.is_none();
    facts.runtime.as_ref().is_ok_and(|runtime| runtime.providers.iter().any(is_there))
        && facts.engines.iter().all(|engine| engine.built.is_none())
}
