//! HTTP: the API, the live view and the dashboard.
//!
//! [`serve`] takes the listener and the stop token from its caller. All that is served comes from the
//! [`DaemonState`]; nothing here waits for the pipeline, and the pipeline never waits for a client.

mod access;
mod admin;
mod cameras;
mod compat;
mod config;
mod connections;
mod control;
mod dashboard;
mod description;
mod detect;
mod drawn;
mod error;
mod etag;
mod extract;
mod fmp4;
mod http_metrics;
mod listener;
mod live;
mod logs;
mod metrics;
mod picture;
mod scenes;
mod select;
mod session;
mod snapshot;
mod status;
mod stream;
mod system;
mod tls;
mod trace;
mod video;

pub use access::TokenError;
pub use config::Config;
pub use control::{CameraChange, CameraSettings, Control, Refused, Reloaded};
pub use tls::{TlsConfig, TlsError};

use crate::state::{CameraFeed, DaemonState};
use crate::{detect_queue::DetectQueue, latest_frames::FramesHandle, log_buffer::LogBuffer};
use access::Access;
use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::{HeaderName, HeaderValue, Method, Uri, header},
    middleware,
    response::IntoResponse,
    routing::{get, post},
};
use detector::status::EngineInfo;
use error::ApiError;
use http_metrics::HttpMetrics;
use listener::Listener;
use prometheus_client::registry::Registry;
use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};
use tls::Certificate;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
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

/// How long open answers may take to end once the daemon stops.
const STOP_TIMEOUT: Duration = Duration::from_secs(1);
/// The largest body of a request, where it holds no picture.
const LARGEST_BODY: usize = 64 * 1024;
/// Answers up to this many bytes are sent as they are: they fit into one packet.
const WORTH_COMPRESSING: u64 = 1024;

/// Why the API cannot be built from its configuration.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The whole network would be let in, and nobody said that it may be.
    #[error(
        "http.listen = \"{0}\" would be open to the whole network: listen on 127.0.0.1, or name a token in \
         http.token_file, or set http.allow_anonymous = true to let everyone in"
    )]
    Open(SocketAddr),
    /// A token cannot be had.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The certificate cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// An origin is not one.
    #[error(
        "http.origins: {0:?} is not an origin: give scheme, host and port, for example \"https://home.example:8123\""
    )]
    Origin(String),
}

/// What the API answers from.
pub struct Api {
    state: Arc<DaemonState>,
    detect_queue: DetectQueue,
    control: Option<Arc<dyn Control>>,
    frames_handle: Option<FramesHandle>,
    log_buffer: Arc<LogBuffer>,
    access: Access,
    certificate: Option<Arc<Certificate>>,
    origins: Vec<HeaderValue>,
}

impl Api {
    /// The API over `state`, whose callers have single pictures looked at through `detect_queue`.
    ///
    /// # Errors
    /// When the configuration would open the API to more than it says.
    pub fn new(state: Arc<DaemonState>, detect_queue: DetectQueue, config: &Config) -> Result<Self, SetupError> {
        let origins = config.origins.iter().map(|origin| parse_origin(origin)).collect::<Result<_, _>>()?;
        let access = Access::new(config)?;
        let certificate = config.tls.as_ref().map(Certificate::load).transpose()?.map(Arc::new);
        Ok(Self {
            state,
            detect_queue,
            control: None,
            frames_handle: None,
            log_buffer: Arc::default(),
            access,
            certificate,
            origins,
        })
    }

    /// Shows the frames that were dropped in `frames_handle`'s latest_frames.
    #[must_use]
    pub fn with_frames(mut self, frames_handle: FramesHandle) -> Self {
        self.frames_handle = Some(frames_handle);
        self
    }

    /// Shows admins the lines of `log_buffer`.
    #[must_use]
    pub fn with_log_buffer(mut self, log_buffer: Arc<LogBuffer>) -> Self {
        self.log_buffer = log_buffer;
        self
    }

    /// Lets admins change the daemon through `control`.
    #[must_use]
    pub fn with_control(mut self, control: Arc<dyn Control>) -> Self {
        self.control = Some(control);
        self
    }
}

/// What every handler sees.
struct Shared {
    state: Arc<DaemonState>,
    detect_queue: DetectQueue,
    control: Option<Arc<dyn Control>>,
    metrics: Registry,
    http_metrics: HttpMetrics,
    log_buffer: Arc<LogBuffer>,
    access: Access,
    stop: CancellationToken,
    started: Instant,
}

impl Shared {
    /// The engine that serves.
    fn engine(&self) -> Result<Arc<EngineInfo>, ApiError> {
        let engine = self.state.status.engine.borrow().clone();
        Ok(engine.ok_or(Refused::NotReady)?)
    }

