//! The kernel's files, below a root that tests replace.

use std::{
    fs,
    path::{Path, PathBuf},
    str::FromStr,
};

/// A root below which `sys`, `proc`, `etc` and the like are looked for: `/`, or a fake board.
#[derive(Clone, Debug)]
pub struct Tree(PathBuf);

impl Tree {
    /// The tree below `root`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self(root.into())
    }

    /// Where `path` (written without a leading `/`) lies.
    pub fn at(&self, path: impl AsRef<Path>) -> PathBuf {
        self.0.join(path)
    }

    /// The text of a file without white space and NUL at its ends; none when it cannot be read (sensors that are off
    /// answer with an error).
    pub fn text(&self, path: impl AsRef<Path>) -> Option<String> {
        let text = fs::read(self.at(path)).ok()?;
        let text = String::from_utf8_lossy(&text);
        Some(text.trim_matches(|c: char| c.is_whitespace() || c == '\0').to_owned())
    }

    /// The number in a file; none when there is none.
    pub fn number<T: FromStr>(&self, path: impl AsRef<Path>) -> Option<T> {
        self.text(path)?.parse().ok()
    }

    /// The entries of a folder whose names begin with `prefix`, by name, as paths below the root.
    pub fn entries(&self, folder: impl AsRef<Path>, prefix: &str) -> Vec<PathBuf> {
        let folder = folder.as_ref();
        let Ok(entries) = fs::read_dir(self.at(folder)) else { return Vec::new() };
        let mut names: Vec<_> = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.retain(|name| name.starts_with(prefix));
        names.sort();
        names.into_iter().map(|name| folder.join(name)).collect()
    }
}
