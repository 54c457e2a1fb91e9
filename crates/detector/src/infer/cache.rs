//! The cache of built engines.
//!
//! Building a TensorRT engine takes from minutes to an hour on a board, so engines are kept. ONNX Runtime does not
//! write them atomically, names them by the model's path only, and refuses a session when one is damaged or foreign.
//! Hence a folder for each combination of all that an engine depends on, and a marker in it that is written,
//! atomically, after the first good session:
//!
//! ```text
//!  cache_dir/engines/lock                one process at a time
//!  cache_dir/engines/KEY/*.engine        written by the runtime
//!  cache_dir/engines/KEY/complete.json   files, sizes, checksums, how long the build took
//!  cache_dir/engines/KEY/unfinished.json how many builds were begun and never ended
//!
//!  open ─▶ marker there and every file as it says? ──no──▶ remove the folder ─┐
//!              │ yes                                                          ▼
//!              ▼                                         two builds died? ──no──▶ build a session ─▶ marker
//!          load a session ──the engine is to blame──▶ remove, build once ─────┘
//! ```

pub use super::key::Key;

use super::attempts::{self, MAX_UNFINISHED, NotedBuild};
use crate::files;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeMap,
    fmt,
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
    time::{Duration, Instant, SystemTime},
};

/// The file that says that a folder's engines are whole.
const MARKER: &str = "complete.json";

/// How ONNX Runtime's engine files end.
const ENGINE_ENDING: &str = ".engine";

/// Characters of a folder's name that are shown: enough to tell folders apart.
pub const SHORT_NAME: usize = 12;

/// How many folders are kept, the newest first.
const KEPT: usize = 4;

/// Free space below which no build is begun, in bytes: an SSD's engine takes 10 to 40 MB.
const ROOM: u64 = 64 << 20;

/// Makes sessions whose engines are kept in a folder: TensorRT through ONNX Runtime, or its simulation in tests.
pub trait Compiler {
    /// What it makes.
    type Session;
    /// Why it could not.
    type Error: fmt::Display;

    /// A session with the engines in `folder`; engines that are not there are built and written there.
    ///
    /// # Errors
    /// When there is none; [`Compiler::blames_engine`] tells whether a damaged engine is the reason.
    fn open(&mut self, folder: &Path) -> Result<Self::Session, Self::Error>;

    /// Whether an engine that lies in the folder is to blame.
    fn blames_engine(&self, error: &Self::Error) -> bool;
}

/// What the marker holds.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Marker {
    files: BTreeMap<String, FileDigest>,
    build_ms: u64,
    /// What was built; older versions did not write it.
    key: Option<Key>,
}

/// A folder of the cache, as [`Cache::entries`] lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The folder's name: [`Key::folder`].
    pub name: String,
    /// What lies in it.
    pub key: Option<Key>,
    /// Size of its engines in bytes, and how long the build took; `None` where no build has ended.
    pub built: Option<(u64, Duration)>,
    /// Builds that were begun and never ended.
    pub unfinished: u32,
}

impl Entry {
    /// Whether so many builds have died that none is begun any more.
    pub fn is_given_up(&self) -> bool {
        self.unfinished >= MAX_UNFINISHED
    }
}

/// One file as it was after the first good session.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct FileDigest {
    bytes: u64,
    sha256: String,
}

/// Why no session came of it.
#[derive(Debug, thiserror::Error)]
pub enum Failure<E> {
    /// The cache cannot be used.
    #[error("{}: {reason}", .folder.display())]
    Cache {
        /// The folder.
        folder: PathBuf,
        /// The system's words.
        reason: io::Error,
    },
    /// So many builds have died that none is begun any more.
    #[error("{}", given_up(.name, *.unfinished))]
    GivenUp {
        /// The folder's name.
        name: String,
        /// How many.
        unfinished: u32,
    },
    /// No session can be made, with or without a cached engine.
    #[error("{0}")]
    Compiler(E),
}

/// A folder of engines.
#[derive(Clone, Debug)]
pub struct Cache {
    root: PathBuf,
}

impl Cache {
    /// The cache below `folder`, which need not exist.
    pub fn new(folder: &Path) -> Self {
        Self { root: folder.join("engines") }
    }

