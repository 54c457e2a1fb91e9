//! Which pictures are meant: files, folders, patterns, standard input.

use anyhow::{Context, bail, ensure};
use detector::photo;
use std::{
    fmt,
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

/// The longest file that is read, in bytes.
const MAX_BYTES: u64 = 1 << 30;

/// A picture that is named on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Input {
    /// A file.
    File(PathBuf),
    /// Standard input.
    Stdin,
}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Stdin => f.write_str("-"),
        }
    }
}

impl Input {
    /// The name of a copy of the picture.
    pub fn name(&self) -> &Path {
        match self {
            Self::File(path) => path.file_name().map_or(Path::new(""), Path::new),
            Self::Stdin => Path::new("stdin"),
        }
    }

    /// The bytes of the picture's file.
    pub fn read(&self) -> anyhow::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let read = match self {
            Self::File(path) => File::open(path).and_then(|file| file.take(MAX_BYTES).read_to_end(&mut bytes)),
            Self::Stdin => io::stdin().lock().take(MAX_BYTES).read_to_end(&mut bytes),
        };
        ensure!((read? as u64) < MAX_BYTES, "it has {} MiB or more", MAX_BYTES >> 20);
        Ok(bytes)
    }
}

/// The pictures that `named` stands for, in its order: a file is itself, a folder its pictures by name, a pattern what
/// it matches, `-` standard input.
///
/// # Errors
/// When a folder or a pattern holds no picture, or standard input is named twice.
pub(super) fn expand(named: &[PathBuf]) -> anyhow::Result<Vec<Input>> {
    let mut inputs = Vec::new();
    for path in named {
        if path == Path::new("-") {
            ensure!(!inputs.contains(&Input::Stdin), "standard input (-) is named twice");
            inputs.push(Input::Stdin);
        } else if path.is_dir() {
            let pictures = folder(path).with_context(|| format!("cannot read the folder {}", path.display()))?;
            ensure!(
                !pictures.is_empty(),
                "the folder {} holds no pictures: names that end in .jpg, .jpeg, .png, .webp, .gif or .bmp",
                path.display()
            );
            inputs.extend(pictures.into_iter().map(Input::File));
        } else if path.exists() {
            inputs.push(Input::File(path.clone()));
        } else if let Some(pattern) = path.to_str().filter(|text| text.contains(['*', '?', '['])) {
            let matches = glob::glob(pattern).with_context(|| format!("{pattern:?} is not a pattern"))?;
            let files: Vec<_> = matches.flatten().filter(|path| path.is_file()).collect();
            if files.is_empty() {
                bail!("no file matches {pattern}");
            }
            inputs.extend(files.into_iter().map(Input::File));
        } else {
            inputs.push(Input::File(path.clone())); // reading it says what is wrong
        }
    }
    Ok(inputs)
}

/// The files in a folder that are named like pictures, by name.
fn folder(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut pictures = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if photo::Format::of_name(&path).is_some() && path.is_file() {
            pictures.push(path);
        }
    }
    pictures.sort();
    Ok(pictures)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};

    #[test]
    fn files_folders_patterns_and_standard_input_are_expanded() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let strange = folder.path().join(OsStr::from_bytes(b"d\xff.jpg"));
        for path in [&at("b.JPG"), &at("a.png"), &at("notes.txt"), &at("c.webp"), &strange] {
            fs::write(path, "").unwrap();
        }
        fs::create_dir(at("folder.jpg")).unwrap();
        let files = |paths: &[PathBuf]| paths.iter().cloned().map(Input::File).collect::<Vec<_>>();
        let all = files(&[at("a.png"), at("b.JPG"), at("c.webp"), strange]);
        assert_eq!(expand(&[folder.path().to_owned()]).unwrap(), all);
        assert_eq!(expand(&[at("[ab].*")]).unwrap(), files(&[at("a.png"), at("b.JPG")]));
        assert_eq!(
            expand(&["-".into(), at("notes.txt"), at("no.jpg")]).unwrap(),
            [vec![Input::Stdin], files(&[at("notes.txt"), at("no.jpg")])].concat()
        );
        for (named, says) in [
            (vec!["-".into(), "-".into()], "named twice"),
            (vec![at("*.tiff")], "no file matches "),
            (vec![at("folder.jpg")], "holds no pictures"),
        ] {
            let error = expand(&named).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }
}
