//! What can go wrong with a source: before it starts ([`SourceError`]) and while it runs ([`Fault`]).

use super::uri::BadUri;
use std::{fmt, io, path::PathBuf};

/// Why a source could not be started, or stopped.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The source's URI is wrong.
    #[error(transparent)]
    Uri(#[from] BadUri),
    /// A file or folder that is to be read cannot be.
    #[error("{}: {error}; check the path and that this user may read it", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// A path is there, but is of the wrong kind.
    #[error("{}: {problem}", path.display())]
    Unfit {
        /// The path.
        path: PathBuf,
        /// What is wrong, and what is wanted.
        problem: &'static str,
    },
    /// An option does not go with the source.
    #[error("`{option}` does not go with {uri}: {reason}")]
    Option {
        /// The option's name in the configuration.
        option: &'static str,
        /// The source, without passwords.
        uri: String,
        /// What it goes with.
        reason: &'static str,
    },
    /// A GStreamer element is not installed.
    #[error("GStreamer's element `{element}` is missing: {hint}")]
    MissingElement {
        /// The element.
        element: String,
        /// How to get it.
        hint: String,
    },
    /// No USB camera fits the name.
    #[error("no USB camera fits {name:?}; plugged in: {found}")]
    NoSuchCamera {
        /// The name asked for.
        name: String,
        /// The cameras there are.
        found: String,
    },
    /// A USB camera has no mode of the size asked for.
    #[error("{camera} cannot send {wanted}; it has {modes}")]
    NoSuchMode {
        /// The camera.
        camera: String,
        /// What was asked for.
        wanted: String,
        /// What it has.
        modes: String,
    },
    /// GStreamer does not understand the pipeline.
    #[error("GStreamer cannot build the pipeline `{pipeline}`: {message}")]
    Pipeline {
        /// The pipeline.
        pipeline: String,
        /// GStreamer's words.
        message: String,
    },
    /// GStreamer itself cannot be used.
    #[error("GStreamer cannot be started: {0}")]
    GStreamer(String),
    /// No thread could be had.
    #[error("no thread for camera {camera}: {error}")]
    Thread {
        /// The camera's name.
        camera: String,
        /// Why not.
        error: io::Error,
    },
    /// A source had not stopped when its time was over.
    #[error("camera {camera} has not stopped in time; its pipeline is left behind")]
    StopLate {
        /// The camera's name.
        camera: String,
    },
}

impl SourceError {
    /// Whether the configuration is at fault, so that trying again cannot help (exit code 78).
    pub fn is_config(&self) -> bool {
        match self {
            Self::Uri(_)
            | Self::Unreadable { .. }
            | Self::Unfit { .. }
            | Self::Option { .. }
            | Self::MissingElement { .. }
            | Self::NoSuchMode { .. }
            | Self::Pipeline { .. } => true,
            Self::NoSuchCamera { .. } | Self::GStreamer(_) | Self::Thread { .. } | Self::StopLate { .. } => false,
        }
    }
}

/// Why a running source stopped giving frames.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// What helps against it.
    pub retry: RetryPolicy,
    /// What happened, in words.
    pub text: String,
}

/// What helps against a [`Fault`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RetryPolicy {
    /// Trying again soon.
    Retry,
    /// Trying again, but seldom: the camera refused the password, and may lock the account.
    RetrySeldom,
    /// Nothing but another configuration.
    Reconfigure,
}

impl Fault {
    /// A fault that may pass.
    pub fn passing(text: impl Into<String>) -> Self {
        Self { retry: RetryPolicy::Retry, text: text.into() }
    }

    /// A fault that stays until the configuration is changed.
    pub fn lasting(text: impl Into<String>) -> Self {
        Self { retry: RetryPolicy::Reconfigure, text: text.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<SourceError> for Fault {
    fn from(error: SourceError) -> Self {
        let retry = if error.is_config() { RetryPolicy::Reconfigure } else { RetryPolicy::Retry };
        Self { retry, text: error.to_string() }
    }
}
