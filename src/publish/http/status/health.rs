//! GET /healthz, /readyz and /version: whether the daemon lives, whether it serves, which one it is.

use crate::{
    camera::CameraState,
    publish::http::{
        shared::Shared,
        status::model::{PhaseDto, PhaseName, round},
    },
    state::CameraFeed,
};
use axum::{Json, extract::State, http::StatusCode};
use jiff::Timestamp;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// The process lives.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Health {
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
pub(crate) async fn health(State(shared): State<Arc<Shared>>) -> Json<Health> {
    Json(Health { status: "ok", now: Timestamp::now(), uptime_s: round(shared.started.elapsed().as_secs_f64()) })
}

/// Whether detections are served.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Readiness {
    /// True when the engine serves and at least one camera runs and has given a scene, or no camera is configured.
    ready: bool,
    /// How far the engine is.
    phase: PhaseDto,
    /// Enabled cameras that do not give scenes now, with their states.
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
}

/// Whether detections are served, and what is waited for. Says states only, since it answers without a token; /model and
/// /cameras say why.
#[utoipa::path(get, path = "/readyz", tag = "status",
    responses(
        (status = 200, description = "Detections are served", body = inline(Readiness)),
        (status = 503, description = "Not yet, or not now", body = inline(Readiness)),
    ))]
pub(crate) async fn readiness(State(shared): State<Arc<Shared>>) -> (StatusCode, Json<Readiness>) {
    let phase = PhaseDto::from(&*shared.state.status.phase.borrow()).without_reason();
    let feeds = shared.state.cameras.all();
    let (serving, idle): (Vec<_>, Vec<_>) = feeds
        .iter()
        .filter(|feed| feed.status.borrow().state != CameraState::Disabled)
        .partition(|feed| gives_scenes(feed));
    let cameras_waiting: Vec<_> = idle
        .iter()
        .map(|feed| {
            let status = feed.status.borrow();
            WaitingCamera { name: feed.name.to_string(), state: status.state }
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
pub(crate) struct Version {
    /// The program's name.
    name: &'static str,
    /// Its version.
    version: &'static str,
}

/// The program's version.
#[utoipa::path(get, path = "/version", tag = "status",
    responses((status = 200, description = "The version", body = inline(Version))))]
pub(crate) async fn version() -> Json<Version> {
    Json(Version { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION") })
}
