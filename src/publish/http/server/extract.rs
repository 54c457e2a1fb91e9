//! What handlers take from a request. Mistakes in it are problem documents.

use super::error::ApiError;
use axum::{
    Json,
    extract::{
        FromRequest, FromRequestParts, Path, Query, Request,
        rejection::{PathRejection, QueryRejection},
    },
    http::{StatusCode, request::Parts},
};
use serde::de::DeserializeOwned;
use std::time::Duration;
use tokio::time::timeout;

/// The largest body of a request, where it holds no picture.
pub(crate) const LARGEST_BODY: usize = 64 * 1024;
/// How long a body may take to arrive.
pub(crate) const UPLOAD_TIMEOUT: Duration = Duration::from_secs(30);

/// What comes of `reading` a body, unless that takes too long.
pub(crate) async fn in_time<T>(reading: impl Future<Output = T>) -> Result<T, ApiError> {
    timeout(UPLOAD_TIMEOUT, reading).await.map_err(|_| ApiError::SlowUpload(UPLOAD_TIMEOUT))
}

/// Query parameters.
#[derive(Debug)]
pub(crate) struct Params<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match Query::from_request_parts(parts, state).await {
            Ok(Query(params)) => Ok(Self(params)),
            Err(QueryRejection::FailedToDeserializeQueryString(why)) => Err(ApiError::BadRequest(why.body_text())),
            Err(_) => Err(ApiError::Internal),
        }
    }
}

/// A part of the path.
#[derive(Debug)]
pub(crate) struct Part<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Part<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path(part)) => Ok(Self(part)),
            Err(PathRejection::FailedToDeserializePathParams(why)) => Err(ApiError::BadRequest(why.body_text())),
            Err(_) => Err(ApiError::Internal),
        }
    }
}

/// A JSON body of at most [`LARGEST_BODY`] bytes.
#[derive(Debug)]
pub(crate) struct Body<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        match in_time(Json::from_request(request, state)).await? {
            Ok(Json(body)) => Ok(Self(body)),
            Err(why) => Err(match why.status() {
                StatusCode::UNSUPPORTED_MEDIA_TYPE => ApiError::UnsupportedType(why.body_text()),
                StatusCode::PAYLOAD_TOO_LARGE => ApiError::LargeBody(LARGEST_BODY),
                _ => ApiError::BadRequest(why.body_text()),
            }),
        }
    }
}
