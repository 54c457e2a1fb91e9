//! The machine: heat, power, memory and what they hold back.

use super::Shared;
use crate::board::BoardStatus;
use axum::{Json, extract::State};
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// The machine.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct System {
    /// Its latest reading, at most a second old; none in the first moment.
    board: Option<BoardStatus>,
    /// The frame rate that the governor allows, all cameras together; none while it allows all.
    limit_fps: Option<f32>,
}

/// The machine's latest reading: temperatures, throttling, clocks, power, memory, disk.
#[utoipa::path(get, path = "/system", tag = "status",
    responses((status = 200, description = "The machine", body = inline(System))))]
pub(super) async fn system(State(shared): State<Arc<Shared>>) -> Json<System> {
    let board = shared.bus.board.borrow().as_deref().cloned();
    Json(System { board, limit_fps: *shared.bus.limit_fps.borrow() })
}
