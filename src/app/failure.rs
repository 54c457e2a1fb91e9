//! Why the program ends other than by being asked to.

use detector::infer::{InferError, Remedy};
use std::fmt;

/// What systemd is told by the exit code.
#[derive(Debug)]
pub enum Failure {
    /// The configuration can never work: do not restart (78, `EX_CONFIG`).
    Config(anyhow::Error),
    /// A restart may help (75, `EX_TEMPFAIL`).
    Temporary(anyhow::Error),
    /// Anything else (1).
    Other(anyhow::Error),
}

impl Failure {
    /// The process's exit code.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_) => 78,
            Self::Temporary(_) => 75,
            Self::Other(_) => 1,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Config(error) | Self::Temporary(error) | Self::Other(error)) = self;
        write!(f, "{error:#}")
    }
}

impl std::error::Error for Failure {}

impl From<InferError> for Failure {
    fn from(error: InferError) -> Self {
        match error.remedy() {
            Remedy::Reconfigure => Self::Config(error.into()),
            Remedy::Restart => Self::Temporary(error.into()),
            Remedy::Unknown => Self::Other(error.into()),
        }
    }
}
