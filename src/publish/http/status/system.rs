//! GET /system: the machine, its heat, power, memory and what they hold back, and the process in it.

use crate::board::BoardStatus;
use crate::publish::http::shared::Shared;
use axum::{Json, extract::State};
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// The machine and the process.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct System {
    /// The latest reading, at most a second old; null in the first moment. What the machine does not have is left out.
    board: Option<BoardStatus>,
    /// The frame rate that the governor allows, all cameras together; null while it allows all.
    limit_fps: Option<f32>,
    /// The program's version.
    version: &'static str,
    /// Seconds since the HTTP server was built.
    uptime_s: f64,
    /// Clients that read every scene as it is published (`/ws`, `/detections/stream`).
    stream_clients: usize,
    /// Scenes that such clients were too slow for, since the start.
    messages_lost: u64,
}

/// The machine's latest reading: temperatures, throttling, clocks, power, memory, disk, what the process takes of them.
#[utoipa::path(get, path = "/system", tag = "status",
    responses((status = 200, description = "The machine", body = inline(System))))]
pub(crate) async fn system(State(shared): State<Arc<Shared>>) -> Json<System> {
    let state = &shared.state;
    Json(System {
        board: state.status.board.borrow().as_deref().cloned(),
        limit_fps: *state.status.limit_fps.borrow(),
        version: env!("CARGO_PKG_VERSION"),
        uptime_s: shared.started.elapsed().as_secs_f64(),
        stream_clients: state.scenes.subscribers(),
        messages_lost: state.metrics.messages_lost.get(),
    })
}