    /// How long the last build took, for whatever key; `None` where none is known.
    pub fn usual_build(&self) -> Option<Duration> {
        let newest = self.folders().into_iter().filter_map(|(_, folder)| read_marker(&folder)).next()?;
        Some(Duration::from_millis(newest.build_ms))
    }

    /// Whether a whole engine for `key` lies here, so that none has to be built.
    pub fn holds(&self, key: &Key) -> bool {
        check(&self.root.join(key.folder())).is_ok()
    }

    /// Why no engine for `key` is built any more: too many builds have died. `None` while builds are begun.
    pub fn given_up(&self, key: &Key) -> Option<String> {
        let name = key.folder();
        let unfinished = attempts::unfinished(&self.root.join(&name));
        (unfinished >= MAX_UNFINISHED).then(|| given_up(&name, unfinished))
    }

    /// What the cache holds, the newest first.
    pub fn entries(&self) -> Vec<Entry> {
        let entry = |(_, folder): (SystemTime, PathBuf)| {
            let (marker, note) = (read_marker(&folder), attempts::read(&folder));
            let size = |marker: &Marker| marker.files.values().map(|file| file.bytes).sum();
            Some(Entry {
                name: folder.file_name()?.to_str()?.to_owned(),
                built: marker.as_ref().map(|marker| (size(marker), Duration::from_millis(marker.build_ms))),
                unfinished: note.as_ref().map_or(0, |note| note.unfinished),
                key: marker.and_then(|marker| marker.key).or_else(|| note.map(|note| note.key)),
            })
        };
        self.folders().into_iter().filter_map(entry).collect()
    }

    /// Removes the engines of the folder `name`, and forgets the builds that have died there. Waits for other
    /// processes that use the cache.
    ///
    /// # Errors
    /// When the folder cannot be removed.
    pub fn remove(&self, name: &str) -> io::Result<()> {
        let lock = self.lock()?;
        fs::remove_dir_all(self.root.join(name))?;
        files::sync_folder(&self.root)?;
        drop(lock);
        Ok(())
    }

    /// A session from `compiler`, with a cached engine where there is a whole one. Waits for other processes that use
    /// the cache. A damaged engine is removed and built anew, once.
    ///
    /// # Errors
    /// When the folder cannot be written or has no room, when two builds have died before, or when the compiler fails
    /// for another reason than a damaged engine.
    pub fn open<C: Compiler>(&self, key: &Key, compiler: &mut C) -> Result<C::Session, Failure<C::Error>> {
        let folder = self.root.join(key.folder());
        let unusable = |reason| Failure::Cache { folder: self.root.clone(), reason };
        let lock = self.lock().map_err(unusable)?;
        match check(&folder) {
            Ok(()) => match compiler.open(&folder) {
                Ok(session) => return Ok(session),
                Err(error) if compiler.blames_engine(&error) => {
                    tracing::warn!(folder = %folder.display(), "the cached engine is refused and will be rebuilt: {error}");
                }
                Err(error) => return Err(Failure::Compiler(error)),
            },
            Err(Unsound::Absent) => {}
            Err(Unsound::Damaged(why)) => {
                tracing::warn!(folder = %folder.display(), "the cached engine is not whole and will be rebuilt: {why}");
            }
        }
        let unfinished = attempts::unfinished(&folder);
        if unfinished >= MAX_UNFINISHED {
            return Err(Failure::GivenUp { name: key.folder(), unfinished });
        }
        let attempt = self.clear(&folder, key).map_err(unusable)?;
        let began = Instant::now();
        let session = compiler.open(&folder).map_err(Failure::Compiler)?;
        if let Err(error) = seal(&folder, key, began.elapsed()) {
            tracing::error!(
                folder = %folder.display(),
                "the engine serves, but could not be kept and will be built again at the next start: {error}"
            );
        }
        drop(attempt);
        self.prune(&folder);
        drop(lock);
        Ok(session)
    }

    /// Takes the cache for this process.
    fn lock(&self) -> io::Result<File> {
        fs::create_dir_all(&self.root)?;
        let lock = File::create(self.root.join("lock"))?;
        if lock.try_lock().is_err() {
            tracing::info!(folder = %self.root.display(), "another process is using the engine cache; waiting for it");
            lock.lock()?;
        }
        for (_, folder) in self.folders() {
            files::remove_leftovers(&folder);
        }
        Ok(lock)
    }

