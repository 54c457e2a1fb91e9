//! What all clients together may take of the daemon, and how often a client met a limit, for `/metrics`.

use super::error::ApiError;
use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder},
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};
use std::{fmt, sync::Arc};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// WebSockets that are open at a time.
const MAX_WEBSOCKETS: usize = 2048;
/// WebSockets at `/detect` that are open at a time: each may hold one unfinished message of picture size.
const MAX_DETECT_WEBSOCKETS: usize = 4;
/// Bodies with pictures that are held at a time, all routes together, in KiB.
const MAX_BODIES_KIB: usize = 96 * 1024;

/// A limit that a client met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Limit {
    /// As many WebSockets are open as may be.
    WebSockets,
    /// As many WebSockets at `/detect` are open as may be.
    DetectWebSockets,
    /// A WebSocket's client took no bytes for too long.
    UnreadBytes,
    /// A WebSocket's client at `/detect` sent no complete message in time.
    MessageTime,
    /// Bodies hold as much memory as they may.
    Bodies,
    /// As many forms of clients without a token are being read as may be.
    Forms,
}

impl Limit {
    const ALL: [Self; 6] =
        [Self::WebSockets, Self::DetectWebSockets, Self::UnreadBytes, Self::MessageTime, Self::Bodies, Self::Forms];
}

impl EncodeLabelValue for Limit {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        let name = match self {
            Self::WebSockets => "websockets",
            Self::DetectWebSockets => "detect_websockets",
            Self::UnreadBytes => "unread_bytes",
            Self::MessageTime => "message_time",
            Self::Bodies => "bodies",
            Self::Forms => "forms",
        };
        EncodeLabelValue::encode(&name, encoder)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Met {
    limit: Limit,
}

/// The limits and their counters. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    websockets: Arc<Semaphore>,
    detect_websockets: Arc<Semaphore>,
    bodies: Arc<Semaphore>,
    hits: Family<Met, Counter>,
}

/// A part of what bodies may hold; free again once dropped.
#[derive(Debug, Default)]
pub(crate) struct BodyMemory {
    permit: Option<OwnedSemaphorePermit>,
}

impl Default for Limits {
    fn default() -> Self {
        let hits = Family::default();
        for limit in Limit::ALL {
            drop(hits.get_or_create(&Met { limit })); // shown as 0 until a client meets it
        }
        Self {
            websockets: Arc::new(Semaphore::new(MAX_WEBSOCKETS)),
            detect_websockets: Arc::new(Semaphore::new(MAX_DETECT_WEBSOCKETS)),
            bodies: Arc::new(Semaphore::new(MAX_BODIES_KIB)),
            hits,
        }
    }
}

impl Limits {
    /// Shows the counter in `registry`.
    pub fn register(&self, registry: &mut Registry) {
        registry.register("http_limit_hits", "Times a client met a limit", self.hits.clone());
    }

    /// Counts that a client met `limit`.
    pub fn hit(&self, limit: Limit) {
        self.hits.get_or_create(&Met { limit }).inc();
    }

    /// A permit for one more WebSocket.
    pub fn websocket(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        self.acquire(&self.websockets, Limit::WebSockets)
    }

    /// A permit for one more WebSocket at `/detect`.
    pub fn detect_websocket(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        self.acquire(&self.detect_websockets, Limit::DetectWebSockets)
    }

    fn acquire(&self, semaphore: &Arc<Semaphore>, limit: Limit) -> Result<OwnedSemaphorePermit, ApiError> {
        semaphore.clone().try_acquire_owned().map_err(|_| {
            self.hit(limit);
            ApiError::Occupied
        })
    }

    /// Takes room for a body that has grown to `bytes`, beside what `memory` holds already.
    pub fn grow(&self, memory: &mut BodyMemory, bytes: usize) -> Result<(), ApiError> {
        let held = memory.permit.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let more = bytes.div_ceil(1024).saturating_sub(held);
        let Ok(more) = u32::try_from(more) else { return Err(ApiError::Occupied) };
        if more == 0 {
            return Ok(());
        }
        let Ok(permit) = self.bodies.clone().try_acquire_many_owned(more) else {
            self.hit(Limit::Bodies);
            return Err(ApiError::Occupied);
        };
        match &mut memory.permit {
            Some(held) => held.merge(permit),
            None => memory.permit = Some(permit),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_share_one_bound() {
        let limits = Limits::default();
        let (mut first, mut second) = (BodyMemory::default(), BodyMemory::default());
        limits.grow(&mut first, 1000).unwrap();
        limits.grow(&mut first, MAX_BODIES_KIB * 1024 - 4096).unwrap();
        limits.grow(&mut second, 4096).unwrap();
        assert!(matches!(limits.grow(&mut second, 4097), Err(ApiError::Occupied)));
        assert_eq!(limits.hits.get_or_create(&Met { limit: Limit::Bodies }).get(), 1);
        drop(first);
        limits.grow(&mut second, 8192).unwrap();
    }
}
