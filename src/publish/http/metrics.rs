//! GET /metrics: everything that is counted and measured, in Prometheus' text format.
//!
//! Names are Prometheus' own kind: base units, `_total` for what only grows, `sightd_` before all but the metrics of
//! the process, which every exporter calls alike. Labels never hold what grows without bound.

use super::{Shared, error::ApiError};
use crate::{
    board::{BoardNote, BoardStatus, PowerMode},
    mailbox::Desk,
    publish::bus::{Bus, CameraFeed},
    status::{EnginePhase, ProviderState},
};
use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric, prometheus_text},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
    registry::Registry,
};
use std::{fmt, sync::Arc};

/// What `/metrics` shows, gathered anew at each request.
pub(super) fn registry(bus: Arc<Bus>, desk: Option<Desk>) -> Registry {
    let mut registry = Registry::default();
    let ours = registry.sub_registry_with_prefix("sightd");
    bus.counts.register(ours);
    ours.register_collector(Box::new(Readings { bus: bus.clone(), desk }));
    registry.register_collector(Box::new(ProcessReadings { bus }));
    registry
}

/// Everything that is counted and measured, in Prometheus' text format.
#[utoipa::path(get, path = "/metrics", tag = "status",
    responses((status = 200, description = "The metrics", body = String, content_type = "text/plain")))]
pub(super) async fn metrics(State(shared): State<Arc<Shared>>) -> Result<Response, ApiError> {
    let mut text = String::new();
    prometheus_text::encode(&mut text, &shared.metrics).map_err(|_| ApiError::Internal)?;
    Ok(([(header::CONTENT_TYPE, prometheus_text::CONTENT_TYPE)], text).into_response())
}

/// What is known of cameras, engine, clients and board right now.
#[derive(Debug)]
struct Readings {
    bus: Arc<Bus>,
    desk: Option<Desk>,
}

/// What the process takes.
#[derive(Debug)]
struct ProcessReadings {
    bus: Arc<Bus>,
}

impl Collector for Readings {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut page = Page(encoder);
        self.cameras(&mut page)?;
        self.engine(&mut page)?;
        page.gauge("stream_clients", "Subscribers of /ws and /detections/stream", one(self.bus.subscribers() as f64))?;
        if let Some(limit) = *self.bus.limit_fps.borrow() {
            page.gauge("limit_fps", "Frames per second that the governor allows", one(limit))?;
        }
        let board = self.bus.board.borrow().clone();
        board.map_or(Ok(()), |board| self::board(&mut page, &board))
    }
}

impl Readings {
    fn cameras(&self, page: &mut Page<'_>) -> fmt::Result {
        let feeds = self.bus.cameras();
        let of_each = |value: &dyn Fn(&CameraFeed) -> f64| -> Vec<Sample> {
            feeds.iter().map(|feed| (vec![("camera", feed.name.to_string())], value(feed))).collect()
        };
        let running = |feed: &CameraFeed| feed.status.borrow().state == crate::camera::CameraState::Running;
        page.gauge("camera_up", "Whether frames come", of_each(&|feed| f64::from(u8::from(running(feed)))))?;
        let states = feeds.iter().map(|feed| {
            let state = feed.status.borrow().state.to_string();
            (vec![("camera", feed.name.to_string()), ("state", state)], 1.0)
        });
        page.gauge("camera_state", "The state a camera is in", states.collect())?;
        let fps = of_each(&|feed| feed.status.borrow().fps.into());
        page.gauge("camera_fps", "Frames per second, as captured", fps)?;
        let frames = of_each(&|feed| feed.status.borrow().frames as f64);
        page.counter("frames_captured", "Frames captured", frames)?;
        let restarts = of_each(&|feed| feed.status.borrow().restarts as f64);
        page.counter("camera_restarts", "Pipelines built anew after a fault", restarts)?;
        let viewers = of_each(&|feed| feed.pictures.viewers() as f64);
        page.gauge("live_viewers", "Viewers of live pictures", viewers)?;
        let viewers = of_each(&|feed| feed.video.viewers() as f64);
        page.gauge("video_viewers", "Viewers of live video", viewers)?;
        let Some(desk) = &self.desk else { return Ok(()) };
        let dropped = feeds.iter().map(|feed| {
            let labels = vec![("camera", feed.name.to_string()), ("reason", "engine_busy".to_owned())];
            (labels, desk.dropped(&feed.name) as f64)
        });
        page.counter("frames_dropped", "Frames replaced by a newer one before they were processed", dropped.collect())
    }

    fn engine(&self, page: &mut Page<'_>) -> fmt::Result {
        let version = vec![("version", env!("CARGO_PKG_VERSION").to_owned())];
        page.gauge("build_info", "The program", vec![(version, 1.0)])?;
        let phase = match *self.bus.phase.borrow() {
            EnginePhase::LoadingRuntime => "loading_runtime",
            EnginePhase::Building { .. } => "building",
            EnginePhase::WarmingUp => "warming_up",
            EnginePhase::Ready => "ready",
            EnginePhase::Failed { .. } => "failed",
        };
        page.gauge("engine_phase", "How far the engine is", vec![(vec![("phase", phase.to_owned())], 1.0)])?;
        let engine = self.bus.engine.borrow().clone();
        let Some(engine) = engine else { return Ok(()) };
        let model = vec![
            ("model", engine.model.to_string()),
            ("sha256", engine.model_sha256.clone()),
            ("runtime", engine.runtime_version.clone()),
        ];
        page.gauge("model_info", "The model that serves", vec![(model, 1.0)])?;
        let providers = engine.providers.iter().map(|provider| {
            let active = provider.state == ProviderState::Active;
            (vec![("provider", provider.name.clone())], f64::from(u8::from(active)))
        });
        page.gauge("execution_provider_info", "1 for a provider that runs part of the model", providers.collect())
    }
}

