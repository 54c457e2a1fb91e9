//! CodeProject.AI's vision and status interfaces.
//!
//! Members: <https://codeproject.github.io/codeproject.ai/api/api_reference.html>; commands and words:
//! src/modules/ObjectDetectionYOLOv5-6.2/detect_adapter.py and detect.py, paths of the status:
//! src/server/Controllers/ServerStatusController.cs of <https://github.com/codeproject/CodeProject.AI-Server>.

use super::error::CompatError;
use crate::publish::http::{
    access::client::Client,
    detect::picture::{self, Held, LARGEST_PICTURE},
    server::{error::ApiError, extract::Part},
    shared::Shared,
};
use axum::{
    Json,
    body::{Body, Bytes},
    extract::{DefaultBodyLimit, FromRequest, Multipart, Request, State},
};
use detector::{detection::Detection, fraction::Fraction, geometry::Size};
use serde::Serialize;
use std::{
    fmt::Display,
    sync::Arc,
    time::{Duration, Instant},
};
use utoipa::ToSchema;

/// What a detection must exceed where the client does not say it.
const DEFAULT_CONFIDENCE: Fraction = const { Fraction::new(0.4).unwrap() };
/// How many predictions a client gets that does not say how sure they must be: Frigate looks at no more.
const MAX_PREDICTIONS: usize = 20;
/// The largest form: a picture and some short fields.
const LARGEST_FORM: usize = LARGEST_PICTURE + 64 * 1024;
/// How many labels the message names.
const MAX_NAMED: usize = 3;
const MODULE: &str = env!("CARGO_PKG_NAME");

/// The form that clients send.
#[derive(Debug, ToSchema)]
#[allow(dead_code, reason = "only describes the form")]
struct VisionForm {
    /// The picture, a JPEG or PNG file.
    #[schema(value_type = String, format = Binary)]
    image: Vec<u8>,
    /// What a detection must exceed, 0..1; without it 0.4, and at most 20 predictions.
    min_confidence: Option<f32>,
    /// The token, for clients that can send no header.
    api_key: Option<String>,
}

/// The fields of every answer.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Module {
    command: &'static str,
    module_id: &'static str,
    module_name: &'static str,
    execution_provider: String,
    #[serde(rename = "canUseGPU")]
    can_use_gpu: bool,
    inference_ms: u64,
    process_ms: u64,
    analysis_round_trip_ms: u64,
}

/// What was seen, as CodeProject.AI says it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct VisionAnswer {
    /// Always `true`.
    success: bool,
    /// What was found, in words.
    message: String,
    /// Always `null`.
    error: Option<String>,
    /// By falling confidence.
    predictions: Vec<Prediction>,
    /// How many.
    count: usize,
    #[serde(flatten)]
    module: Module,
}

/// One object, its box in pixels of the picture.
#[derive(Debug, Serialize, ToSchema)]
struct Prediction {
    label: String,
    confidence: f32,
    x_min: u32,
    y_min: u32,
    x_max: u32,
    y_max: u32,
}

/// The models that can be asked for by name.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CustomModels {
    /// Always `true`.
    success: bool,
    /// Their names.
    models: Vec<String>,
    #[serde(flatten)]
    module: Module,
}

/// The server answers.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Ping {
    /// Whether a model serves.
    success: bool,
}

/// Whether there is a newer version: Blue Iris asks this before it takes a server for one.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UpdateAvailable {
    /// Always `true`.
    success: bool,
    /// The same in words.
    message: &'static str,
    /// The latest version.
    version: Version,
    /// The version that runs.
    current: Version,
    /// The latest version.
    latest: Version,
    /// Always `false`.
    update_available: bool,
}

/// A version of this program.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = CodeProjectVersion)]
struct Version {
    major: u32,
    minor: u32,
    patch: u32,
    pre_release: &'static str,
    security_update: bool,
    build: u32,
    file: &'static str,
    release_notes: &'static str,
}

const VERSION: Version = Version {
    major: number(env!("CARGO_PKG_VERSION_MAJOR")),
    minor: number(env!("CARGO_PKG_VERSION_MINOR")),
    patch: number(env!("CARGO_PKG_VERSION_PATCH")),
    pre_release: env!("CARGO_PKG_VERSION_PRE"),
    security_update: false,
    build: 0,
    file: "",
    release_notes: "",
};

