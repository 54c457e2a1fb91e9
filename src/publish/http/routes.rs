//! All routes, and what lies around every one of them.

use super::{admin, cameras, compat, dashboard, description, detect, detections, status};
use crate::publish::http::{
    access::{guard, login},
    server::{
        error::{ApiError, Problem},
        extract::LARGEST_BODY,
        http_metrics, trace,
    },
    shared::Shared,
};
use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::{HeaderName, HeaderValue, Method, header},
    middleware,
    response::IntoResponse,
    routing::{get, post},
};
use std::sync::Arc;
use tower::util::option_layer;
use tower_http::{
    catch_panic::CatchPanicLayer,
    compression::{
        CompressionLayer,
        predicate::{NotForContentType, Predicate, SizeAbove},
    },
    cors::CorsLayer,
    set_header::SetResponseHeaderLayer,
};
use utoipa::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

/// Answers up to this many bytes are sent as they are: they fit into one packet.
const WORTH_COMPRESSING: u64 = 1024;
/// Who may embed an answer (Fetch standard).
const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// The description of the API, as `/openapi.json` gives it.
pub fn openapi() -> utoipa::openapi::OpenApi {
    described().description
}

/// The routes and their description.
struct Described {
    routes: Router<Arc<Shared>>,
    compatible: Router<Arc<Shared>>,
    description: utoipa::openapi::OpenApi,
}

fn described() -> Described {
    let (routes, mut description) = api_routes().split_for_parts();
    let (compatible, mut more) = compatible_routes().split_for_parts();
    description::add_problems(&mut description, "Problem");
    description::add_problems(&mut more, "CompatProblem");
    description.merge(more);
    description::add_examples(&mut description);
    Described { routes, compatible, description }
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "sightd",
        description = "Object detection as a service. Errors are RFC 9457 problem documents. Boxes are given by their \
                       top left corner and size, each 0..1 of the frame."
    ),
    components(schemas(Problem, compat::error::CompatProblem))
)]
struct Description;

fn api_routes() -> OpenApiRouter<Arc<Shared>> {
    OpenApiRouter::with_openapi(Description::openapi())
        .routes(routes!(detections::latest::detections))
        .routes(routes!(detections::stream::events))
        .routes(routes!(detections::stream::scenes))
        .routes(routes!(detect::post::detect))
        .routes(routes!(cameras::list::list))
        .routes(routes!(cameras::list::one, admin::change::change_camera))
        .routes(routes!(cameras::snapshot::snapshot))
        .routes(routes!(cameras::live::mjpeg))
        .routes(routes!(cameras::live::live))
        .routes(routes!(cameras::video::video))
        .routes(routes!(status::model::model, admin::change::change_model))
        .routes(routes!(status::health::health))
        .routes(routes!(status::health::readiness))
        .routes(routes!(status::health::version))
        .routes(routes!(status::session::session))
        .routes(routes!(status::system::system))
        .routes(routes!(status::metrics::metrics))
        .routes(routes!(status::logs::logs))
        .routes(routes!(admin::change::config))
        .routes(routes!(admin::change::reload))
}

pub(super) fn router(shared: Arc<Shared>, origins: Vec<HeaderValue>) -> Router {
    let Described { routes, compatible, description } = described();
    let metrics = shared.http_metrics.clone();
    // Pages elsewhere embed pictures only where the configuration names some.
    let embedding = if origins.is_empty() { "same-origin" } else { "cross-origin" };
    let description: axum::body::Bytes = description.to_json().expect("the description has only plain values").into();
    let json = [(header::CONTENT_TYPE, "application/json")];
    routes
        .route("/openapi.json", get(async move || (json, description).into_response()))
        .route("/login", get(login::form).post(login::log_in))
        .route("/logout", post(login::log_out))
        .merge(dashboard::routes())
        .layer(compression())
        .merge(compatible) // never compressed: Blue Iris takes no answer in chunks
        .fallback(async || ApiError::NotFound)
        .method_not_allowed_fallback(async || ApiError::MethodNotAllowed)
        .layer(middleware::from_fn_with_state(shared.clone(), guard::guard))
        .layer(option_layer(cors(origins)))
        .with_state(shared)
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(fixed_header(CROSS_ORIGIN_RESOURCE_POLICY, embedding))
        .layer(fixed_header(header::CONTENT_SECURITY_POLICY, dashboard::CONTENT_SECURITY_POLICY))
        .layer(fixed_header(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(fixed_header(header::REFERRER_POLICY, "same-origin"))
        .layer(middleware::from_fn(trace::follow))
        .layer(CatchPanicLayer::custom(|_| ApiError::Internal.into_response()))
        .layer(middleware::from_fn_with_state(metrics, http_metrics::count))
}

/// The interfaces of other detection servers: all routes but `POST /detect`, which DOODS2 shares with our own.
fn compatible_routes() -> OpenApiRouter<Arc<Shared>> {
    OpenApiRouter::default()
        .routes(routes!(compat::codeproject::detect))
        .routes(routes!(compat::codeproject::detect_custom))
        .routes(routes!(compat::codeproject::list_custom))
        .routes(routes!(compat::codeproject::ping))
        .routes(routes!(compat::codeproject::update_available))
        .route("/v1/status/ping", get(compat::codeproject::ping)) // up to version 2.3 of CodeProject.AI
        .routes(routes!(compat::doods::detectors))
        .routes(routes!(compat::doods::websocket))
}

/// Compresses what is large enough and not compressed yet; streams that must not wait stay as they are.
fn compression() -> CompressionLayer<impl Predicate> {
    let pays = SizeAbove::new(WORTH_COMPRESSING)
        .and(NotForContentType::IMAGES)
        .and(NotForContentType::SSE)
        .and(NotForContentType::const_new("multipart/x-mixed-replace"));
    CompressionLayer::new().compress_when(pays)
}

/// Tells browsers that pages of `origins` may read and call. Without any nothing is said, and browsers let none.
fn cors(origins: Vec<HeaderValue>) -> Option<CorsLayer> {
    let cors = CorsLayer::new()
        .allow_methods([Method::GET, Method::POST, Method::PATCH])
        .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE]);
    (!origins.is_empty()).then(|| cors.allow_origin(origins))
}

fn fixed_header(name: HeaderName, value: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::overriding(name, HeaderValue::from_static(value))
}
