//! Builds of engines that were begun and never ended.
//!
//! A build may take more memory than the board has; the kernel then ends the process, systemd starts it again, and it
//! would build again, for ever. So each build is noted on the disk before it begins and the note removed when it ends,
//! well or with an error. What is left counts the builds in which the process died.

use super::key::Key;
use crate::files;
use crate::sync;
use serde::{Deserialize, Serialize};
use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Mutex,
};

/// The note in the key's folder.
pub(super) const NOTE: &str = "unfinished.json";

/// Builds that may die before no more are begun.
pub const MAX_UNFINISHED: u32 = 2;

/// What the note holds.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Note {
    /// Builds that were begun and have not ended.
    pub unfinished: u32,
    /// What was to be built.
    pub key: Key,
}

/// The build that is going on in this process: its folder, and the builds that died before it.
static CURRENT: Mutex<Option<(PathBuf, Note)>> = Mutex::new(None);

/// A build that is noted. Dropping it removes the note: the process has survived.
pub(super) struct NotedBuild {
    folder: PathBuf,
}

impl NotedBuild {
    /// Notes in `folder` that one more build of `key` begins.
    pub fn begin(folder: &Path, key: &Key) -> io::Result<Self> {
        let before = unfinished(folder);
        write(folder, &Note { unfinished: before + 1, key: key.clone() })?;
        let note = Note { unfinished: before, key: key.clone() };
        *sync::lock(&CURRENT) = Some((folder.to_owned(), note));
        Ok(Self { folder: folder.to_owned() })
    }
}

impl Drop for NotedBuild {
    fn drop(&mut self) {
        *sync::lock(&CURRENT) = None;
        if let Err(error) = files::remove(&self.folder.join(NOTE)) {
            tracing::warn!(folder = %self.folder.display(), "a finished engine build still counts as unfinished: {error}");
        }
    }
}

/// The process ends in order while it builds, because somebody stopped it: this build does not count.
pub(super) fn forgive_current() {
    // A build that ends at this very moment holds the lock for as long as it takes to remove its note.
    let mut current = sync::lock(&CURRENT);
    if let Some((folder, note)) = current.take() {
        let forgiven = if note.unfinished == 0 { files::remove(&folder.join(NOTE)) } else { write(&folder, &note) };
        if let Err(error) = forgiven {
            tracing::warn!(folder = %folder.display(), "an engine build that was stopped counts as unfinished: {error}");
        }
    }
}

/// How many builds in `folder` were begun and have not ended.
pub(super) fn unfinished(folder: &Path) -> u32 {
    read(folder).map_or(0, |note| note.unfinished)
}

/// The note in `folder`, if there is one that can be read.
pub(super) fn read(folder: &Path) -> Option<Note> {
    serde_json::from_slice(&fs::read(folder.join(NOTE)).ok()?).ok()
}

fn write(folder: &Path, note: &Note) -> io::Result<()> {
    files::write(&folder.join(NOTE), &serde_json::to_vec_pretty(note)?, 0o644)
}
