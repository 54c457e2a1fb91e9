//! From the picture in a request's body to what is seen on it.
//!
//! A caller first gets a permit of the detect queue; only then is its body read, up to [`LARGEST_PICTURE`] bytes.

use crate::channels::{
    detect_queue::{Permit, Request},
    still::DetectResult,
};
use crate::publish::http::{
    admin::control::Refused,
    server::{
        error::ApiError,
        limits::{BodyMemory, Limits},
    },
    shared::Shared,
};
use axum::body::{Body, Bytes};
use bytes::BytesMut;
use detector::{fraction::Fraction, status::EnginePhase};
use futures_util::StreamExt;
use std::{net::IpAddr, time::Duration};
use tokio::{task::spawn_blocking, time::timeout};

/// The largest body with a picture.
pub(crate) const LARGEST_PICTURE: usize = 10 << 20;
/// How much of a body is read at all.
const MAX_READ: usize = 8 * LARGEST_PICTURE;
/// How long a picture may wait for the engine, which needs well under a second for one.
const DETECT_TIMEOUT: Duration = Duration::from_secs(60);

/// A permit of the detect queue, if the engine serves and one is free.
pub(crate) fn acquire_permit(shared: &Shared, caller: IpAddr) -> Result<Permit, ApiError> {
    if !matches!(*shared.state.status.phase.borrow(), EnginePhase::Ready) {
        return Err(Refused::NotReady.into());
    }
    Ok(shared.detect_queue.acquire(caller)?)
}

/// A body and its share of what bodies may hold, which is free again once this is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    pub bytes: Bytes,
    _memory: BodyMemory,
}

/// The whole body, unless it has more than `most` bytes, takes longer than `longest`, or bodies hold too much already.
/// Of one that is too large the rest is read and thrown away, up to [`MAX_READ`]: clients look for the answer only once
/// they have sent everything.
pub(crate) async fn read(limits: &Limits, body: Body, most: usize, longest: Duration) -> Result<Held, ApiError> {
    let read = async {
        let (mut bytes, mut length, mut memory) = (BytesMut::new(), 0, BodyMemory::default());
        let mut chunks = body.into_data_stream();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|_| ApiError::BrokenBody)?;
            length += chunk.len();
            if length <= most {
                limits.grow(&mut memory, length)?;
                bytes.extend_from_slice(&chunk);
            } else if length > MAX_READ {
                break;
            } else {
                (bytes, memory) = (BytesMut::new(), BodyMemory::default());
            }
        }
        if length <= most {
            Ok(Held { bytes: bytes.freeze(), _memory: memory })
        } else {
            Err(ApiError::LargeBody(most))
        }
    };
    timeout(longest, read).await.map_err(|_| ApiError::SlowUpload(longest))?
}

/// Runs `work`, which reads many bytes, on a thread where it holds up no other request.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    spawn_blocking(work).await.map_err(|_| ApiError::Internal)?
}

/// What the engine sees on the picture in `bytes`.
pub(crate) async fn detect(permit: Permit, bytes: Bytes, score: Option<Fraction>) -> Result<DetectResult, ApiError> {
    let request = blocking(move || Ok(Request::new(bytes, score)?)).await?;
    Ok(timeout(DETECT_TIMEOUT, permit.detect(request)).await.map_err(|_| ApiError::Overdue(DETECT_TIMEOUT))??)
}
