//! Files and folders that are replaced in one step and survive a loss of power.
//!
//! Whoever reads sees the old content or the new, never a part: the new content is written beside its place, reaches
//! the disk, is renamed over the old, and then the folder, which holds the name, reaches the disk as well.

use rustix::{
    fs::{CWD, RenameFlags},
    io::Errno,
};
use sha2::{Digest, Sha256};
use std::{
    fs::{self, File, Permissions},
    io::{self, Read, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};
use tempfile::NamedTempFile;

/// How the names of unfinished files begin and end.
const UNFINISHED: (&str, &str) = (".unfinished-", ".tmp");

/// Writes a file in one step; `mode` is its permissions, for example `0o600`.
///
/// # Errors
/// When the folder cannot be written, or the disk is full. The file is then as it was.
pub fn write(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let folder = folder_of(path);
    let (prefix, suffix) = UNFINISHED;
    let permissions = Permissions::from_mode(mode);
    let mut file: NamedTempFile =
        tempfile::Builder::new().prefix(prefix).suffix(suffix).permissions(permissions.clone()).tempfile_in(&folder)?;
    file.write_all(content)?;
    file.as_file().set_permissions(permissions)?; // the umask may have taken some
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    sync_folder(&folder)
}

/// Removes a file and makes sure that it stays removed; a file that is not there is no error.
///
/// # Errors
/// When it cannot be removed.
pub fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => sync_folder(&folder_of(path)),
    }
}

/// Puts the folder `new` in place of the folder `place`, on the same file system, in one step. Everything in `new`
/// reaches the disk before. What was at `place` is then at `new`.
///
/// # Errors
/// When the folders cannot be renamed; both are then as they were.
pub fn swap_folder(new: &Path, place: &Path) -> io::Result<()> {
    sync_tree(new)?;
    match rustix::fs::renameat_with(CWD, new, CWD, place, RenameFlags::EXCHANGE) {
        Err(Errno::NOENT) => rustix::fs::rename(new, place)?,
        exchanged => exchanged?,
    }
    sync_folder(&folder_of(place))
}

/// Removes what writes that were killed have left in `folder`. The caller must be its only writer. What cannot be
/// removed stays.
pub fn remove_leftovers(folder: &Path) {
    let (prefix, suffix) = UNFINISHED;
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        if entry.file_name().to_str().is_some_and(|name| name.starts_with(prefix) && name.ends_with(suffix)) {
            let _ = fs::remove_file(entry.path()); // it takes a little room, and is never read
        }
    }
}

/// Waits until the names in `folder` have reached the disk.
///
/// # Errors
/// When the folder cannot be read or the disk fails.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Waits until `folder`, its files and its folders have reached the disk.
fn sync_tree(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            sync_tree(&entry.path())?;
        } else if kind.is_file() {
            File::open(entry.path())?.sync_all()?;
        }
    }
    sync_folder(folder)
}

/// The folder that holds `path`.
fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// A file's SHA-256 in lower-case hex.
///
/// # Errors
/// When it cannot be read; the error names the file.
pub fn sha256_of(path: &Path) -> io::Result<String> {
    let mut file = fs_err::File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(hex::encode(hasher.finalize())),
            Ok(n) => hasher.update(&buffer[..n]),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_replaced_with_its_permissions_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.json");
        for (content, mode) in [("old, and longer", 0o644), ("new", 0o600)] {
            write(&path, content.as_bytes(), mode).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, mode);
        }
        assert_eq!(names(folder.path()), ["x.json"]);
        remove(&path).unwrap();
        remove(&path).unwrap();
        assert_eq!(names(folder.path()), [""; 0]);
    }

    #[test]
    fn leftovers_are_removed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        for name in [".unfinished-a1.tmp", ".unfinished-", "x.json", ".hidden.tmp"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        remove_leftovers(folder.path());
        assert_eq!(names(folder.path()), [".hidden.tmp", ".unfinished-", "x.json"]);
    }

    #[test]
    fn a_folder_is_put_in_place_of_another_or_of_none() {
        let folder = tempfile::tempdir().unwrap();
        let [new, place] = ["new", "place"].map(|name| folder.path().join(name));
        for (content, left) in [("first", None), ("second", Some("first"))] {
            fs::create_dir_all(&new).unwrap();
            fs::write(new.join("file"), content).unwrap();
            swap_folder(&new, &place).unwrap();
            assert_eq!(fs::read_to_string(place.join("file")).unwrap(), content);
            assert_eq!(fs::read_to_string(new.join("file")).ok().as_deref(), left);
        }
    }
}