    fn control(&self) -> Result<&dyn Control, ApiError> {
        self.control.as_deref().ok_or(ApiError::NotFound)
    }

    fn camera(&self, name: &str) -> Result<Arc<CameraFeed>, ApiError> {
        self.state.cameras.get(name).ok_or_else(|| ApiError::UnknownCamera(name.to_owned()))
    }
}

/// Answers on `listener` until `stop` is cancelled; then closes streams and gives open answers a moment to end.
pub async fn serve(listener: TcpListener, api: Api, stop: CancellationToken) {
    let Api { state, detect_queue, control, frames_handle, log_buffer, access, certificate, origins } = api;
    let http_metrics = HttpMetrics::default();
    let metrics = metrics::registry(state.clone(), frames_handle, &http_metrics);
    let started = Instant::now();
    let shared = Arc::new(Shared {
        state,
        detect_queue,
        control,
        metrics,
        http_metrics,
        log_buffer,
        access,
        stop: stop.clone(),
        started,
    });
    let server = connections::serve(Listener::new(listener, certificate.clone()), router(shared, origins), &stop);
    let overdue = async {
        stop.cancelled().await;
        tokio::time::sleep(STOP_TIMEOUT).await;
    };
    let renewal = async {
        match &certificate {
            Some(certificate) => certificate.follow().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = server => {}
        () = overdue => {}
        never = renewal => match never {},
    }
}

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
    let (compatible, mut more) = compat::routes().split_for_parts();
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
    components(schemas(error::Problem, compat::CompatProblem))
)]
struct Description;

fn api_routes() -> OpenApiRouter<Arc<Shared>> {
    OpenApiRouter::with_openapi(Description::openapi())
        .routes(routes!(scenes::detections))
        .routes(routes!(stream::events))
        .routes(routes!(stream::websocket))
        .routes(routes!(detect::detect))
        .routes(routes!(cameras::list))
        .routes(routes!(cameras::one, admin::change_camera))
        .routes(routes!(snapshot::snapshot))
        .routes(routes!(live::mjpeg))
        .routes(routes!(live::websocket))
        .routes(routes!(video::video))
        .routes(routes!(status::model, admin::change_model))
        .routes(routes!(status::health))
        .routes(routes!(status::readiness))
        .routes(routes!(status::version))
        .routes(routes!(session::session))
        .routes(routes!(system::system))
        .routes(routes!(metrics::metrics))
        .routes(routes!(logs::logs))
        .routes(routes!(admin::config))
        .routes(routes!(admin::reload))
}

fn router(shared: Arc<Shared>, origins: Vec<HeaderValue>) -> Router {
    let Described { routes, compatible, description } = described();
    let description: axum::body::Bytes = description.to_json().expect("the description has only plain values").into();
    let json = [(header::CONTENT_TYPE, "application/json")];
    routes
        .route("/openapi.json", get(async move || (json, description).into_response()))
        .route("/login", get(access::form).post(access::log_in))
        .route("/logout", post(access::log_out))
        .merge(dashboard::routes())
        .layer(compression())
        .merge(compatible) // never compressed: Blue Iris takes no answer in chunks
        .fallback(async || ApiError::NotFound)
        .method_not_allowed_fallback(async || ApiError::MethodNotAllowed)
        .layer(middleware::from_fn_with_state(shared.clone(), access::guard))
        .layer(option_layer(cors(origins)))
        .with_state(shared.clone())
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(fixed_header(header::CONTENT_SECURITY_POLICY, dashboard::CONTENT_SECURITY_POLICY))
        .layer(fixed_header(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(fixed_header(header::REFERRER_POLICY, "same-origin"))
        .layer(middleware::from_fn(trace::follow))
        .layer(CatchPanicLayer::custom(|_| ApiError::Internal.into_response()))
        .layer(middleware::from_fn_with_state(shared, http_metrics::count))
}

/// Compresses what is large enough and not compressed yet; streams that must not wait stay as they are.
fn compression() -> CompressionLayer<impl Predicate> {
    let pays = SizeAbove::new(WORTH_COMPRESSING)
        .and(NotForContentType::IMAGES)
        .and(NotForContentType::SSE)
        .and(NotForContentType::const_new("multipart/x-mixed-replace"));
    CompressionLayer::new().compress_when(pays)
}

fn parse_origin(origin: &str) -> Result<HeaderValue, SetupError> {
    let is_origin = origin.parse::<Uri>().is_ok_and(|uri| uri.scheme().is_some() && uri.authority().is_some())
        && !origin.ends_with('/');
    let value = origin.parse().ok().filter(|_| is_origin);
    value.ok_or_else(|| SetupError::Origin(origin.to_owned()))
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
