//! From what the user names to a file on this machine.

use anyhow::{Context, bail};
use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// The file that `from` names, or the one that lies at that address, fetched into `folder` by curl. An address without
/// encryption is taken only when the SHA-256 is `known`: what comes from there is going to be run.
pub(super) fn obtain(from: &str, known: bool, folder: &Path) -> anyhow::Result<PathBuf> {
    let protocols = match from.split_once("://") {
        None => return Ok(PathBuf::from(from)),
        Some(("https", _)) => "=https",
        Some(("http", _)) if known => "=https,http",
        Some(("http", _)) => {
            bail!("{from}: over http:// anybody can change what arrives: add --sha256, or use https://")
        }
        Some((scheme, _)) => bail!("{from}: cannot fetch over {scheme}://, only https:// and http://"),
    };
    let file = folder.join("download");
    let mut curl = Command::new("curl");
    curl.args(["--fail", "--location", "--silent", "--show-error", "--proto", protocols, "--output"]);
    let status = curl.arg(&file).args(["--url", from]).stdin(Stdio::null()).status().with_context(|| {
        format!("curl is needed to fetch {from} (apt-get install curl), or fetch it yourself and name the file")
    })?;
    if !status.success() {
        bail!("curl could not fetch {from}: {status}; what it said stands above");
    }
    Ok(file)
}
