//! What the doctor looks at.

use crate::{board::BoardStatus, ops::telemetry::Tree};
use std::{net::SocketAddr, path::PathBuf};

/// Everything the checks are told. Files of the system are read through `tree`.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The system's files.
    pub tree: Tree,
    /// A reading of the machine.
    pub board: BoardStatus,
    /// The files of the configuration, or every mistake in them.
    pub config: Result<Vec<PathBuf>, Vec<String>>,
    /// ONNX Runtime as it was loaded, or why not.
    pub runtime: Result<RuntimeFact, String>,
    /// Elements of GStreamer that the daemon may need here, with the package of each that is missing.
    pub missing_elements: Vec<(String, String)>,
    /// The cameras of the configuration.
    pub cameras: Vec<CameraFact>,
    /// Why engines can't be written to the cache folder, if so.
    pub cache: Result<PathBuf, String>,
    /// Whether somebody keeps the clock right; none if that is unknown.
    pub clock_synchronised: Option<bool>,
    /// What happened when the daemon's address was tried.
    pub listener: ListenerFact,
    /// The value of `DISPLAY`.
    pub display: Option<String>,
}

/// ONNX Runtime.
#[derive(Clone, Debug)]
pub struct RuntimeFact {
    /// Its version.
    pub version: String,
    /// The library's file.
    pub library: PathBuf,
    /// Whether it was built for GPUs.
    pub gpu: bool,
}

/// A camera of the configuration.
#[derive(Clone, Debug)]
pub struct CameraFact {
    /// Its name.
    pub name: String,
    /// Its source, without passwords.
    pub source: String,
    /// A device or file that must be there for it, where there is one.
    pub needs: Option<PathBuf>,
    /// Whether it is connected to a Jetson's camera port.
    pub is_csi: bool,
}

/// The address the daemon listens on.
#[derive(Clone, Debug)]
pub enum ListenerFact {
    /// Free to be used.
    Free(SocketAddr),
    /// sightd answers there.
    Ours(SocketAddr),
    /// Another program has it, or it can't be used.
    Refused(SocketAddr, String),
    /// The configuration does not say.
    Unknown,
}
