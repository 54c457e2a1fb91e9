//! What the checks of the doctor are given.

use crate::{board::BoardStatus, ops::telemetry::Tree};
use detector::infer::cache::Entry;
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
    /// GStreamer's version, or why it cannot be used.
    pub gstreamer: Result<String, String>,
    /// Elements of GStreamer that the sources need and that are not installed.
    pub missing_elements: Vec<ElementFact>,
    /// The element of GStreamer that encodes live video, or what is missing for it.
    pub video_encoder: Result<String, String>,
    /// The cameras of the configuration.
    pub cameras: Vec<CameraFact>,
    /// The folder for engines, or why it cannot be written.
    pub cache: Result<PathBuf, String>,
    /// The engines that TensorRT has built, and the builds that did not end.
    pub engines: Vec<Entry>,
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
    /// The execution providers that were asked for, in order.
    pub providers: Vec<ProviderFact>,
}

/// An execution provider.
#[derive(Clone, Debug)]
pub struct ProviderFact {
    /// Its name: `tensorrt`, `cuda`, `cpu`.
    pub name: String,
    /// Why it is not available, in the runtime's words; none when it can.
    pub missing: Option<String>,
}

/// An element of GStreamer.
#[derive(Clone, Debug)]
pub struct ElementFact {
    /// Its name.
    pub element: String,
    /// The package that has it.
    pub package: String,
}

/// A camera of the configuration.
#[derive(Clone, Debug)]
pub struct CameraFact {
    /// Its name.
    pub name: String,
    /// Its source, without passwords.
    pub source: String,
    /// What must be there for it and is not, in words.
    pub missing: Option<String>,
    /// How it is connected.
    pub connection: Connection,
}

/// How a camera is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connection {
    /// To a Jetson's camera port.
    Csi,
    /// In any other way.
    Other,
}

/// The address the daemon listens on.
#[derive(Clone, Debug)]
pub enum ListenerFact {
    /// Free to be used.
    Free(SocketAddr),
    /// A running sightd has it.
    Ours(SocketAddr),
    /// Another program has it, or it cannot be used.
    Refused(SocketAddr, String),
    /// The configuration does not say.
    Unknown,
}
