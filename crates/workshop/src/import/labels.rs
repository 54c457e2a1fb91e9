//! The names of the classes.

use super::error::Fault;
use std::path::PathBuf;

/// COCO's 90 ids, of which 80 are in use, with the background before them.
const COCO: &str = include_str!("../../../../models/labels/coco.txt");

const BACKGROUND: &str = "background";

/// The most classes that are accepted: with the background as many as [`detector::decode::Decoder`] supports.
const MAX_CLASSES: usize = u16::MAX as usize - 1;

/// The names of the classes, as a user gives them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Labels {
    /// A file with one name a line.
    File(PathBuf),
    /// The names themselves.
    Names(Vec<String>),
}

/// Names for `classes` classes and the background before them: from `given`, else COCO's for 90 classes, else numbers.
/// Of `given`, the background may be left out.
///
/// # Errors
/// [`Fault::File`] and [`Fault::Labels`] when the file is missing or does not fit; [`Fault::TooMany`].
pub(super) fn labels(given: Option<&Labels>, classes: usize) -> Result<Vec<String>, Fault> {
    if classes > MAX_CLASSES {
        return Err(Fault::TooMany { what: "classes", max: MAX_CLASSES });
    }
    let (mut names, from) = match given {
        None => return Ok(default_labels(classes)),
        Some(Labels::Names(names)) => (names.clone(), "the list given".to_owned()),
        Some(Labels::File(path)) => {
            let text = fs_err::read_to_string(path)?;
            (text.lines().map(|line| line.trim().to_owned()).collect(), path.display().to_string())
        }
    };
    if names.len() == classes {
        names.insert(0, BACKGROUND.to_owned());
    }
    if names.len() != classes + 1 {
        return Err(Fault::Labels { from, found: names.len(), classes });
    }
    BACKGROUND.clone_into(&mut names[0]);
    Ok(names)
}

fn default_labels(classes: usize) -> Vec<String> {
    let coco: Vec<String> = COCO.lines().map(str::to_owned).collect();
    if coco.len() == classes + 1 {
        return coco;
    }
    let numbered = (1..=classes).map(|id| format!("class {id}"));
    std::iter::once(BACKGROUND.to_owned()).chain(numbered).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coco_has_80_names_at_their_ids() {
        let coco = labels(None, 90).unwrap();
        assert_eq!(coco.len(), 91);
        assert_eq!((coco[1].as_str(), coco[12].as_str(), coco[90].as_str()), ("person", "", "toothbrush"));
        assert_eq!(coco[1..].iter().filter(|name| !name.is_empty()).count(), 80);
    }

    #[test]
    fn more_classes_than_any_network_has_are_refused_before_they_are_named() {
        let error = labels(None, 1 << 40).unwrap_err().to_string();
        assert!(error.contains("more than 65534 classes"), "{error}");
    }

    #[test]
    fn a_file_may_leave_the_background_out() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let from_file = Labels::File(file.path().to_owned());
        for text in ["cat\ndog\n", "unlabeled\ncat\r\ndog\n"] {
            std::fs::write(file.path(), text).unwrap();
            assert_eq!(labels(Some(&from_file), 2).unwrap(), ["background", "cat", "dog"]);
        }
        let error = labels(Some(&from_file), 5).unwrap_err().to_string();
        assert!(error.contains("3 labels, but the network has 5 classes"), "{error}");
    }
}
