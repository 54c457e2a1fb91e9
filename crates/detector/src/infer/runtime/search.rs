//! Where a libonnxruntime may be, in the order in which the places are tried.

use std::{
    cmp::Reverse,
    ffi::OsStr,
    fmt, fs,
    path::{Path, PathBuf},
};

/// The variable of the environment that names a library; `ort` itself uses the same name.
pub(super) const VARIABLE: &str = "ORT_DYLIB_PATH";

/// What every file of the library is called, up to its version.
const STEM: &str = "libonnxruntime.so";

/// How far above the executable a `.sightd` folder may be (`target/debug/deps/x` of a checkout).
const LEVELS_UP: usize = 4;

/// Who named a place, which says what a failure there means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The config's `runtime.library`: it must work.
    Config,
    /// The environment's `ORT_DYLIB_PATH`: it must work.
    Environment,
    /// One of our own library folders.
    Folder,
    /// The system's loader.
    Loader,
}

impl Origin {
    /// Whether somebody chose this place, so that no other is tried after it.
    pub(super) fn is_chosen(self) -> bool {
        matches!(self, Self::Config | Self::Environment)
    }
}

/// A place that was searched, and why no usable library came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadAttempt {
    /// Who named it.
    pub origin: Origin,
    /// The file, folder or library name.
    pub place: PathBuf,
    /// What was wrong.
    pub reason: String,
}

impl fmt::Display for LoadAttempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origin = match self.origin {
            Origin::Config => "runtime.library = ",
            Origin::Environment => "ORT_DYLIB_PATH = ",
            Origin::Folder => "",
            Origin::Loader => "the system's loader, ",
        };
        write!(f, "{origin}{}: {}", self.place.display(), self.reason)
    }
}

/// What to try: files to load in order, and the places that hold none.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct SearchPlan {
    /// Paths or bare names for the loader.
    pub candidates: Vec<(Origin, PathBuf)>,
    /// Places without a library.
    pub empty: Vec<LoadAttempt>,
}

/// What the process knows of its surroundings.
pub(super) struct SearchEnv<'a> {
    /// `runtime.library`.
    pub config: Option<&'a Path>,
    /// `ORT_DYLIB_PATH`.
    pub variable: Option<PathBuf>,
    /// The running program.
    pub executable: Option<PathBuf>,
    /// Folders where packages put the library.
    pub system: &'a [&'a str],
}

/// Looks through the places in order. A chosen place ends the search.
pub(super) fn plan(around: &SearchEnv<'_>) -> SearchPlan {
    let mut plan = SearchPlan::default();
    let chosen = around
        .config
        .map(|path| (Origin::Config, path.to_owned()))
        .or_else(|| around.variable.clone().map(|path| (Origin::Environment, path)));
    if let Some((origin, path)) = chosen {
        match named(&path) {
            Ok(file) => plan.candidates.push((origin, file)),
            Err(reason) => plan.empty.push(LoadAttempt { origin, place: path, reason }),
        }
        return plan;
    }
    for folder in folders(around) {
        match newest_in(&folder) {
            Ok(file) => plan.candidates.push((Origin::Folder, file)),
            Err(reason) => plan.empty.push(LoadAttempt { origin: Origin::Folder, place: folder, reason }),
        }
    }
    for name in [STEM, "libonnxruntime.so.1"] {
        plan.candidates.push((Origin::Loader, PathBuf::from(name)));
    }
    plan
}

/// The file a chosen path means: itself, or the newest library in it when it is a folder.
fn named(path: &Path) -> Result<PathBuf, String> {
    let meta = fs::metadata(path).map_err(|error| error.to_string())?;
    let file = if meta.is_dir() { newest_in(path)? } else { path.to_owned() };
    fs::canonicalize(file).map_err(|error| error.to_string())
}

/// Our own library folders, nearest first.
fn folders(around: &SearchEnv<'_>) -> Vec<PathBuf> {
    let mut folders = Vec::new();
    if let Some(home) = around.executable.as_deref().and_then(Path::parent) {
        folders.push(home.join("../lib/sightd"));
    }
    folders.extend(around.system.iter().map(PathBuf::from));
    if let Some(executable) = &around.executable {
        let checkouts = executable.ancestors().skip(1).take(LEVELS_UP).map(|folder| folder.join(".sightd/lib"));
        for lib in checkouts.filter(|lib| lib.is_dir()) {
            folders.extend(downloads(&lib));
        }
    }
    folders
}

