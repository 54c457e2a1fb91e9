//! How the daemon is: model and engine, liveness, readiness, version.

use super::Shared;
use crate::{camera::CameraState, state::CameraFeed};
use axum::{Json, extract::State, http::StatusCode};
use detector::status::{EngineInfo, EnginePhase, ProviderStatus, SubstituteFor};
use jiff::Timestamp;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// How far the engine is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Phase)]
pub(super) struct PhaseDto {
    /// Its name.
    name: PhaseName,
    /// Seconds since the phase began, where that is known.
    elapsed_s: Option<f64>,
    /// How long the phase usually takes on this machine, in seconds, where that is known.
    usual_s: Option<f64>,
    /// Why the engine failed.
    reason: Option<String>,
}

/// A phase of the engine's start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum PhaseName {
    LoadingRuntime,
    Building,
    WarmingUp,
    Ready,
    Failed,
}

impl From<&EnginePhase> for PhaseDto {
    fn from(phase: &EnginePhase) -> Self {
        let plain = |name| Self { name, elapsed_s: None, usual_s: None, reason: None };
        match phase {
            EnginePhase::LoadingRuntime => plain(PhaseName::LoadingRuntime),
            EnginePhase::Building { since, usual } => Self {
                elapsed_s: Some(round(since.elapsed().as_secs_f64())),
                usual_s: usual.map(|usual| round(usual.as_secs_f64())),
                ..plain(PhaseName::Building)
            },
            EnginePhase::WarmingUp => plain(PhaseName::WarmingUp),
            EnginePhase::Ready => plain(PhaseName::Ready),
            EnginePhase::Failed { reason } => Self { reason: Some(reason.clone()), ..plain(PhaseName::Failed) },
        }
    }
}

/// Seconds to the millisecond.
fn round(seconds: f64) -> f64 {
    (seconds * 1e3).round() / 1e3
}

/// The engine and what it runs on.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Engine)]
pub(super) struct EngineDto {
    /// The model's name.
    model: String,
    /// SHA-256 of the ONNX file.
    model_sha256: String,
    /// The licence of the weights, where the model says it.
    licence: Option<String>,
    /// Where the weights come from, where the model says it.
    source: Option<String>,
    /// The network that was asked for, when this one runs in its permit, and how it differs.
    stands_in_for: Option<SubstituteFor>,
    /// ONNX Runtime's version.
    runtime_version: String,
    /// The version of its C API that is in use.
    runtime_api: u32,
    /// The library's file name.
    library: String,
    /// The provider most of the graph is meant to run on.
    provider: String,
    /// Every provider that was asked for, in order, and what became of it.
    providers: Vec<ProviderStatus>,
}

impl From<&EngineInfo> for EngineDto {
    fn from(info: &EngineInfo) -> Self {
        Self {
            model: info.model.to_string(),
            model_sha256: info.model_sha256.clone(),
            licence: info.licence.clone(),
            source: info.source.clone(),
            stands_in_for: info.stands_in_for.clone(),
            runtime_version: info.runtime_version.clone(),
            runtime_api: info.runtime_api,
            library: info.library.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            provider: info.active_provider().to_owned(),
            providers: info.providers.clone(),
        }
    }
}

/// The model that serves.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Model {
    /// How far the engine is.
    phase: PhaseDto,
    /// The engine, once there is one.
    engine: Option<EngineDto>,
}

/// The model, its engine, and the providers with the reason why each serves or not.
#[utoipa::path(get, path = "/model", tag = "status",
    responses((status = 200, description = "The model", body = inline(Model))))]
pub(super) async fn model(State(shared): State<Arc<Shared>>) -> Json<Model> {
    let phase = PhaseDto::from(&*shared.state.status.phase.borrow());
    let engine = shared.state.status.engine.borrow().as_deref().map(EngineDto::from);
    Json(Model { phase, engine })
}

/// The process lives.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Health {
    /// Always `ok`.
    status: &'static str,
    /// The daemon's wall time, RFC 3339: clients compare it with their own clock.
    #[schema(value_type = String, format = DateTime)]
    now: Timestamp,
    /// Seconds since the HTTP server was built.
    uptime_s: f64,
}

/// Whether the process lives. Says nothing of cameras and detections; see `/readyz`.
#[utoipa::path(get, path = "/healthz", tag = "status",
    responses((status = 200, description = "It lives", body = inline(Health))))]
pub(super) async fn health(State(shared): State<Arc<Shared>>) -> Json<Health> {
    Json(Health { status: "ok", now: Timestamp::now(), uptime_s: round(shared.started.elapsed().as_secs_f64()) })
}

/// Whether detections are served.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Readiness {
    /// True when the engine serves and at least one camera runs and has given a scene, or no camera is configured.
    ready: bool,
    /// How far the engine is.
    phase: PhaseDto,
    /// Enabled cameras that do not give scenes now, with the reason.
    cameras_waiting: Vec<WaitingCamera>,
    /// Seconds since the HTTP server was built.
    uptime_s: f64,
}

/// A camera that gives no scenes.
#[derive(Debug, Serialize, ToSchema)]
struct WaitingCamera {
    /// Its name.
    name: String,
    /// Where it is in its life.
    state: CameraState,
    /// The last fault in words.
    last_error: Option<String>,
}

/// Whether detections are served, and what is waited for.
#[utoipa::path(get, path = "/readyz", tag = "status",
    responses(
        (status = 200, description = "Detections are served", body = inline(Readiness)),
        (status = 503, description = "Not yet, or not now", body = inline(Readiness)),
    ))]
pub(super) async fn readiness(State(shared): State<Arc<Shared>>) -> (StatusCode, Json<Readiness>) {
    let phase = PhaseDto::from(&*shared.state.status.phase.borrow());
    let feeds = shared.state.cameras.all();
    let (serving, idle): (Vec<_>, Vec<_>) = feeds
        .iter()
        .filter(|feed| feed.status.borrow().state != CameraState::Disabled)
        .partition(|feed| gives_scenes(feed));
    let cameras_waiting: Vec<_> = idle
        .iter()
        .map(|feed| {
            let status = feed.status.borrow();
            let last_error = status.last_error.clone();
            WaitingCamera { name: feed.name.to_string(), state: status.state, last_error }
        })
        .collect();
    let ready = phase.name == PhaseName::Ready && (cameras_waiting.is_empty() || !serving.is_empty());
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(Readiness { ready, phase, cameras_waiting, uptime_s: round(shared.started.elapsed().as_secs_f64()) }))
}

fn gives_scenes(feed: &CameraFeed) -> bool {
    feed.status.borrow().state == CameraState::Running && feed.scene.borrow().is_some()
}

/// What runs here.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Version {
    /// The program's name.
    name: &'static str,
    /// Its version.
    version: &'static str,
}

/// The program's version.
#[utoipa::path(get, path = "/version", tag = "status",
    responses((status = 200, description = "The version", body = inline(Version))))]
pub(super) async fn version() -> Json<Version> {
    Json(Version { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION") })
}
