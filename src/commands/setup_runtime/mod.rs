//! `sightd setup-runtime`: puts a downloaded ONNX Runtime in place.
//!
//! ```text
//!  address ─curl─▶ file ─archive─▶ the libraries for this machine ─load─▶ version, providers ─swap─▶ the folder
//! ```
//!
//! All happens beside the folder; it changes in one step, and only when the library can be loaded.

mod archive;
pub mod engines;
mod fetch;
mod place;

use anyhow::{Context, ensure};
use clap::Args;
use detector::{
    files,
    infer::{self, Availability, Runtime},
};
use std::{
    io::Write,
    path::{Path, PathBuf},
    str::FromStr,
};

/// `sightd setup-runtime`
#[derive(Clone, Debug, Args)]
pub struct SetupRuntimeArgs {
    /// A libonnxruntime.so, or an archive or folder with one (.tgz, .tar.gz, .tar.bz2, .tar.xz, .tar, .whl or .zip)
    #[arg(value_name = "FILE-or-URL")]
    pub from: String,
    /// What the SHA-256 of the file must be; an http:// address needs it
    #[arg(long, value_name = "HEX")]
    pub sha256: Option<Checksum>,
    /// The folder to put it in; what is there is replaced
    #[arg(long, value_name = "FOLDER", default_value = infer::FOLDER)]
    pub to: PathBuf,
}

/// A SHA-256 in lower-case hex.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checksum(String);

impl FromStr for Checksum {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err("a SHA-256 has 64 hexadecimal digits".to_owned())
        }
    }
}

/// Puts the library in place and writes to `out` which version it is and which providers it has.
///
/// # Errors
/// When the file cannot be read or fetched, or holds no library for this machine, when the library cannot be loaded, or when the
/// folder cannot be written or holds other things. The folder is then as it was.
pub fn run(args: &SetupRuntimeArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    place::check(&args.to)?;
    let scratch = place::scratch(&args.to)?;
    let file = fetch::obtain(&args.from, args.sha256.is_some(), scratch.path())?;
    if let Some(Checksum(wanted)) = &args.sha256 {
        ensure!(!file.is_dir(), "{} is a folder, which has no SHA-256", args.from);
        let actual = files::sha256_of(&file)?;
        ensure!(actual == *wanted, "{} has the SHA-256 {actual}, not {wanted}: it was not used", args.from);
    }
    let libraries = archive::take(&file, &scratch.path().join("libraries")).with_context(|| args.from.clone())?;
    let config = infer::Config { library: Some(libraries.clone()), ..infer::Config::default() };
    let runtime = Runtime::load(&config)?;
    let providers = runtime.availability(&config)?;
    let lacking = lacking(&libraries, &providers);
    place::swap(&libraries, &args.to)?;

    writeln!(out, "ONNX Runtime {} (C API {}) is in {}", runtime.version(), runtime.api(), args.to.display())?;
    for Availability { provider, missing } in providers {
        match missing {
            None => writeln!(out, "  {provider}: yes")?,
            Some(reason) => writeln!(out, "  {provider}: no, {reason}")?,
        }
    }
    if !lacking.is_empty() {
        writeln!(
            out,
            "It was built for the GPU, and {} did not lie beside it: give the whole archive, or the folder they are in",
            lacking.join(", ")
        )?;
    }
    if args.to == Path::new(infer::FOLDER) {
        writeln!(out, "A running sightd takes it up when it is restarted: systemctl restart sightd")?;
    } else {
        writeln!(out, "sightd looks there with runtime.library = \"{}\"", args.to.display())?;
    }
    Ok(())
}

/// The provider libraries that a runtime built for the GPU looks for in `folder`, and that are not there.
fn lacking(folder: &Path, providers: &[Availability]) -> Vec<&'static str> {
    let is_asked_for = |library: &str| {
        let reasons = || providers.iter().filter_map(|provider| Some((provider.provider, provider.missing.as_ref()?)));
        reasons().any(|(provider, reason)| {
            // Without the shared one the runtime does not get to the provider's own.
            let own = library.contains(&format!("_{provider}.so"));
            reason.contains(library) || (own && reason.contains(place::PROVIDER_LIBRARIES[0]))
        })
    };
    let is_lacking = |library: &&str| !folder.join(library).exists() && is_asked_for(library);
    place::PROVIDER_LIBRARIES.into_iter().filter(is_lacking).collect()
}