/// The `onnxruntime-VERSION` folders that set-up fetched, newest first.
fn downloads(lib: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(lib) else { return Vec::new() };
    let mut found: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.file_name().and_then(OsStr::to_str).is_some_and(|name| name.starts_with("onnxruntime-")))
        .collect();
    found.sort_by_key(|path| Reverse(numbers(path, "onnxruntime-")));
    found
}

/// The newest library in a folder; one without a version in its name counts as the newest.
fn newest_in(folder: &Path) -> Result<PathBuf, String> {
    let entries = fs::read_dir(folder).map_err(|error| error.to_string())?;
    entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.file_name().and_then(OsStr::to_str).is_some_and(is_library))
        .max_by_key(|path| (path.file_name() == Some(OsStr::new(STEM)), numbers(path, STEM)))
        .ok_or_else(|| format!("holds no {STEM}"))
}

/// Whether a file is called `libonnxruntime.so`, with or without a version behind it.
fn is_library(name: &str) -> bool {
    name.strip_prefix(STEM).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// The version in a name, as numbers that can be compared.
fn numbers(path: &Path, prefix: &str) -> Vec<u32> {
    let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
    name.strip_prefix(prefix).unwrap_or_default().split('.').filter_map(|number| number.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOWHERE: SearchEnv<'_> = SearchEnv { config: None, variable: None, executable: None, system: &[] };

    fn touch(path: &Path) -> PathBuf {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, b"").unwrap();
        path.to_owned()
    }

    #[test]
    fn the_config_comes_before_the_environment_and_ends_the_search() {
        let dir = tempfile::tempdir().unwrap();
        let a = touch(&dir.path().join("a/libonnxruntime.so")).canonicalize().unwrap();
        let b = touch(&dir.path().join("b/libonnxruntime.so.1.11.0")).canonicalize().unwrap();
        let around = SearchEnv { config: Some(&a), variable: Some(b.clone()), ..NOWHERE };
        assert_eq!(plan(&around), SearchPlan { candidates: vec![(Origin::Config, a)], empty: vec![] });
        let around = SearchEnv { variable: b.parent().map(Path::to_owned), ..NOWHERE };
        assert_eq!(plan(&around), SearchPlan { candidates: vec![(Origin::Environment, b)], empty: vec![] });
    }

    #[test]
    fn a_chosen_place_without_a_library_is_the_only_one_reported() {
        let dir = tempfile::tempdir().unwrap();
        let plan = plan(&SearchEnv { config: Some(dir.path()), ..NOWHERE });
        assert_eq!(plan.candidates, []);
        let said: Vec<String> = plan.empty.iter().map(ToString::to_string).collect();
        assert_eq!(said, [format!("runtime.library = {}: holds no libonnxruntime.so", dir.path().display())]);
    }

    #[test]
    fn folders_are_tried_from_the_executable_outwards_and_the_newest_first() {
        let dir = tempfile::tempdir().unwrap();
        let own = touch(&dir.path().join("bin/../lib/sightd/libonnxruntime.so.1.11.0"));
        let package = touch(&dir.path().join("package/libonnxruntime.so"));
        touch(&dir.path().join("package/libonnxruntime.so.1.30.0"));
        touch(&dir.path().join("package/libonnxruntime_providers_shared.so"));
        let old = touch(&dir.path().join(".sightd/lib/onnxruntime-1.9.0/libonnxruntime.so.1.9.0"));
        let new = touch(&dir.path().join(".sightd/lib/onnxruntime-1.30.0/libonnxruntime.so.1"));
        fs::create_dir_all(dir.path().join("none")).unwrap();
        let (package_dir, none) = (dir.path().join("package"), dir.path().join("none"));
        let system = [package_dir.to_str().unwrap(), none.to_str().unwrap()];
        let around = SearchEnv { executable: Some(dir.path().join("bin/sightd")), system: &system, ..NOWHERE };
        let plan = plan(&around);
        let files: Vec<PathBuf> = plan.candidates.iter().map(|(_, path)| path.clone()).collect();
        let by_loader = ["libonnxruntime.so", "libonnxruntime.so.1"].map(PathBuf::from);
        assert_eq!(files, [vec![own, package, new, old], by_loader.to_vec()].concat());
        assert_eq!(plan.empty.len(), 1);
        assert_eq!(plan.empty[0].place, none);
    }
}
