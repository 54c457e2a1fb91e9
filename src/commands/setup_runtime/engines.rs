//! `sightd model engines`: what the engine cache holds, and which builds have died.

use anyhow::{Context, bail};
use clap::Args;
use detector::infer::cache::{Cache, Entry, Key, SHORT_NAME};
use std::{
    io::Write,
    path::{Path, PathBuf},
};

/// The cache of the installed service, which another user's environment does not name.
const SERVICE_CACHE: &str = "/var/cache/sightd";

/// `sightd model engines`
#[derive(Clone, Debug, Args)]
pub struct EnginesArgs {
    /// Remove the engine whose key begins so, or every engine; what is removed is built again when it is needed
    #[arg(long, value_name = "KEY", num_args = 0..=1)]
    pub clear: Option<Option<String>>,
}

/// The folders in which engines may lie: the configuration's `chosen`, and the service's.
pub fn folders(chosen: PathBuf) -> Vec<PathBuf> {
    let service = PathBuf::from(SERVICE_CACHE);
    if chosen != service && service.is_dir() { vec![chosen, service] } else { vec![chosen] }
}

/// Lists or clears the engines in `folders`, and writes to `out` what there is or what was removed.
///
/// # Errors
/// When a key fits no engine or several, or an engine cannot be removed.
pub fn run(args: &EnginesArgs, folders: &[PathBuf], out: &mut dyn Write) -> anyhow::Result<()> {
    let found: Vec<(&PathBuf, Entry)> = folders
        .iter()
        .flat_map(|folder| Cache::new(folder).entries().into_iter().map(move |entry| (folder, entry)))
        .collect();
    match &args.clear {
        None if found.is_empty() => writeln!(out, "no engine is cached in {}", joined(folders))?,
        None => found.iter().try_for_each(|(folder, entry)| list(folder, entry, out))?,
        Some(None) => found.iter().try_for_each(|(folder, entry)| remove(folder, entry, out))?,
        Some(Some(key)) => {
            let fits: Vec<_> = found.iter().filter(|(_, entry)| entry.name.starts_with(key.as_str())).collect();
            match fits[..] {
                [(folder, entry)] => remove(folder, entry, out)?,
                [] => bail!("no engine has a key that begins with {key:?} in {}", joined(folders)),
                _ => bail!("{} engines have a key that begins with {key:?}: give more of it", fits.len()),
            }
        }
    }
    Ok(())
}

fn joined(folders: &[PathBuf]) -> String {
    folders.iter().map(|folder| folder.display().to_string()).collect::<Vec<_>>().join(" and ")
}

fn list(folder: &Path, entry: &Entry, out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(out, "{}  {}", short(&entry.name), folder.display())?;
    if let Some(Key { model_sha256, tensorrt, runtime, board, .. }) = &entry.key {
        writeln!(out, "    model {}, TensorRT {tensorrt}, ONNX Runtime {runtime}, {board}", short(model_sha256))?;
    }
    if let Some((bytes, build)) = entry.built {
        writeln!(out, "    built: {:.1} MiB, in {} s", bytes as f64 / f64::from(1 << 20), build.as_secs())?;
    }
    let state = if entry.is_given_up() { "; TensorRT is left out until this is cleared" } else { "" };
    if entry.unfinished > 0 || entry.built.is_none() {
        writeln!(out, "    not built: {} unfinished {}{state}", entry.unfinished, builds(entry.unfinished))?;
    }
    Ok(())
}

fn builds(count: u32) -> &'static str {
    if count == 1 { "build" } else { "builds" }
}

fn short(name: &str) -> &str {
    name.get(..SHORT_NAME).unwrap_or(name)
}

fn remove(folder: &Path, entry: &Entry, out: &mut dyn Write) -> anyhow::Result<()> {
    let removed = Cache::new(folder).remove(&entry.name);
    removed.with_context(|| format!("cannot remove the engine {} in {}", short(&entry.name), folder.display()))?;
    Ok(writeln!(out, "removed {}", short(&entry.name))?)
}
