//! What the API is built from.

use crate::{
    channels::{detect_queue::DetectQueue, latest_frames::FramesHandle, log_buffer::LogBuffer},
    publish::http::{
        access::rules::Access, admin::control::Control, config::Config, server::tls::Certificate, setup::SetupError,
    },
    state::DaemonState,
};
use axum::http::{HeaderValue, Uri};
use std::sync::Arc;

/// What the API answers from.
pub struct Api {
    pub(super) state: Arc<DaemonState>,
    pub(super) detect_queue: DetectQueue,
    pub(super) control: Option<Arc<dyn Control>>,
    pub(super) frames_handle: Option<FramesHandle>,
    pub(super) log_buffer: Arc<LogBuffer>,
    pub(super) access: Access,
    pub(super) certificate: Option<Arc<Certificate>>,
    pub(super) origins: Vec<HeaderValue>,
}

impl Api {
    /// The API over `state`, with detection in single pictures through `detect_queue`.
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

    /// Counts in the metrics the frames that `frames_handle` dropped.
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

fn parse_origin(origin: &str) -> Result<HeaderValue, SetupError> {
    let is_origin = origin.parse::<Uri>().is_ok_and(|uri| uri.scheme().is_some() && uri.authority().is_some())
        && !origin.ends_with('/');
    let value = origin.parse().ok().filter(|_| is_origin);
    value.ok_or_else(|| SetupError::Origin(origin.to_owned()))
}
