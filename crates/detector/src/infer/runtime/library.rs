//! Loads a libonnxruntime and negotiates the version of its C API.

use super::table;
use ort::sys;
use std::{
    ffi::{CStr, OsStr},
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

/// A library that is loaded and fit to be used.
pub(super) struct Library {
    /// The file, as the loader found it.
    pub file: PathBuf,
    /// What it says its version is, for example `1.11.0`.
    pub version: String,
    /// The API version both sides know.
    pub api: u32,
    /// Its functions, completed to what `ort` expects.
    pub table: sys::OrtApi,
}

/// Why a library cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum LoadError {
    #[error("{0}")]
    Unloadable(String),
    #[error("is no ONNX Runtime: it has no function OrtGetApiBase")]
    Foreign,
    #[error("calls itself ONNX Runtime {0:?}, which is no version")]
    Version(String),
    #[error("is ONNX Runtime {0}; 1.10 or newer is needed (1.11 is the newest for a Jetson Nano)")]
    TooOld(String),
    #[error("is ONNX Runtime {version}, yet does not give its C API of version {api}")]
    NoApi { version: String, api: u32 },
}

/// The entry point every ONNX Runtime exports.
type GetApiBase = unsafe extern "C" fn() -> *const sys::OrtApiBase;

/// Loads `name` (a path, or a bare file name for the system's loader to find) for as long as the process lives.
pub(super) fn load(name: &Path) -> Result<Library, LoadError> {
    // SAFETY: loading runs the library's constructors, so the file must be trusted: it is the one the operator named,
    // or stands where only the operator can put one. It is never unloaded, so nothing of it can dangle.
    let library = unsafe { libloading::Library::new(name) }.map_err(|error| LoadError::Unloadable(describe(&error)))?;
    // SAFETY: every ONNX Runtime exports this symbol with this signature.
    let entry = unsafe { library.get::<GetApiBase>("OrtGetApiBase") }.map(|symbol| *symbol);
    std::mem::forget(library);
    let entry = entry.map_err(|_| LoadError::Foreign)?;
    // SAFETY: see `negotiate`; the library stays loaded.
    let (version, api, table) = unsafe { negotiate(entry) }?;
    let file = if name.is_absolute() { name.to_owned() } else { file_of(entry).unwrap_or_else(|| name.to_owned()) };
    Ok(Library { file, version, api, table })
}

/// Asks the runtime what it is and takes the newest API both sides know.
///
/// # Safety
/// `entry` must be the OrtGetApiBase of a runtime that stays loaded.
unsafe fn negotiate(entry: GetApiBase) -> Result<(String, u32, sys::OrtApi), LoadError> {
    // SAFETY: the entry point takes nothing and gives a static OrtApiBase.
    let base = unsafe { entry() };
    if base.is_null() {
        return Err(LoadError::Foreign);
    }
    // SAFETY: `base` is a static of the library; the version is a static null-terminated string.
    let version = unsafe { CStr::from_ptr(((*base).GetVersionString)()) }.to_string_lossy().into_owned();
    let api = api_of(&version)?;
    // SAFETY: as above. A version the library has is asked for: any other makes it print to stderr.
    let runtime = unsafe { ((*base).GetApi)(api) };
    if runtime.is_null() {
        return Err(LoadError::NoApi { version, api });
    }
    // SAFETY: `runtime` is the table of version `api`, a static of a library that stays loaded, and `api_of` gives
    // only versions that `complete` knows.
    let table = unsafe { table::complete(runtime, api) };
    Ok((version, api, table))
}

/// The API version to ask a runtime of this version for: its minor number, up to what `ort` knows.
fn api_of(version: &str) -> Result<u32, LoadError> {
    let mut numbers = version.split('.').map(str::parse::<u32>);
    let (Some(Ok(major)), Some(Ok(minor))) = (numbers.next(), numbers.next()) else {
        return Err(LoadError::Version(version.to_owned()));
    };
    match (major, minor) {
        (0, _) => Err(LoadError::TooOld(version.to_owned())),
        (1, minor) if minor < table::OLDEST_API => Err(LoadError::TooOld(version.to_owned())),
        (1, minor) => Ok(minor.min(table::NEWEST_API)),
        _ => Ok(table::NEWEST_API),
    }
}

/// The file which the function lies in.
fn file_of(entry: GetApiBase) -> Option<PathBuf> {
    let mut info = libc::Dl_info {
        dli_fname: std::ptr::null(),
        dli_fbase: std::ptr::null_mut(),
        dli_sname: std::ptr::null(),
        dli_saddr: std::ptr::null_mut(),
    };
    // SAFETY: dladdr only looks the address up and fills `info`; a result of 0 means it found nothing.
    let found = unsafe { libc::dladdr(entry as *const libc::c_void, &raw mut info) } != 0;
    if !found || info.dli_fname.is_null() {
        return None;
    }
    // SAFETY: dladdr succeeded, so the name is a null-terminated string that lives as long as the library.
    let name = unsafe { CStr::from_ptr(info.dli_fname) };
    Some(PathBuf::from(OsStr::from_bytes(name.to_bytes())))
}

/// The loader's own words, which `libloading` keeps in the error's source.
fn describe(error: &libloading::Error) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_api_follows_from_the_version() {
        for (version, api) in
            [("1.10.0", 10), ("1.11.1", 11), ("1.16.3", 16), ("1.17.0", 17), ("1.30.0", 17), ("2.0.0", 17)]
        {
            assert_eq!(api_of(version).ok(), Some(api), "{version}");
        }
    }

    #[test]
    fn old_and_foreign_versions_are_refused_in_words() {
        for (version, words) in [
            ("1.9.0", "is ONNX Runtime 1.9.0; 1.10 or newer is needed (1.11 is the newest for a Jetson Nano)"),
            ("0.5.0", "is ONNX Runtime 0.5.0; 1.10 or newer is needed (1.11 is the newest for a Jetson Nano)"),
            ("", "calls itself ONNX Runtime \"\", which is no version"),
            ("nightly", "calls itself ONNX Runtime \"nightly\", which is no version"),
        ] {
            assert_eq!(api_of(version).unwrap_err().to_string(), words);
        }
    }

    #[test]
    fn a_library_that_is_no_onnx_runtime_is_refused() {
        let refusal = load(Path::new("libc.so.6")).err().map(|refusal| refusal.to_string());
        assert_eq!(refusal.as_deref(), Some("is no ONNX Runtime: it has no function OrtGetApiBase"));
    }
}
