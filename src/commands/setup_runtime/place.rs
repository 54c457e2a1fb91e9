//! The folder that the libraries are put in.

use anyhow::{Context, bail};
use detector::files;
use std::{
    fs, io,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

/// Every file of an ONNX Runtime is called so: the library and its providers.
pub(super) const STEM: &str = "libonnxruntime";

/// The libraries of its GPU providers, beside it. The others need the first.
pub(super) const PROVIDER_LIBRARIES: [&str; 3] =
    ["libonnxruntime_providers_shared.so", "libonnxruntime_providers_cuda.so", "libonnxruntime_providers_tensorrt.so"];

/// Makes sure that nothing would be lost when `folder` is replaced.
pub(super) fn check(folder: &Path) -> anyhow::Result<()> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error).with_context(|| format!("cannot use {}", folder.display())),
    };
    for entry in entries {
        let name = entry?.file_name();
        if !name.to_string_lossy().starts_with(STEM) {
            let (folder, name) = (folder.display(), name.display());
            bail!(
                "{folder} would be replaced, and holds other things than ONNX Runtime ({name}): name a folder of its own"
            );
        }
    }
    Ok(())
}

/// A working folder beside `folder`, on the same file system, that goes when it is dropped.
pub(super) fn scratch(folder: &Path) -> anyhow::Result<TempDir> {
    let parent = parent(folder);
    fs::create_dir_all(&parent)
        .and_then(|()| tempfile::Builder::new().prefix(".setup-runtime.").tempdir_in(&parent))
        .with_context(|| format!("cannot write in {}: run this as root, with sudo", parent.display()))
}

/// Makes `libraries` what `folder` is; what it was is then in `libraries`.
pub(super) fn swap(libraries: &Path, folder: &Path) -> anyhow::Result<()> {
    files::swap_folder(libraries, folder).with_context(|| format!("cannot put {} in place", folder.display()))
}

fn parent(folder: &Path) -> PathBuf {
    match folder.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}
