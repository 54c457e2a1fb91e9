//! Fetches a package's archive: the registry's own program gives its address, curl downloads it, and resumes an
//! earlier download that was interrupted.

use super::entry::{Package, Registry};
use super::error::PullError;
use crate::download::{Download, DownloadError};
use detector::files::sha256_of;
use fs_err as fs;
use fs_err::File;
use serde_json::Value;
use std::io::{self, Seek};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What a pull is doing, for a progress bar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PullEvent {
    /// The package is being fetched; left out when an earlier pull left it.
    Fetch {
        /// Bytes downloaded so far.
        done: u64,
    },
    /// The archive's SHA-256 is checked.
    Check,
    /// The model's files are extracted.
    Unpack,
    /// The model is imported and written.
    Import,
}

/// A program that is needed to fetch.
#[derive(Clone, Copy)]
struct Tool {
    name: &'static str,
    /// The Debian package that holds it.
    debian: &'static str,
}

const NPM: Tool = Tool { name: "npm", debian: "npm" };
const PIP: Tool = Tool { name: "pip (22.2 or newer)", debian: "python3-pip" };
const CURL: Tool = Tool { name: "curl", debian: "curl" };

/// How many of the last lines that a tool printed an error shows.
const LAST_LINES: usize = 5;

/// The archive of `package` in `downloads`: from an earlier fetch, or from the registry. Until it is complete and its
/// SHA-256 was checked it has another name.
pub(super) fn fetch(package: &Package, downloads: &Path, progress: &dyn Fn(PullEvent)) -> Result<PathBuf, PullError> {
    let archive = downloads.join(&package.archive);
    if archive.exists() {
        progress(PullEvent::Check);
        if check(package, &archive).is_ok() {
            return Ok(archive);
        }
    }
    let part = downloads.join(format!("{}.part", package.archive));
    fs::create_dir_all(downloads)?;
    let mut file = fs::OpenOptions::new().create(true).append(true).open(&part)?;
    file.file().try_lock().map_err(|_| PullError::Busy { path: part.clone() })?;
    complete(package, &mut file, &|done| progress(PullEvent::Fetch { done }))?;
    progress(PullEvent::Check);
    if let Err(error) = check(package, &part) {
        // Resuming a damaged file would never complete it.
        fs::remove_file(&part)?;
        return Err(error);
    }
    fs::rename(&part, &archive)?;
    Ok(archive)
}

/// Appends to `part` what is missing of the archive; `progress` is told how many bytes there are.
fn complete(package: &Package, part: &mut File, progress: &dyn Fn(u64)) -> Result<(), PullError> {
    let done = part.seek(io::SeekFrom::End(0))?;
    progress(done);
    if done >= package.bytes {
        return Ok(());
    }
    let url = address(package)?;
    // A mirror inside a network may have no certificate: the SHA-256 is checked.
    let download = Download { url: &url, protocols: "=https,http", max_bytes: package.bytes };
    let mut outcome = download.append_to(part, done, progress);
    if outcome.as_ref().is_err_and(DownloadError::is_not_resumable) {
        part.set_len(0)?;
        outcome = download.append_to(part, 0, progress);
    }
    outcome.map_err(|error| match error {
        DownloadError::NotStarted(source) => not_started(package, CURL, source),
        DownloadError::Io(source) => source.into(),
        DownloadError::Failed { code, stderr } => failed(package, CURL, code, &stderr),
    })
}

/// The archive's address in the registry that this machine is set up for.
fn address(package: &Package) -> Result<String, PullError> {
    let Package { name, version, .. } = package;
    match package.registry {
        Registry::Npm => {
            let mut npm = Command::new("npm");
            npm.args(["view", "--silent"]).arg(format!("{name}@{version}")).arg("dist.tarball");
            Ok(stdout_of(package, NPM, npm)?.trim().to_owned())
        }
        Registry::Pypi => {
            let mut pip = Command::new("python3");
            let words = "-m pip install --quiet --dry-run --no-deps --ignore-installed --only-binary :all: --report -";
            pip.args(words.split(' ')).arg(format!("{name}=={version}"));
            let report = stdout_of(package, PIP, pip)?;
            let report: Value = serde_json::from_str(&report).unwrap_or_default();
            let url = report.pointer("/install/0/download_info/url").and_then(Value::as_str);
            url.map(str::to_owned).ok_or_else(|| failed(package, PIP, None, b"its report names no address"))
        }
    }
}

/// The standard output of `command`, which runs `tool`.
fn stdout_of(package: &Package, tool: Tool, mut command: Command) -> Result<String, PullError> {
    let output = command.stdin(Stdio::null()).output().map_err(|source| not_started(package, tool, source))?;
    if !output.status.success() {
        return Err(failed(package, tool, output.status.code(), &output.stderr));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn check(package: &Package, archive: &Path) -> Result<(), PullError> {
    let found = sha256_of(archive)?;
    if found == package.sha256 {
        return Ok(());
    }
    Err(PullError::Sha256 { path: archive.to_owned(), found, expected: package.sha256.clone() })
}

fn not_started(package: &Package, tool: Tool, source: io::Error) -> PullError {
    let Tool { name: program, debian } = tool;
    PullError::Program { program, debian, package: package.to_string(), archive: package.archive.clone(), source }
}

/// A tool that failed, with the last lines of its standard error.
fn failed(package: &Package, tool: Tool, code: Option<i32>, stderr: &[u8]) -> PullError {
    let stderr = String::from_utf8_lossy(stderr);
    let lines: Vec<&str> = stderr.lines().collect();
    let stderr = lines[lines.len().saturating_sub(LAST_LINES)..].join("\n");
    let (package, archive) = (package.to_string(), package.archive.clone());
    PullError::Fetch { program: tool.name, package, archive, stderr, code }
}