impl Collector for ProcessReadings {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let board = self.bus.board.borrow().clone();
        let Some(process) = board.as_ref().and_then(|board| board.process.as_ref()) else { return Ok(()) };
        let mut page = Page(encoder);
        page.counter("process_cpu_seconds", "Processor time", one(process.cpu_s))?;
        page.gauge("process_resident_memory_bytes", "Main memory", one(process.resident_bytes as f64))?;
        page.gauge("process_threads", "Threads", one(process.threads))?;
        page.gauge("process_open_fds", "Open files", one(process.open_files))
    }
}

/// What the machine says of itself; what it does not have is left out.
fn board(page: &mut Page<'_>, board: &BoardStatus) -> fmt::Result {
    let word = |value: &Option<String>| value.clone().unwrap_or_default();
    let mode = match board.power_mode {
        Some(PowerMode::Maxn) => "maxn",
        Some(PowerMode::FiveWatt) => "five_watt",
        Some(PowerMode::Custom) => "custom",
        None => "",
    };
    let about = vec![("model", word(&board.model)), ("l4t", word(&board.l4t)), ("power_mode", mode.to_owned())];
    page.gauge("board_info", "The machine", vec![(about, 1.0)])?;
    let zones = board.thermal_zones.iter().map(|zone| (vec![("zone", zone.name.clone())], thousandths(zone.celsius)));
    page.gauge("temperature_celsius", "Temperature sensors", zones.collect())?;
    for (name, help, note) in [
        ("throttled", "Whether clocks are lowered because of heat", BoardNote::Throttled),
        ("brown_out", "Whether the supply's voltage is too low", BoardNote::BrownOut),
        ("rate_lowered", "Whether the governor holds the frame rate down", BoardNote::RateLowered),
    ] {
        page.gauge(name, help, one(u8::from(board.notes.contains(&note))))?;
    }
    let power = board.power.as_ref();
    // The rail is the board's whole input: NVIDIA's name for it is POM_5V_IN.
    let rail = |value: Option<f32>| value.map(|value| (vec![("rail", "POM_5V_IN".to_owned())], thousandths(value)));
    let (watts, volts) = (power.and_then(|power| power.watts), power.and_then(|power| power.volts));
    page.gauge("power_watts", "Power drawn from the supply", rail(watts).into_iter().collect())?;
    page.gauge("supply_volts", "Voltage of the supply", rail(volts).into_iter().collect())?;
    let gpu = board.gpu.as_ref();
    page.gauge("gpu_load_ratio", "Load of the GPU", maybe(gpu.and_then(|gpu| gpu.load).map(thousandths)))?;
    let clock = gpu.and_then(|gpu| gpu.clock_hz).map(|hertz| hertz as f64);
    page.gauge("gpu_clock_hertz", "Clock of the GPU", maybe(clock))?;
    let duty = board.fan.as_ref().map(|fan| thousandths(fan.duty));
    page.gauge("fan_duty_ratio", "What the fan is driven with", maybe(duty))?;
    let memory = board.memory.as_ref();
    let available = memory.map(|memory| memory.available_bytes as f64);
    page.gauge("memory_available_bytes", "Main memory that programs can still have", maybe(available))?;
    page.gauge("memory_total_bytes", "Main memory", maybe(memory.map(|memory| memory.total_bytes as f64)))?;
    let disk = board.disk.as_ref();
    let available = disk.map(|disk| disk.available_bytes as f64);
    page.gauge("disk_available_bytes", "Room on the disk that holds the daemon's data", maybe(available))?;
    page.gauge("disk_total_bytes", "Size of that disk", maybe(disk.map(|disk| disk.total_bytes as f64)))?;
    page.gauge("uptime_seconds", "Time since the machine started", maybe(board.uptime_s))
}

/// The value to three places: more than the sensors give.
fn thousandths(value: f32) -> f64 {
    (f64::from(value) * 1e3).round() / 1e3
}

/// Labels and a value.
type Sample = (Vec<(&'static str, String)>, f64);

/// A value without labels.
fn one(value: impl Into<f64>) -> Vec<Sample> {
    vec![(Vec::new(), value.into())]
}

/// A value without labels, if there is one.
fn maybe(value: Option<impl Into<f64>>) -> Vec<Sample> {
    value.map(one).unwrap_or_default()
}

/// The page that is being written.
struct Page<'a>(DescriptorEncoder<'a>);

impl Page<'_> {
    fn gauge(&mut self, name: &str, help: &str, samples: Vec<Sample>) -> fmt::Result {
        self.family(name, help, MetricType::Gauge, samples, ConstGauge::new)
    }

    /// `name` is written with `_total` behind it.
    fn counter(&mut self, name: &str, help: &str, samples: Vec<Sample>) -> fmt::Result {
        self.family(name, help, MetricType::Counter, samples, ConstCounter::new)
    }

    fn family<M: EncodeMetric>(
        &mut self,
        name: &str,
        help: &str,
        kind: MetricType,
        samples: Vec<Sample>,
        metric: impl Fn(f64) -> M,
    ) -> fmt::Result {
        if samples.is_empty() {
            return Ok(());
        }
        let mut family = self.0.encode_descriptor(name, help, None, kind)?;
        samples.iter().try_for_each(|(labels, value)| metric(*value).encode(family.encode_family(labels)?))
    }
}
