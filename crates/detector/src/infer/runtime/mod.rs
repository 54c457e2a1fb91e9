//! ONNX Runtime itself: found, loaded and negotiated once per process, for whichever version is there.
//!
//! All unsafe code of the program lies in this folder.
#![expect(unsafe_code, reason = "a C library is loaded at run time and its table of functions completed")]

pub(super) mod legacy;
mod library;
pub(super) mod log;
mod process;
mod search;
mod table;

pub(super) use process::give_back_memory;
pub use process::{disable_telemetry, end_process};
pub use search::{LoadAttempt, Origin};

use super::{Config, DeadlineMonitor, InferError};
use crate::sync;
use library::Library;
use ort::{
    environment::Environment,
    ep::{self, ExecutionProvider},
    logging::LogLevel,
};
use std::{
    path::{Path, PathBuf},
    sync::Mutex,
};

/// Where `sightd setup-runtime` puts the library.
pub const FOLDER: &str = "/opt/sightd/lib";

/// Where packages put the library.
const SYSTEM_FOLDERS: [&str; 2] = ["/usr/lib/sightd", FOLDER];

/// A loaded ONNX Runtime. Cloning is cheap; there is one per process.
#[derive(Clone, Debug)]
pub struct Runtime {
    environment: Environment,
    library: PathBuf,
    version: String,
    api: u32,
    build: Build,
    deadline: Option<DeadlineMonitor>,
}

/// Which devices a runtime was compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Build {
    /// With the CUDA execution provider, and with or without TensorRT.
    Gpu,
    /// For the CPU only.
    CpuOnly,
}

/// The one runtime of this process, once it is loaded.
static LOADED: Mutex<Option<Runtime>> = Mutex::new(None);

impl Runtime {
    /// Finds ONNX Runtime, loads it and makes its environment. The library is taken from the config, else from
    /// `ORT_DYLIB_PATH`, else from our library folders, else from the system's loader.
    ///
    /// Later calls give the same runtime, since a process can have only one.
    ///
    /// # Errors
    /// When no usable library is found (every place looked at is named), or when the config asks for another library
    /// than the one that is loaded.
    pub fn load(config: &Config) -> Result<Self, InferError> {
        let mut loaded = sync::lock(&LOADED);
        if let Some(runtime) = loaded.as_ref() {
            return runtime.same_as(config.library.as_deref());
        }
        let runtime = Self::start(find(config.library.as_deref())?)?;
        tracing::info!(
            library = %runtime.library.display(),
            version = runtime.version,
            api = runtime.api,
            build = ?runtime.build,
            "ONNX Runtime loaded"
        );
        *loaded = Some(runtime.clone());
        Ok(runtime)
    }

    /// Gives the library to `ort` and makes the environment.
    fn start(library: Library) -> Result<Self, InferError> {
        let Library { file, version, api, table } = library;
        // The only other caller of `set_api` would be a start that failed below: then its table serves as well.
        ort::set_api(table);
        let refused = |error: ort::Error| InferError::Environment { library: file.clone(), reason: error.to_string() };
        let environment = ort::init()
            .with_name("sightd")
            .with_telemetry(false)
            .with_logger(log::logger())
            .build()
            .map_err(refused)?;
        environment.set_log_level(LogLevel::Warning);
        let gpu = ep::CUDA::is_available().map_err(refused)? || ep::TensorRT::is_available().map_err(refused)?;
        let build = if gpu { Build::Gpu } else { Build::CpuOnly };
        Ok(Self { environment, library: file, version, api, build, deadline: None })
    }

    /// This runtime, unless another library is wanted.
    fn same_as(&self, wanted: Option<&Path>) -> Result<Self, InferError> {
        let Some(wanted) = wanted else { return Ok(self.clone()) };
        let plan = search::plan(&search::SearchEnv { config: Some(wanted), ..nowhere() });
        match plan.candidates.first() {
            Some((_, file)) if *file == self.library => Ok(self.clone()),
            _ => Err(InferError::OtherLibrary { loaded: self.library.clone(), wanted: wanted.to_owned() }),
        }
    }

    /// The same runtime, whose engines and their making are watched.
    #[must_use]
    pub fn watched(mut self, deadline: DeadlineMonitor) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// The library file.
    pub fn library(&self) -> &Path {
        &self.library
    }

    /// ONNX Runtime's version, for example `1.11.0`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The version of the C API that is used: 10 to 17.
    pub fn api(&self) -> u32 {
        self.api
    }

    /// Which devices it was compiled for.
    pub fn build(&self) -> Build {
        self.build
    }

    /// Who watches its engines.
    pub(super) fn deadline(&self) -> Option<&DeadlineMonitor> {
        self.deadline.as_ref()
    }

    /// What sessions are made in.
    pub(super) fn environment(&self) -> &Environment {
        &self.environment
    }
}

/// No hints at all.
fn nowhere() -> search::SearchEnv<'static> {
    search::SearchEnv { config: None, variable: None, executable: None, system: &[] }
}

/// Loads the first usable library.
fn find(config: Option<&Path>) -> Result<Library, InferError> {
    let variable = std::env::var_os(search::VARIABLE).filter(|value| !value.is_empty()).map(PathBuf::from);
    let executable = std::env::current_exe().ok();
    let plan = search::plan(&search::SearchEnv { config, variable, executable, system: &SYSTEM_FOLDERS });
    let mut tried = plan.empty;
    for (origin, place) in plan.candidates {
        match library::load(&place) {
            Ok(library) => return Ok(library),
            Err(refusal) => {
                if origin.is_chosen() {
                    return Err(InferError::Library {
                        attempt: LoadAttempt { origin, place, reason: refusal.to_string() },
                    });
                }
                tried.push(LoadAttempt { origin, place, reason: refusal.to_string() });
            }
        }
    }
    match tried.as_slice() {
        [attempt] if attempt.origin.is_chosen() => Err(InferError::Library { attempt: attempt.clone() }),
        _ => Err(InferError::NoLibrary { tried }),
    }
}
