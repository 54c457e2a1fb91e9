//! Downloads by curl, which knows the proxies and certificates of the machine.

use std::io::{self, Read, Write};
use std::process::{Command, Stdio};

/// curl's exit code when the server cannot send the rest of a file.
const CANNOT_RESUME: i32 = 33;
/// Fewer bytes a second than this, for [`SLOW_SECONDS`], end a download.
const SLOW_BYTES: &str = "100";
/// Seconds until a connection, or a download without progress, is given up.
const SLOW_SECONDS: &str = "60";

/// A file on a server.
#[derive(Clone, Copy, Debug)]
pub struct Download<'a> {
    /// Its address.
    pub url: &'a str,
    /// The protocols that are allowed, also behind redirections, in the form of curl's `--proto`: `=https`.
    pub protocols: &'a str,
    /// The most bytes that the whole file may have: the download ends behind them.
    pub max_bytes: u64,
}

/// Why a download failed.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// curl cannot be started.
    #[error("curl cannot be started: {0}")]
    NotStarted(io::Error),
    /// The bytes cannot be read from curl or written to the file.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// curl failed.
    #[error("curl failed: {}", String::from_utf8_lossy(stderr))]
    Failed {
        /// Its exit code, if it ended by itself.
        code: Option<i32>,
        /// What it wrote to the standard error.
        stderr: Vec<u8>,
    },
}

impl DownloadError {
    /// Whether the server cannot send a file from the middle on; from the start it can.
    pub fn is_not_resumable(&self) -> bool {
        matches!(self, Self::Failed { code: Some(CANNOT_RESUME), .. })
    }
}

impl Download<'_> {
    /// Appends the file from byte `done` on to `file`. `progress` is told how many bytes of it there are.
    ///
    /// # Errors
    /// [`DownloadError`]; what arrived before stays in `file`.
    pub fn append_to(self, file: &mut impl Write, done: u64, progress: &dyn Fn(u64)) -> Result<(), DownloadError> {
        let mut curl = Command::new("curl");
        curl.args(["--fail", "--location", "--silent", "--show-error", "--connect-timeout", SLOW_SECONDS]);
        curl.args(["--speed-limit", SLOW_BYTES, "--speed-time", SLOW_SECONDS, "--proto", self.protocols]);
        curl.args(["--continue-at", &done.to_string(), "--", self.url]);
        let piped = curl.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().map_err(DownloadError::NotStarted)?;
        let copied = child.stdout.take().map_or(Ok(()), |bytes| copy(bytes, file, done, self.max_bytes, progress));
        // `copy` closed the pipe, so that curl ends by itself.
        let output = child.wait_with_output()?;
        copied?;
        if output.status.success() {
            return Ok(());
        }
        Err(DownloadError::Failed { code: output.status.code(), stderr: output.stderr })
    }
}

/// Copies until the end, or until there are more than `max` bytes, `done` of which are there.
fn copy(mut from: impl Read, to: &mut impl Write, mut done: u64, max: u64, progress: &dyn Fn(u64)) -> io::Result<()> {
    let mut buffer = vec![0; 1 << 16];
    while done <= max {
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