/// A part of the version, as Cargo gives it when the program is built.
const fn number(digits: &str) -> u32 {
    match u32::from_str_radix(digits, 10) {
        Ok(number) => number,
        Err(_) => panic!("Cargo gives numbers"),
    }
}

impl Module {
    fn new(command: &'static str, provider: &str, inference: Duration, began: Instant) -> Self {
        let process_ms = began.elapsed().as_millis() as u64;
        Self {
            command,
            module_id: MODULE,
            module_name: MODULE,
            execution_provider: provider.to_owned(),
            can_use_gpu: provider != "cpu",
            inference_ms: inference.as_millis() as u64,
            process_ms,
            analysis_round_trip_ms: process_ms,
        }
    }
}

/// A form that has been read.
struct Form {
    image: Option<Bytes>,
    min_confidence: Option<Fraction>,
    api_key: Option<String>,
    /// Keeps the share of memory that the form takes.
    memory: Held,
}

/// Detects in a picture, as CodeProject.AI does.
#[utoipa::path(post, path = "/v1/vision/detection", operation_id = "vision_detection", tag = "compatible",
    request_body(content = VisionForm, content_type = "multipart/form-data"),
    responses(
        (status = 200, description = "What was seen", body = VisionAnswer),
        (status = "4XX", description = "The form does not fit"),
        (status = 503, description = "The queue is full or the engine not ready; see Retry-After"),
    ))]
pub(crate) async fn detect(
    State(shared): State<Arc<Shared>>,
    client: Client,
    request: Request,
) -> Result<Json<VisionAnswer>, CompatError> {
    Ok(Json(answer(&shared, client, request, "detect", None).await?))
}

/// Detects in a picture with the model of that name, which must be the one that serves.
#[utoipa::path(post, path = "/v1/vision/custom/{name}", operation_id = "vision_custom", tag = "compatible",
    params(("name" = String, Path, description = "The model's name")),
    request_body(content = VisionForm, content_type = "multipart/form-data"),
    responses(
        (status = 200, description = "What was seen", body = VisionAnswer),
        (status = "4XX", description = "The form does not fit, or another model serves"),
        (status = 503, description = "The queue is full or the engine not ready; see Retry-After"),
    ))]
pub(crate) async fn detect_custom(
    State(shared): State<Arc<Shared>>,
    client: Client,
    Part(name): Part<String>,
    request: Request,
) -> Result<Json<VisionAnswer>, CompatError> {
    Ok(Json(answer(&shared, client, request, "custom", Some(&name)).await?))
}

/// The model that serves, as the only custom model.
#[utoipa::path(post, path = "/v1/vision/custom/list", operation_id = "vision_custom_list", tag = "compatible",
    responses(
        (status = 200, description = "The models", body = CustomModels),
        (status = 401, description = "No token"),
        (status = 503, description = "No model serves yet"),
    ))]
pub(crate) async fn list_custom(
    State(shared): State<Arc<Shared>>,
    client: Client,
) -> Result<Json<CustomModels>, CompatError> {
    client.identify(&shared.access, None)?;
    let (began, engine) = (Instant::now(), shared.engine()?);
    let module = Module::new("list-custom", engine.active_provider(), Duration::ZERO, began);
    Ok(Json(CustomModels { success: true, models: vec![engine.model.to_string()], module }))
}

/// Whether a model serves.
#[utoipa::path(get, path = "/v1/server/status/ping", tag = "compatible",
    responses((status = 200, description = "The server answers", body = Ping)))]
pub(crate) async fn ping(State(shared): State<Arc<Shared>>) -> Json<Ping> {
    Json(Ping { success: shared.engine().is_ok() })
}

/// The version that runs. No server is asked for newer ones: it counts as the latest.
#[utoipa::path(get, path = "/v1/status/updateavailable", tag = "compatible",
    responses((status = 200, description = "The version, and that there is no other", body = UpdateAvailable)))]
pub(crate) async fn update_available() -> Json<UpdateAvailable> {
    Json(UpdateAvailable {
        success: true,
        message: "This is the current version",
        version: VERSION,
        current: VERSION,
        latest: VERSION,
        update_available: false,
    })
}

