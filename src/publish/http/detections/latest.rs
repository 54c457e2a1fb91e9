//! GET /detections: the latest scenes, with a long poll.

use crate::publish::http::{
    detections::select::{Selection, StreamQuery},
    server::{error::ApiError, extract::Params},
    shared::Shared,
};
use crate::{publish::wire, state::PublishedScene};
use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use utoipa::{IntoParams, ToSchema};

/// The longest a poll may wait.
const LONGEST_WAIT_MS: u64 = 60_000;

/// What to look up, and how long to wait for it.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct Query {
    /// Only scenes of these cameras; several names with commas between them.
    #[param(example = "front")]
    camera: Option<String>,
    /// Only detections with these labels; several labels with commas between them.
    #[param(example = "person,dog")]
    label: Option<String>,
    /// Only detections whose score is at least this.
    #[param(minimum = 0, maximum = 1)]
    min_score: Option<f32>,
    /// Only a scene other than the one with this sequence number, the last that the client has. Numbers grow until the
    /// daemon restarts, and begin anew then: a number above the current one is answered at once. Needs exactly one
    /// `camera`, since every camera counts for itself.
    since_seq: Option<u64>,
    /// Waits up to this many milliseconds for such a scene; without it the answer comes at once.
    #[param(maximum = 60_000)]
    wait_ms: Option<u64>,
}

/// The latest scene of every camera that was asked for.
#[derive(Serialize, ToSchema)]
pub(crate) struct Scenes<'a> {
    /// By camera name; cameras without a (new) scene are not in it.
    scenes: Vec<wire::SceneDto<'a>>,
}

/// The latest detections.
///
/// Answers at once with the latest scene of every camera. With `wait_ms` it waits until there is one, newer than
/// `since_seq` if that is given; when the time is over the list is empty.
#[utoipa::path(get, path = "/detections", tag = "detections", params(Query),
    responses(
        (status = 200, description = "The latest scenes", body = inline(Scenes<'static>)),
        (status = 400, description = "A parameter does not fit"),
        (status = 404, description = "No such camera"),
    ))]
pub(crate) async fn detections(
    State(shared): State<Arc<Shared>>,
    Params(query): Params<Query>,
) -> Result<Response, ApiError> {
    let Query { camera, label, min_score, since_seq, wait_ms } = query;
    let selection = Selection::new(StreamQuery { camera, label, min_score }, &shared.state)?;
    if since_seq.is_some() && selection.only_camera().is_none() {
        return Err(ApiError::BadRequest(
            "since_seq needs exactly one camera, since every camera counts for itself: add camera=NAME".into(),
        ));
    }
    let wait_ms = wait_ms.unwrap_or(0);
    if wait_ms > LONGEST_WAIT_MS {
        return Err(ApiError::BadRequest(format!("wait_ms={wait_ms}: at most {LONGEST_WAIT_MS}")));
    }
    let found = wait(&shared, &selection, since_seq, Duration::from_millis(wait_ms)).await;
    let now = Instant::now();
    let scenes = found.iter().map(|published| selection.scene(&published.scene, now)).collect();
    Ok(Json(Scenes { scenes }).into_response())
}

async fn wait(
    shared: &Shared,
    selection: &Selection,
    since_seq: Option<u64>,
    timeout: Duration,
) -> Vec<Arc<PublishedScene>> {
    let deadline = tokio::time::sleep(timeout);
    tokio::pin!(deadline);
    let mut news = shared.state.scenes.subscribe(); // before the first look, so that nothing falls between
    loop {
        let found = latest(shared, selection, since_seq);
        if !found.is_empty() || timeout.is_zero() {
            return found;
        }
        // A lagging receiver does no harm: the latest scenes are read again.
        tokio::select! {
            _ = news.recv() => {}
            () = &mut deadline => return found,
            () = shared.stop.cancelled() => return found,
        }
    }
}

/// The latest scenes. A client holds `since_seq` or an older one; a higher number is from before a restart, and the
/// scenes that have come since are news to it.
fn latest(shared: &Shared, selection: &Selection, since_seq: Option<u64>) -> Vec<Arc<PublishedScene>> {
    let cameras = shared.state.cameras.all().into_iter().filter(|feed| selection.wants_camera(&feed.name));
    cameras
        .filter_map(|feed| feed.scene.borrow().clone())
        .filter(|published| since_seq.is_none_or(|since| published.scene.stamp.seq != since))
        .collect()
}
