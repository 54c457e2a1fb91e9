//! Why inference is not available.

use super::{OptionError, Provider, runtime::LoadAttempt};
use std::{fmt, path::PathBuf, time::Duration};

/// Why inference is not available, or failed.
#[derive(Debug, thiserror::Error)]
pub enum InferError {
    /// No usable libonnxruntime was found.
    #[error(
        "no usable ONNX Runtime (libonnxruntime.so, version 1.10 or newer) was found: give one to `sightd \
         setup-runtime`, or name one as `runtime.library`. Searched:{}", list(.tried)
    )]
    NoLibrary {
        /// Every place, in the order of the search.
        tried: Vec<LoadAttempt>,
    },
    /// The library somebody chose cannot be used.
    #[error("the chosen ONNX Runtime cannot be used: {attempt}")]
    Library {
        /// The place and what is wrong with it.
        attempt: LoadAttempt,
    },
    /// Another library is wanted than the one in use.
    #[error(
        "runtime.library = {} asks for another ONNX Runtime than the loaded {}: a process can load only one, restart \
         sightd to change it", .wanted.display(), .loaded.display()
    )]
    OtherLibrary {
        /// The library in use.
        loaded: PathBuf,
        /// The one in the config.
        wanted: PathBuf,
    },
    /// The runtime could be loaded, but not started.
    #[error("ONNX Runtime {} could not be started: {reason}", .library.display())]
    Environment {
        /// The library.
        library: PathBuf,
        /// The runtime's words.
        reason: String,
    },
    /// The model's file is damaged, no ONNX file, or one that this runtime cannot run.
    #[error(
        "the model {} cannot be used: {reason}. Fetch or import it again; ONNX Runtime 1.11 takes opset 15 and IR \
         version 8 at most", .path.display()
    )]
    ModelRefused {
        /// The ONNX file.
        path: PathBuf,
        /// The runtime's words.
        reason: String,
    },
    /// The model's graph is not what its manifest says.
    #[error("the model {} does not fit its description: {mismatch}", .path.display())]
    ModelMismatch {
        /// The ONNX file.
        path: PathBuf,
        /// What differs.
        mismatch: String,
    },
    /// `runtime.require` names a provider that this runtime does not have.
    #[error("runtime.require = \"{provider}\", but it is not available: {reason}")]
    RequiredMissing {
        /// The provider.
        provider: Provider,
        /// The runtime's words.
        reason: String,
    },
    /// `runtime.require` names a provider whose device does not answer just now.
    #[error("runtime.require = \"{provider}\", but its device does not answer: {reason}")]
    RequiredSilent {
        /// The provider.
        provider: Provider,
        /// The runtime's words.
        reason: String,
    },
    /// An option of a provider cannot be passed on.
    #[error(transparent)]
    Option(#[from] OptionError),
    /// None of the configured providers is available, and the CPU is not among them.
    #[error("none of runtime.providers is available, and \"cpu\" is not among them: {reasons}")]
    NoProvider {
        /// The runtime's words for each.
        reasons: String,
    },
    /// The folder for built engines cannot be used.
    #[error("the engine cache {} cannot be used: {reason}; set runtime.cache_dir to a folder sightd can write", .folder.display())]
    Cache {
        /// The folder.
        folder: PathBuf,
        /// The system's words.
        reason: std::io::Error,
    },
    /// A run or the making of a session took too long; it came back, but the device cannot be trusted.
    #[error("{0}")]
    Deadline(Stuck),
    /// The runtime refused to make a session for a reason that is none of the above.
    #[error("ONNX Runtime could not make a session: {0}")]
    Session(String),
    /// The runtime refused a run.
    #[error("the network could not be run: {0}")]
    Run(String),
}

/// What an error asks of the one who started the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// It can never work like this: change the configuration or the files (exit code 78).
    Reconfigure,
    /// It may work after a restart (exit code 75).
    Restart,
    /// Neither is certain (exit code 1).
    Unknown,
}

impl InferError {
    /// What the error asks for.
    pub fn remedy(&self) -> Remedy {
        match self {
            Self::NoLibrary { .. }
            | Self::Library { .. }
            | Self::ModelRefused { .. }
            | Self::ModelMismatch { .. }
            | Self::RequiredMissing { .. }
            | Self::Option(_)
            | Self::NoProvider { .. }
            | Self::Cache { .. } => Remedy::Reconfigure,
            Self::RequiredSilent { .. } | Self::OtherLibrary { .. } | Self::Deadline(_) => Remedy::Restart,
            Self::Environment { .. } | Self::Session(_) | Self::Run(_) => Remedy::Unknown,
        }
    }
}

/// One line for each place.
fn list(tried: &[LoadAttempt]) -> String {
    tried.iter().map(|attempt| format!("\n  {attempt}")).collect()
}

/// Work that did not come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stuck {
    /// What hangs.
    pub work: Work,
    /// How long it was allowed to take.
    pub limit: Duration,
}

impl fmt::Display for Stuck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, key) = match self.work {
            Work::Build => ("making the session", "runtime.build_deadline"),
            Work::Run => ("a run of the network", "runtime.deadline"),
        };
        write!(
            f,
            "{what} takes longer than {key} = {:#}",
            jiff::SignedDuration::try_from(self.limit).unwrap_or_default()
        )
    }
}

/// What is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Making a session, with TensorRT: building its engine; and its first run.
    Build,
    /// One run.
    Run,
}
