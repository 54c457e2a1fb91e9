//! DOODS2: detectors, and detection over HTTP and WebSocket.
//!
//! Members and what they mean: README.md, odrpc.py and doods.py of <https://github.com/snowzach/doods2>; that a request
//! without any filter gets everything: detector/regions.go of <https://github.com/snowzach/doods>, which it replaces.
//! Addresses in `data` are never fetched.

use super::error::CompatError;
use crate::{
    channels::detect_queue::Permit,
    publish::http::{
        cameras::drawn,
        detect::picture::{self, LARGEST_PICTURE},
        server::{
            error::{ApiError, Problem},
            extract::UPLOAD_TIMEOUT,
            listener::Peer,
            websocket::{MAX_WRITE_BUFFER, Responder, Upgrade},
        },
        shared::Shared,
    },
};
use axum::{
    Json,
    body::{Body, Bytes},
    extract::{ConnectInfo, State, ws::Message},
    response::Response,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use detector::{
    detection::Detection,
    fraction::Fraction,
    geometry::Rect,
    photo::{Format, Orientation},
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, net::IpAddr, sync::Arc, time::Duration};
use tokio::sync::OwnedSemaphorePermit;
use utoipa::ToSchema;

/// The name of the only detector.
const DETECTOR: &str = "default";
/// The largest request: a picture in base64, and what is asked of it.
pub(crate) const LARGEST_REQUEST: usize = LARGEST_PICTURE.div_ceil(3) * 4 + 64 * 1024;
/// The most regions and confidences of a request, all together.
const MAX_FILTERS: usize = 1000;
/// Stands for every label that has no confidence of its own.
const ANY: &str = "*";

/// The lowest confidence by label, in percent; `*` for all others.
type Wanted = BTreeMap<String, f32>;

/// What is asked.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({"detector_name": "default", "data": "/9j/4AAQSkZJRg==", "detect": {"*": 50, "car": 60}}))]
pub(crate) struct DoodsRequest {
    /// Comes back with the answer.
    #[serde(default)]
    id: Option<String>,
    /// `default`, which may be left out.
    #[serde(default)]
    detector_name: Option<String>,
    /// The JPEG or PNG file, in base64.
    data: String,
    /// The lowest confidence by label, in percent; `*` for all others. With neither this nor `regions`, all counts.
    #[serde(default)]
    detect: Option<Wanted>,
    /// Parts of the picture with confidences of their own.
    #[serde(default)]
    regions: Option<Vec<Region>>,
    /// Asks for the picture with the detections drawn into it, as `jpeg` or `png`.
    #[serde(default)]
    image: Option<String>,
    /// What to do to the picture first. Nothing can be done: it must be empty.
    #[serde(default)]
    preprocess: Option<Vec<String>>,
}

/// A part of the picture, its edges 0..1.
#[derive(Debug, Deserialize, ToSchema)]
struct Region {
    /// Comes back with the detections that count because of this region.
    #[serde(default)]
    id: Option<String>,
    top: f32,
    left: f32,
    bottom: f32,
    right: f32,
    /// The lowest confidence by label, in percent; `*` for all others.
    #[serde(default)]
    detect: Wanted,
    /// Whether the region must cover the whole box.
    #[serde(default)]
    covers: bool,
}

/// What was seen, as DOODS2 says it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)] // in its schema, so that an answer of our own without detections is not also one of these
pub(crate) struct DoodsAnswer {
    /// The request's.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    /// The picture with the detections drawn into it, in base64, if it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<String>,
    /// By falling confidence.
    detections: Vec<DoodsDetection>,
    /// What went wrong; left out when nothing did.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// One object, the edges of its box 0..1.
#[derive(Debug, Serialize, ToSchema)]
struct DoodsDetection {
    /// The region by which it counts, if that has an `id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    region_id: Option<String>,
    top: f32,
    left: f32,
    bottom: f32,
    right: f32,
    label: String,
    /// In percent.
    confidence: f32,
}

/// All detectors.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Detectors {
    detectors: Vec<Detector>,
}

/// The model that serves, as a detector.
#[derive(Debug, Serialize, ToSchema)]
struct Detector {
    name: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    model: String,
    labels: Vec<String>,
    width: u32,
    height: u32,
}

/// The model that serves, as DOODS2's only detector.
#[utoipa::path(get, path = "/detectors", tag = "compatible",
    responses(
        (status = 200, description = "The detectors", body = Detectors),
        (status = 503, description = "No model serves yet"),
    ))]
