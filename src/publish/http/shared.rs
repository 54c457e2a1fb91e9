//! What every handler sees.

use crate::{
    channels::{detect_queue::DetectQueue, log_buffer::LogBuffer},
    publish::http::{
        access::rules::Access,
        admin::control::{Control, Refused},
        server::{error::ApiError, http_metrics::HttpMetrics, limits::Limits},
    },
    state::{CameraFeed, DaemonState},
};
use detector::status::EngineInfo;
use prometheus_client::registry::Registry;
use std::{sync::Arc, time::Instant};
use tokio_util::sync::CancellationToken;

/// What every handler sees.
pub(crate) struct Shared {
    pub state: Arc<DaemonState>,
    pub detect_queue: DetectQueue,
    pub control: Option<Arc<dyn Control>>,
    pub metrics: Registry,
    pub http_metrics: HttpMetrics,
    pub limits: Limits,
    pub log_buffer: Arc<LogBuffer>,
    pub access: Access,
    pub stop: CancellationToken,
    pub started: Instant,
}

impl Shared {
    /// The engine that serves.
    pub fn engine(&self) -> Result<Arc<EngineInfo>, ApiError> {
        let engine = self.state.status.engine.borrow().clone();
        Ok(engine.ok_or(Refused::NotReady)?)
    }

    pub fn control(&self) -> Result<&dyn Control, ApiError> {
        self.control.as_deref().ok_or(ApiError::NotFound)
    }

    pub fn camera(&self, name: &str) -> Result<Arc<CameraFeed>, ApiError> {
        self.state.cameras.get(name).ok_or_else(|| ApiError::UnknownCamera(name.to_owned()))
    }
}
