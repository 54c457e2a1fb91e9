//! From the picture in a request's body to what is seen on it.
//!
//! A caller first gets a place in the lane; only then is its body read, up to [`LARGEST_PICTURE`] bytes.

use super::{Shared, control::Refused, error::ApiError, extract::in_time};
use crate::{
    fraction::Fraction,
    lane::{Place, Request},
    status::EnginePhase,
    still::Seen,
};
use axum::body::{Body, Bytes};
use bytes::BytesMut;
use futures_util::StreamExt;
use std::{net::IpAddr, time::Duration};
use tokio::time::timeout;

/// The largest body with a picture.
pub(super) const LARGEST_PICTURE: usize = 10 << 20;
/// How much of a body is read at all.
const MOST_READ: usize = 8 * LARGEST_PICTURE;
/// How long a picture may wait for the engine, which looks at one in well under a second.
const LOOK_PATIENCE: Duration = Duration::from_secs(60);

/// A place in the lane, if the engine serves and one is free.
pub(super) fn enter(shared: &Shared, caller: IpAddr) -> Result<Place, ApiError> {
    if !matches!(*shared.bus.phase.borrow(), EnginePhase::Ready) {
        return Err(Refused::NotReady.into());
    }
    Ok(shared.lane.enter(caller)?)
}

/// The whole body, unless it has more than `most` bytes or comes too slowly. Of one that is too large the rest is read
/// and thrown away, up to [`MOST_READ`]: clients look for the answer only once they have sent everything.
pub(super) async fn read(body: Body, most: usize) -> Result<Bytes, ApiError> {
    let read = async {
        let (mut bytes, mut length) = (BytesMut::new(), 0);
        let mut chunks = body.into_data_stream();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|_| ApiError::BrokenBody)?;
            length += chunk.len();
            if length <= most {
                bytes.extend_from_slice(&chunk);
            } else if length > MOST_READ {
                break;
            }
        }
        if length <= most { Ok(bytes.freeze()) } else { Err(ApiError::LargeBody(most)) }
    };
    in_time(read).await?
}

/// What the engine sees on the picture in `bytes`.
pub(super) async fn look(place: Place, bytes: Bytes, score: Option<Fraction>) -> Result<Seen, ApiError> {
    let request = Request::new(bytes, score)?;
    Ok(timeout(LOOK_PATIENCE, place.look(request)).await.map_err(|_| ApiError::Overdue(LOOK_PATIENCE))??)
}
