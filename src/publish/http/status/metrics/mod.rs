//! GET /metrics: everything that is counted and measured, in Prometheus' text format.
//!
//! Names are Prometheus' own kind: base units, `_total` for what only grows, `sightd_` before all but the metrics of
//! the process, which every exporter calls alike. Labels never hold what grows without bound.

mod machine;
mod page;

use crate::publish::http::{
    server::{error::ApiError, http_metrics::HttpMetrics, limits::Limits},
    shared::Shared,
};
use crate::{
    camera::CameraState,
    channels::latest_frames::FramesHandle,
    state::{CameraFeed, DaemonState},
};
use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use detector::status::{EnginePhase, ProviderState};
use jiff::Timestamp;
use page::{Page, Sample, one};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, prometheus_text},
    registry::Registry,
};
use std::{fmt, sync::Arc};

/// What `/metrics` shows, gathered anew at each request.
pub(crate) fn registry(
    state: Arc<DaemonState>,
    frames_handle: Option<FramesHandle>,
    http_metrics: &HttpMetrics,
    limits: &Limits,
) -> Registry {
    let mut registry = Registry::default();
    let ours = registry.sub_registry_with_prefix("sightd");
    state.metrics.register(ours);
    http_metrics.register(ours);
    limits.register(ours);
    ours.register_collector(Box::new(Readings { state: state.clone(), frames_handle }));
    registry.register_collector(Box::new(ProcessReadings { state, started: Timestamp::now() }));
    registry
}

/// Everything that is counted and measured, in Prometheus' text format.
#[utoipa::path(get, path = "/metrics", tag = "status",
    responses((status = 200, description = "The metrics", body = String, content_type = "text/plain")))]
pub(crate) async fn metrics(State(shared): State<Arc<Shared>>) -> Result<Response, ApiError> {
    let mut text = String::new();
    prometheus_text::encode(&mut text, &shared.metrics).map_err(|_| ApiError::Internal)?;
    Ok(([(header::CONTENT_TYPE, prometheus_text::CONTENT_TYPE)], text).into_response())
}

/// What is known of cameras, engine, clients and board right now.
#[derive(Debug)]
struct Readings {
    state: Arc<DaemonState>,
    frames_handle: Option<FramesHandle>,
}

/// What the process takes.
#[derive(Debug)]
struct ProcessReadings {
    state: Arc<DaemonState>,
    started: Timestamp,
}

impl Collector for Readings {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut page = Page(encoder);
        self.cameras(&mut page)?;
        self.engine(&mut page)?;
        page.gauge(
            "stream_clients",
            "Subscribers of /ws and /detections/stream",
            one(self.state.scenes.subscribers() as f64),
        )?;
        if let Some(limit) = *self.state.status.limit_fps.borrow() {
            page.gauge("limit_fps", "Frames per second that the governor allows", one(limit))?;
        }
        let board = self.state.status.board.borrow().clone();
        board.map_or(Ok(()), |board| machine::board(&mut page, &board))
    }
}

impl Readings {
    fn cameras(&self, page: &mut Page<'_>) -> fmt::Result {
        let feeds = self.state.cameras.all();
        let of_each = |value: &dyn Fn(&CameraFeed) -> f64| -> Vec<Sample> {
            feeds.iter().map(|feed| (vec![("camera", feed.name.to_string())], value(feed))).collect()
        };
        let running = |feed: &CameraFeed| feed.status.borrow().state == CameraState::Running;
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
        let recoveries = of_each(&|feed| feed.status.borrow().recoveries as f64);
        page.counter("camera_recoveries", "Returns of a camera after a fault", recoveries)?;
        let viewers = of_each(&|feed| feed.pictures.viewers() as f64);
        page.gauge("live_viewers", "Viewers of live pictures", viewers)?;
        let viewers = of_each(&|feed| feed.video.viewers() as f64);
        page.gauge("video_viewers", "Viewers of live video", viewers)?;
        page.counter("frames_dropped", "Frames that arrived and were not processed", self.dropped(&feeds))
    }

    fn dropped(&self, feeds: &[Arc<CameraFeed>]) -> Vec<Sample> {
        let sample = |feed: &CameraFeed, reason: &str, count: u64| {
            (vec![("camera", feed.name.to_string()), ("reason", reason.to_owned())], count as f64)
        };
        let failed = feeds.iter().map(|feed| sample(feed, "network_failed", self.state.metrics.failures(&feed.name)));
        let frames_handle = self.frames_handle.iter();
        let busy = frames_handle.flat_map(|frames_handle| {
            feeds.iter().map(|feed| sample(feed, "engine_busy", frames_handle.dropped(&feed.name)))
        });
        let corrupt = feeds.iter().map(|feed| sample(feed, "corrupt", feed.status.borrow().corrupt));
        failed.chain(busy).chain(corrupt).collect()
    }

    fn engine(&self, page: &mut Page<'_>) -> fmt::Result {
        let version = vec![("version", env!("CARGO_PKG_VERSION").to_owned())];
        page.gauge("build_info", "The program", vec![(version, 1.0)])?;
        let phase = match *self.state.status.phase.borrow() {
            EnginePhase::LoadingRuntime => "loading_runtime",
            EnginePhase::Building { .. } => "building",
            EnginePhase::WarmingUp => "warming_up",
            EnginePhase::Ready => "ready",
            EnginePhase::Failed { .. } => "failed",
        };
        page.gauge("engine_phase", "How far the engine is", vec![(vec![("phase", phase.to_owned())], 1.0)])?;
        let engine = self.state.status.engine.borrow().clone();
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
        let mut page = Page(encoder);
        let started = self.started.as_duration().as_secs_f64();
        page.gauge("process_start_time_seconds", "When the process started, in Unix time", one(started))?;
        let board = self.state.status.board.borrow().clone();
        let process = board.as_ref().and_then(|board| board.process.as_ref());
        process.map_or(Ok(()), |process| machine::process(&mut page, process))
    }
}