pub(crate) async fn detectors(State(shared): State<Arc<Shared>>) -> Result<Json<Detectors>, CompatError> {
    let engine = shared.engine()?;
    let labels = engine.labels.iter().skip(1).filter(|label| !label.is_empty()).cloned().collect();
    let detector = Detector {
        name: DETECTOR,
        kind: "onnx",
        model: engine.model.to_string(),
        labels,
        width: engine.input.width,
        height: engine.input.height,
    };
    Ok(Json(Detectors { detectors: vec![detector] }))
}

/// `POST /detect` with a JSON body.
pub(crate) async fn detect(shared: &Shared, caller: IpAddr, body: Body) -> Result<Json<DoodsAnswer>, CompatError> {
    let permit = picture::acquire_permit(shared, caller)?;
    let body = picture::read(&shared.limits, body, LARGEST_REQUEST, UPLOAD_TIMEOUT).await?;
    let bytes = body.bytes.clone();
    let (request, picture) = picture::blocking(move || parse(&bytes)?.picture()).await?;
    Ok(Json(answer(permit, request, picture).await?))
}

/// Detects in pictures, one after the other, as DOODS2 does: each text message is a request as for `POST /detect` with
/// a JSON body, and is answered by one message. The connection is closed with code 1008 when no complete message comes
/// within 60 s.
#[utoipa::path(get, path = "/detect", operation_id = "doods", tag = "compatible",
    responses(
        (status = 101, description = "The answers, as WebSocket messages", body = DoodsAnswer),
        (status = 426, description = "Not a WebSocket request", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "As many of these connections are open as may be", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn websocket(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(Peer(peer)): ConnectInfo<Peer>,
    upgrade: Upgrade,
) -> Result<Response, ApiError> {
    let connection = shared.limits.detect_websocket()?;
    Ok(upgrade.answer(LARGEST_REQUEST, Detecting { shared, peer, _connection: connection }))
}

/// One WebSocket whose messages are requests.
struct Detecting {
    shared: Arc<Shared>,
    peer: IpAddr,
    _connection: OwnedSemaphorePermit,
}

impl Responder for Detecting {
    const MESSAGE_TIMEOUT: Duration = Duration::from_secs(60);

    async fn answer(&mut self, message: Bytes) -> Message {
        let mut id = None;
        let outcome = self.detect(message, &mut id).await;
        let answer = outcome.unwrap_or_else(|error| DoodsAnswer {
            id,
            image: None,
            detections: Vec::new(),
            error: Some(error.to_string()),
        });
        Message::Text(serde_json::to_string(&answer).expect("an answer has only plain values").into())
    }

    async fn stopped(&self) {
        self.shared.stop.cancelled().await;
    }
}

impl Detecting {
    /// Detects as `message` asks, whose id is `id` from then on.
    async fn detect(&self, message: Bytes, id: &mut Option<String>) -> Result<DoodsAnswer, ApiError> {
        let permit = picture::acquire_permit(&self.shared, self.peer)?;
        let request = picture::blocking(move || parse(&message)).await?;
        id.clone_from(&request.id);
        let (request, picture) = picture::blocking(move || request.picture()).await?;
        let answer = answer(permit, request, picture).await?;
        match &answer.image {
            Some(image) if image.len() > MAX_WRITE_BUFFER / 2 => Err(ApiError::BadRequest(
                "the picture with its boxes is too large for a message: ask for it as jpeg".into(),
            )),
            _ => Ok(answer),
        }
    }
}

fn parse(bytes: &[u8]) -> Result<DoodsRequest, ApiError> {
    let request: DoodsRequest = serde_json::from_slice(bytes)
        .map_err(|why| ApiError::BadRequest(format!("the request does not fit: {why}")))?;
    let regions = request.regions.iter().flatten();
    let filters = regions.map(|region| 1 + region.detect.len()).sum::<usize>();
    let filters = filters + request.detect.as_ref().map_or(0, BTreeMap::len);
    if filters > MAX_FILTERS {
        return Err(ApiError::BadRequest(format!(
            "the request has {filters} regions and confidences together: at most {MAX_FILTERS} are allowed"
        )));
    }
    Ok(request)
}

impl DoodsRequest {
    /// The request without its picture, and the picture's file.
    fn picture(mut self) -> Result<(Self, Bytes), ApiError> {
        let data = std::mem::take(&mut self.data);
        let bytes = STANDARD.decode(data.trim()).map_err(|why| {
            ApiError::BadRequest(format!("data is not a picture in base64 ({why}); addresses are never fetched"))
        })?;
        Ok((self, bytes.into()))
    }
}

async fn answer(permit: Permit, request: DoodsRequest, picture: Bytes) -> Result<DoodsAnswer, ApiError> {
    let DoodsRequest { id, detector_name, detect, regions, image, preprocess, data: _ } = request;
    check_detector(detector_name.as_deref())?;
    if preprocess.is_some_and(|steps| !steps.is_empty()) {
        return Err(ApiError::BadRequest("preprocess is not supported: leave it out".into()));
    }
    let (detect, regions) = (detect.unwrap_or_default(), regions.unwrap_or_default());
    let least = detect.values().chain(regions.iter().flat_map(|region| region.detect.values()));
    let least = least.copied().min_by(f32::total_cmp).map(share);
    let seen = picture::detect(permit, picture.clone(), least).await?;
    let wanted = Filter { detect, regions };
    let (found, detections) = seen
        .detections
        .iter()
        .filter_map(|found| Some((found.clone(), DoodsDetection::new(found, wanted.passes(found)?))))
        .unzip();
    let image = match image.as_deref().and_then(image_format) {
        Some(format) => {
            let file = drawn::file(picture, Orientation::Upright, found, format).await?;
            Some(picture::blocking(move || Ok(STANDARD.encode(file))).await?)
        }
        None => None,
    };
    Ok(DoodsAnswer { id, image, detections, error: None })
}

/// Refuses detectors that are not here.
fn check_detector(name: Option<&str>) -> Result<(), ApiError> {
    match name.filter(|name| !name.is_empty() && *name != DETECTOR) {
        Some(name) => {
            let why = format!("there is no detector called {name:?}; the only one is {DETECTOR:?}");
            Err(ApiError::BadRequest(why))
        }
        None => Ok(()),
    }
}

/// The format that `image` asks for; none for words that DOODS2 does not know either.
fn image_format(word: &str) -> Option<Format> {
    match word {
        "jpeg" | "jpg" | ".jpg" | "image/jpeg" | "true" => Some(Format::Jpeg),
        "png" | ".png" | "image/png" => Some(Format::Png),
        _ => None,
    }
}

/// A percentage as a share; what lies outside 0..100 becomes the nearest that does not.
fn share(percent: f32) -> Fraction {
    Fraction::new((percent / 100.0).clamp(0.0, 1.0)).unwrap_or(const { Fraction::new(1.0).unwrap() })
}

fn is_wanted(wanted: &Wanted, found: &Detection) -> bool {
    let least = wanted.get(&*found.label).or_else(|| wanted.get(ANY));
    least.is_some_and(|least| found.score * 100.0 >= *least)
}

/// What a request asks for.
struct Filter {
    detect: Wanted,
    regions: Vec<Region>,
}

/// Why a detection counts.
enum Reason<'a> {
    /// Anywhere in the picture it would.
    Picture,
    /// It lies in this region.
    Region(&'a Region),
}

impl Filter {
    /// Why `found` counts, if it does. With no filter at all everything does.
    fn passes(&self, found: &Detection) -> Option<Reason<'_>> {
        if is_wanted(&self.detect, found) || (self.detect.is_empty() && self.regions.is_empty()) {
            return Some(Reason::Picture);
        }
        self.regions.iter().find(|region| region.has(found)).map(Reason::Region)
    }
}

impl Region {
    /// Whether `found` counts in this region.
    fn has(&self, found: &Detection) -> bool {
        let Rect { x_min, y_min, x_max, y_max } = found.bbox;
        let inside = if self.covers {
            x_min >= self.left && x_max <= self.right && y_min >= self.top && y_max <= self.bottom
        } else {
            x_min <= self.right && x_max >= self.left && y_min <= self.bottom && y_max >= self.top
        };
        inside && is_wanted(&self.detect, found)
    }
}

impl DoodsDetection {
    fn new(found: &Detection, reason: Reason<'_>) -> Self {
        let Rect { x_min, y_min, x_max, y_max } = found.bbox;
        let region_id = match reason {
            Reason::Picture => None,
            Reason::Region(region) => region.id.clone(),
        };
        Self {
            region_id,
            top: y_min,
            left: x_min,
            bottom: y_max,
            right: x_max,
            label: found.label.to_string(),
            confidence: found.score * 100.0,
        }
    }
}
