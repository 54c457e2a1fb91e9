//! Errors as RFC 9457 problem documents.

use crate::channels::detect_queue::{DetectError, QueueError};
use crate::publish::http::admin::control::Refused;
use axum::{
    Json,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use detector::photo::PhotoError;
use serde::Serialize;
use std::time::Duration;
use utoipa::ToSchema;

/// Why a request was not answered as asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    /// No such path.
    #[error("there is nothing at this path; /openapi.json lists what there is")]
    NotFound,
    /// The path does not take this method.
    #[error("this path does not take this method; /openapi.json lists what it takes")]
    MethodNotAllowed,
    /// The query, path or body does not fit.
    #[error("{0}")]
    BadRequest(String),
    /// The path asks for a WebSocket and the request is not one.
    #[error("this path speaks WebSocket: {0}")]
    UpgradeRequired(String),
    /// No camera of this name.
    #[error("there is no camera called {0:?}; /cameras lists them")]
    UnknownCamera(String),
    /// The camera gives no picture.
    #[error("camera {camera} gave no picture within {}", seconds(.waited))]
    NoPicture {
        /// The camera.
        camera: String,
        /// How long the request waited.
        waited: Duration,
    },
    /// The camera has no H.264 here.
    #[error("camera {camera} has no H.264 video: {why}; /cameras/{camera}/live has its pictures")]
    NoVideo {
        /// The camera.
        camera: String,
        /// Why not.
        why: String,
    },
    /// The request needs a token and has none.
    #[error("this needs a token: send it as `Authorization: Bearer TOKEN`, or log in at /login")]
    NoToken,
    /// The token is none of ours.
    #[error("this is not a token of this daemon")]
    WrongToken,
    /// Too many wrong tokens came from there.
    #[error("too many wrong tokens: wait {} s", .0.as_secs() + 1)]
    TooManyFailures(Duration),
    /// The sender may read, but change nothing.
    #[error("this needs the admin token or, where there is none, a request from this machine itself at localhost")]
    NeedsAdmin,
    /// The request names a host that is not this machine.
    #[error("{0:?} is not a name of this machine; names it should answer to are listed in http.hosts")]
    UnknownHost(String),
    /// A web page of another origin sent the request.
    #[error("pages of {0:?} may not call this API; those that may are listed in http.origins")]
    ForeignOrigin(String),
    /// Nothing was changed.
    #[error(transparent)]
    Control(#[from] Refused),
    /// Another model serves.
    #[error("there is no model called {name:?} here; {serving:?} serves")]
    UnknownModel {
        /// The model that was asked for.
        name: String,
        /// The model that serves.
        serving: String,
    },
    /// The body is not of a kind that is taken.
    #[error("{0}")]
    UnsupportedType(String),
    /// The body has too many bytes.
    #[error("the body is too large: up to {0} bytes are taken")]
    LargeBody(usize),
    /// The body broke off.
    #[error("the body broke off before its end")]
    BrokenBody,
    /// The body came too slowly.
    #[error("the body did not arrive within {}", seconds(.0))]
    SlowUpload(Duration),
    /// Too many pictures wait.
    #[error("{0}: try again in a moment")]
    DetectQueue(#[from] QueueError),
    /// Detection in the picture failed.
    #[error(transparent)]
    Look(#[from] DetectError),
    /// The engine took too long.
    #[error("the engine did not process the picture within {}", seconds(.0))]
    Overdue(Duration),
    /// All clients together have as much open as they may.
    #[error("as many connections or pictures are open as may be: try again in a moment")]
    Occupied,
    /// A handler failed in a way it should not.
    #[error("the request could not be answered; the log says why")]
    Internal,
}

fn seconds(duration: &Duration) -> String {
    format!("{} s", duration.as_secs())
}

/// An RFC 9457 problem document.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct Problem {
    /// A URI that names the kind of problem; `about:blank` when the status says it all.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The status in words.
    title: &'static str,
    /// The HTTP status code.
    status: u16,
    /// What is wrong with this request, in words.
    detail: String,
}

impl ApiError {
    fn status(&self) -> StatusCode {
        match self {
            Self::NotFound | Self::UnknownCamera(_) | Self::UnknownModel { .. } => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::BadRequest(_) | Self::BrokenBody => StatusCode::BAD_REQUEST,
            Self::UpgradeRequired(_) => StatusCode::UPGRADE_REQUIRED,
            Self::NoPicture { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::NoToken | Self::WrongToken => StatusCode::UNAUTHORIZED,
            Self::TooManyFailures(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::NeedsAdmin | Self::UnknownHost(_) | Self::ForeignOrigin(_) => StatusCode::FORBIDDEN,
            Self::Control(Refused::NotReady) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Control(Refused::Busy) | Self::NoVideo { .. } => StatusCode::CONFLICT,
            Self::Control(Refused::Unfit(_)) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::UnsupportedType(_) | Self::Look(DetectError::Photo(PhotoError::Unknown)) => {
                StatusCode::UNSUPPORTED_MEDIA_TYPE
            }
            Self::LargeBody(_)
            | Self::Look(DetectError::TooLarge { .. } | DetectError::Photo(PhotoError::TooLarge)) => {
                StatusCode::PAYLOAD_TOO_LARGE
            }
            Self::SlowUpload(_) => StatusCode::REQUEST_TIMEOUT,
            Self::Look(DetectError::Photo(
                PhotoError::Damaged { .. }
                | PhotoError::CutShort
                | PhotoError::SeparateScans
                | PhotoError::TooManyScans(_),
            )) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Occupied | Self::DetectQueue(_) | Self::Look(DetectError::NoAnswer) | Self::Overdue(_) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// A header the status asks for.
    fn header(&self) -> Option<(HeaderName, HeaderValue)> {
        match self {
            Self::NoToken | Self::WrongToken => Some((header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))),
            Self::TooManyFailures(wait) => Some((header::RETRY_AFTER, HeaderValue::from(wait.as_secs() + 1))),
            Self::UpgradeRequired(_) => Some((header::UPGRADE, HeaderValue::from_static("websocket"))),
            Self::NoPicture { .. }
            | Self::Control(Refused::NotReady)
            | Self::Occupied
            | Self::DetectQueue(_)
            | Self::Look(DetectError::NoAnswer)
            | Self::Overdue(_) => Some((header::RETRY_AFTER, HeaderValue::from_static("2"))),
            _ => None,
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        self.answer(Problem::from(&self))
    }
}

impl From<&ApiError> for Problem {
    fn from(error: &ApiError) -> Self {
        let status = error.status();
        Self {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            detail: error.to_string(),
        }
    }
}

impl ApiError {
    /// The response with `problem`, or something that extends it, as its body.
    pub fn answer(&self, problem: impl Serialize) -> Response {
        let mut response = (self.status(), Json(problem)).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some((name, value)) = self.header() {
            response.headers_mut().insert(name, value);
        }
        response
    }
}
