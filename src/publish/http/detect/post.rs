//! POST /detect: a picture in, detections out.

use crate::publish::http::{
    compat::doods::{self, DoodsAnswer, DoodsRequest},
    description::File,
    detect::picture::{self, LARGEST_PICTURE},
    detections::select::Labels,
    server::{
        error::ApiError,
        extract::{Params, UPLOAD_TIMEOUT},
        listener::Peer,
    },
    shared::Shared,
};
use crate::{
    channels::still::DetectResult,
    publish::wire::{DetectionDto, millis},
};
use axum::{
    Json,
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use detector::{detection::Detection, fraction::Fraction, geometry::Size};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

/// What counts as a detection.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct Query {
    /// The score a detection must exceed, for every class that the configuration does not switch off; without it what
    /// `[detection]` says.
    #[param(value_type = Option<f32>, minimum = 0, maximum = 1)]
    min_score: Option<Fraction>,
    /// Only detections with these labels; several labels with commas between them.
    #[param(value_type = Option<String>, example = "person,dog")]
    label: Option<Labels>,
}

/// What was seen on a picture.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Look)]
pub(crate) struct DetectDto<'a> {
    /// Size of the picture in pixels, turned as its EXIF orientation says.
    frame: Size,
    /// Milliseconds spent in each stage.
    timings_ms: DetectTimings,
    /// The execution provider.
    provider: &'a str,
    /// The model's name.
    model: &'a str,
    /// What was found, by falling score.
    detections: Vec<DetectionDto<'a>>,
}

/// The answer: ours, or DOODS2's to a JSON body.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "only describes the answers")]
enum DetectAnswer<'a> {
    Ours(DetectDto<'a>),
    Doods(DoodsAnswer),
}

/// Where the time went, in milliseconds.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LookTimings)]
struct DetectTimings {
    /// Decoding the picture.
    picture: f64,
    /// Waiting for the engine to be free.
    wait: f64,
    /// Filling the input tensor.
    preprocess: f64,
    /// The network.
    infer: f64,
    /// Decoding its output, and non-maximum suppression.
    decode: f64,
}

impl<'a> DetectDto<'a> {
    fn new(seen: &'a DetectResult, wanted: impl Fn(&Detection) -> bool) -> Self {
        Self {
            frame: seen.size,
            timings_ms: DetectTimings {
                picture: millis(seen.decoding),
                wait: millis(seen.timings.wait),
                preprocess: millis(seen.timings.stages.preprocess),
                infer: millis(seen.timings.stages.infer),
                decode: millis(seen.timings.stages.decode),
            },
            provider: &seen.provider,
            model: &seen.model,
            detections: seen.detections.iter().filter(|detection| wanted(detection)).map(DetectionDto::from).collect(),
        }
    }
}

/// Detects in a picture.
///
/// The body is the JPEG or PNG file itself, of at most 10 MiB and 25 million pixels. Pictures wait in a bounded queue,
/// callers and cameras taking turns; when it is full the answer is 503 and says when to try again.
///
/// A JSON body is a request of DOODS2, and is answered as DOODS2 does.
#[utoipa::path(post, path = "/detect", tag = "detections", params(Query),
    request_body(description = "The picture", content(
        (inline(File) = "image/jpeg"), (inline(File) = "image/png"), (inline(File) = "application/octet-stream"),
        (DoodsRequest = "application/json"))),
    responses(
        (status = 200, description = "What was seen", body = DetectAnswer<'static>),
        (status = 400, description = "A parameter does not fit"),
        (status = 408, description = "The picture came too slowly"),
        (status = 413, description = "The picture is too large"),
        (status = 415, description = "Neither JPEG nor PNG"),
        (status = 422, description = "The picture is damaged"),
        (status = 503, description = "The queue is full or the engine not ready; see Retry-After"),
    ))]
pub(crate) async fn detect(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(Peer(peer)): ConnectInfo<Peer>,
    Params(Query { min_score, label }): Params<Query>,
    request: Request,
) -> Result<Response, ApiError> {
    if kind(request.headers()).starts_with("application/json") {
        return Ok(doods::detect(&shared, peer, request.into_body()).await.into_response());
    }
    label.as_ref().map_or(Ok(()), |labels| labels.check(&shared.state))?;
    check_type(request.headers())?;
    let permit = picture::acquire_permit(&shared, peer)?;
    let body = picture::read(&shared.limits, request.into_body(), LARGEST_PICTURE, UPLOAD_TIMEOUT).await?;
    let seen = picture::detect(permit, body.bytes.clone(), min_score).await?;
    let wanted = |detection: &Detection| label.as_ref().is_none_or(|labels| labels.contain(&detection.label));
    Ok(Json(DetectDto::new(&seen, wanted)).into_response())
}

/// What the body is said to be; empty where nothing is said.
fn kind(headers: &HeaderMap) -> &str {
    headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default()
}

/// Refuses bodies that say they are something else than a picture.
fn check_type(headers: &HeaderMap) -> Result<(), ApiError> {
    let kind = kind(headers);
    if kind.is_empty() || kind.starts_with("image/") || kind.starts_with("application/octet-stream") {
        return Ok(());
    }
    Err(ApiError::UnsupportedType(format!(
        "the body is said to be {kind:?}: send the JPEG or PNG file itself as image/jpeg or image/png, at most \
         {LARGEST_PICTURE} bytes"
    )))
}
