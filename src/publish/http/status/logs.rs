//! GET /logs: the last lines of the log, for admins.

use crate::channels::log_buffer::{self, LogLevel, LogLine};
use crate::publish::http::{
    access::client::Admin,
    server::{error::ApiError, extract::Params},
    shared::Shared,
};
use axum::{Json, extract::State};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

/// Which lines.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct LogQuery {
    /// Only lines after the one with this number; the answer's `last`, to go on from there.
    since: Option<u64>,
    /// Only lines of at least this level.
    level: Option<LogLevel>,
    /// At most this many, the newest: 1 to 1000, 200 when absent.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
}

/// A line of the log.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LogLine)]
struct LineDto {
    /// Its number, counted from 1 since the start of the process.
    seq: u64,
    /// When it was written, RFC 3339.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// Its level.
    level: LogLevel,
    /// The part of the program that wrote it.
    #[schema(example = "sightd::source::supervisor")]
    target: String,
    /// What it says, its fields behind it as `name=value`.
    message: String,
}

impl From<LogLine> for LineDto {
    fn from(LogLine { seq, at, level, target, message }: LogLine) -> Self {
        Self { seq, at, level, target, message }
    }
}

/// The last lines of the log.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Logs {
    /// Oldest first.
    lines: Vec<LineDto>,
    /// The number of the last line there is, whether it was asked for or not.
    last: u64,
}

/// The last lines of the log, without secrets. The last 1000 since the start of the process are kept.
#[utoipa::path(get, path = "/logs", tag = "admin", params(LogQuery),
    responses(
        (status = 200, description = "The lines", body = inline(Logs)),
        (status = 400, description = "A parameter does not fit"),
        (status = 403, description = "Not an admin"),
    ))]
pub(crate) async fn logs(
    _: Admin,
    State(shared): State<Arc<Shared>>,
    Params(query): Params<LogQuery>,
) -> Result<Json<Logs>, ApiError> {
    let limit = query.limit.unwrap_or(200);
    if !(1..=log_buffer::KEPT).contains(&limit) {
        return Err(ApiError::BadRequest(format!("limit = {limit}: give 1 to {}", log_buffer::KEPT)));
    }
    let last = shared.log_buffer.last();
    let lines = shared.log_buffer.read(query.since.unwrap_or(0), query.level.unwrap_or(LogLevel::Trace), limit);
    Ok(Json(Logs { lines: lines.into_iter().map(LineDto::from).collect(), last }))
}