/// Reads the form, detects in the picture and describes the result.
async fn answer(
    shared: &Shared,
    client: Client,
    request: Request,
    command: &'static str,
    model: Option<&str>,
) -> Result<VisionAnswer, ApiError> {
    let began = Instant::now();
    // A client that has shown its token takes its permit of the queue before its form is read; one whose token is in the
    // form takes it once that is known, so that those without a token cannot fill the queue.
    let form_permit = client.form_permit(shared)?;
    let early = form_permit.is_none().then(|| picture::acquire_permit(shared, client.peer())).transpose()?;
    let form = read_form(shared, request, client.form_timeout()).await;
    client.identify(&shared.access, form.as_ref().ok().and_then(|form| form.api_key.as_deref()))?;
    drop(form_permit);
    let Form { image, min_confidence, memory: _memory, .. } = form?;
    let permit = early.map_or_else(|| picture::acquire_permit(shared, client.peer()), Ok)?;
    let serving = shared.engine()?;
    if let Some(name) = model.filter(|name| **name != *serving.model) {
        return Err(ApiError::UnknownModel { name: name.to_owned(), serving: serving.model.to_string() });
    }
    let image = image.ok_or_else(|| ApiError::BadRequest("the form has no field \"image\" with a picture".into()))?;
    let seen = picture::detect(permit, image, Some(min_confidence.unwrap_or(DEFAULT_CONFIDENCE))).await?;
    let most = if min_confidence.is_some() { usize::MAX } else { MAX_PREDICTIONS };
    let predictions: Vec<_> = seen.detections.iter().take(most).map(|found| prediction(found, seen.size)).collect();
    Ok(VisionAnswer {
        success: true,
        message: message(&predictions),
        error: None,
        count: predictions.len(),
        predictions,
        module: Module::new(command, &seen.provider, seen.timings.stages.infer, began),
    })
}

/// What was found, in words.
fn message(predictions: &[Prediction]) -> String {
    let labels: Vec<_> = predictions.iter().take(MAX_NAMED).map(|found| found.label.as_str()).collect();
    match predictions.len() {
        0 => "No objects found".into(),
        1..=MAX_NAMED => format!("Found {}", labels.join(", ")),
        _ => format!("Found {}...", labels.join(", ")),
    }
}

fn prediction(found: &Detection, size: Size) -> Prediction {
    let pixels = |share: f32, side: u32| (share * side as f32).round() as u32;
    Prediction {
        label: found.label.to_string(),
        confidence: found.score,
        x_min: pixels(found.bbox.x_min, size.width),
        y_min: pixels(found.bbox.y_min, size.height),
        x_max: pixels(found.bbox.x_max, size.width),
        y_max: pixels(found.bbox.y_max, size.height),
    }
}

async fn read_form(shared: &Shared, request: Request, longest: Duration) -> Result<Form, ApiError> {
    let unfit = |why: &dyn Display| ApiError::BadRequest(format!("the form cannot be read: {why}"));
    let (parts, body) = request.into_parts();
    let memory = picture::read(&shared.limits, body, LARGEST_FORM, longest).await?;
    let mut request = Request::from_parts(parts, Body::from(memory.bytes.clone()));
    DefaultBodyLimit::disable().apply(&mut request);
    let mut fields = Multipart::from_request(request, &()).await.map_err(|_| {
        ApiError::UnsupportedType("send a form as multipart/form-data, with the picture as \"image\"".into())
    })?;
    let mut form = Form { image: None, min_confidence: None, api_key: None, memory };
    while let Some(field) = fields.next_field().await.map_err(|why| unfit(&why.body_text()))? {
        let (name, is_file) = (field.name().unwrap_or_default().to_owned(), field.file_name().is_some());
        let value = field.bytes().await.map_err(|why| unfit(&why.body_text()))?;
        let text = || String::from_utf8_lossy(&value).trim().to_owned();
        match name.as_str() {
            "min_confidence" => {
                form.min_confidence = Some(text().parse().map_err(|why| unfit(&format!("min_confidence: {why}")))?)
            }
            // Frigate sends an empty one where none is configured.
            "api_key" => form.api_key = Some(text()).filter(|key| !key.is_empty()),
            _ if form.image.is_none() && (is_file || name == "image") => form.image = Some(value),
            _ => {}
        }
    }
    Ok(form)
}