    /// Makes a folder that holds no more than the note of an attempt, where there is room for an engine.
    fn clear(&self, folder: &Path, key: &Key) -> io::Result<NotedBuild> {
        fs::create_dir_all(folder)?;
        files::sync_folder(&self.root)?;
        // Without its marker, which goes first, the folder is not whole, whatever else is left in it.
        files::remove(&folder.join(MARKER))?;
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_name() == attempts::NOTE {
                continue;
            }
            if entry.file_type()?.is_dir() {
                fs::remove_dir_all(entry.path())?;
            } else {
                fs::remove_file(entry.path())?;
            }
        }
        let free = free_bytes(&self.root)?;
        if free < ROOM {
            let words = format!("{} MiB are free, {} are needed", free >> 20, ROOM >> 20);
            return Err(io::Error::new(io::ErrorKind::StorageFull, words));
        }
        NotedBuild::begin(folder, key)
    }

    /// Removes all but the newest folders; `current` always stays.
    fn prune(&self, current: &Path) {
        let others = self.folders().into_iter().filter(|(_, folder)| folder != current);
        for (_, folder) in others.skip(KEPT - 1) {
            match fs::remove_dir_all(&folder) {
                Ok(()) => tracing::info!(folder = %folder.display(), "old engine removed"),
                Err(error) => tracing::warn!(folder = %folder.display(), "old engine not removed: {error}"),
            }
        }
    }

    /// All folders with their times, newest first.
    fn folders(&self) -> Vec<(SystemTime, PathBuf)> {
        let Ok(entries) = fs::read_dir(&self.root) else { return Vec::new() };
        let mut folders: Vec<(SystemTime, PathBuf)> = entries
            .flatten()
            .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
            .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
            .collect();
        folders.sort_by(|a, b| b.cmp(a));
        folders
    }
}

/// What is wrong with a folder.
enum Unsound {
    Absent,
    Damaged(String),
}

/// Whether the folder holds exactly what its marker says.
fn check(folder: &Path) -> Result<(), Unsound> {
    if !folder.exists() {
        return Err(Unsound::Absent);
    }
    let damaged = |what: &str| Unsound::Damaged(what.to_owned());
    let marker = read_marker(folder).ok_or_else(|| damaged("its build did not end"))?;
    for (name, sealed) in &marker.files {
        let found = seal_file(&folder.join(name)).map_err(|error| damaged(&format!("{name}: {error}")))?;
        if found != *sealed {
            return Err(damaged(&format!("{name} has changed")));
        }
    }
    Ok(())
}

fn read_marker(folder: &Path) -> Option<Marker> {
    serde_json::from_slice(&fs::read(folder.join(MARKER)).ok()?).ok()
}

/// Writes the marker, after everything it speaks of has reached the disk.
fn seal(folder: &Path, key: &Key, build: Duration) -> io::Result<()> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        // Timing caches lie beside the engines and may change later without harm.
        if name.ends_with(ENGINE_ENDING) {
            File::open(entry.path())?.sync_all()?;
            files.insert(name, seal_file(&entry.path())?);
        }
    }
    let build_ms = u64::try_from(build.as_millis()).unwrap_or(u64::MAX);
    let text = serde_json::to_vec_pretty(&Marker { files, build_ms, key: Some(key.clone()) })?;
    files::write(&folder.join(MARKER), &text, 0o644)
}

/// Why no engine is built any more, and what to do.
fn given_up(name: &str, unfinished: u32) -> String {
    let short = &name[..SHORT_NAME.min(name.len())];
    format!(
        "{unfinished} engine builds were begun and did not end, which happens when memory runs out and the kernel ends \
         the process; no other is begun until `sightd model engines --clear {short}`"
    )
}

/// Size and checksum of a file.
fn seal_file(path: &Path) -> io::Result<FileDigest> {
    let mut file = File::open(path)?;
    let (mut hash, mut piece, mut bytes) = (Sha256::new(), vec![0; 1 << 16], 0);
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(FileDigest { bytes, sha256: hex::encode(hash.finalize()) }),
            read => {
                hash.update(&piece[..read]);
                bytes += read as u64;
            }
        }
    }
}

/// Space that an ordinary user may still fill on the folder's disk.
fn free_bytes(folder: &Path) -> io::Result<u64> {
    let disk = rustix::fs::statvfs(folder)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}
