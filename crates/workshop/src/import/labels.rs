//! The names of the classes.

use super::error::Fault;
use super::label_file::{MAX_CLASSES, parse};
use std::path::PathBuf;

/// COCO's 90 ids, of which 80 are in use, with the background before them.
const COCO: &str = include_str!("../../../../models/labels/coco.txt");

const BACKGROUND: &str = "background";

/// The names of the classes, as a user gives them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Labels {
    /// A file with one name a line.
    File(PathBuf),
    /// The names themselves.
    Names(Vec<String>),
}

/// Names for `classes` classes and the background before them: from `given`, else COCO's for 90 classes, else numbers.
/// The first of `given` is the background if it says so, or if there is one name more than there are classes.
///
/// # Errors
/// [`Fault::File`], [`Fault::LabelFile`] and [`Fault::Labels`] when the file is missing or does not fit;
/// [`Fault::TooMany`].
pub(super) fn labels(given: Option<&Labels>, classes: usize) -> Result<Vec<String>, Fault> {
    if classes > MAX_CLASSES {
        return Err(Fault::TooMany { what: "classes", max: MAX_CLASSES });
    }
    let (mut names, from) = match given {
        None => return Ok(default_labels(classes)),
        Some(Labels::Names(names)) => (names.clone(), "the list of labels".to_owned()),
        Some(Labels::File(path)) => {
            let from = path.display().to_string();
            (parse(&fs_err::read_to_string(path)?, &from)?, from)
        }
    };
    let background = names.first().is_some_and(|first| is_background(first));
    if !background && names.len() == classes {
        names.insert(0, BACKGROUND.to_owned());
    }
    if names.len() != classes + 1 {
        return Err(Fault::Labels { from, found: names.len() - usize::from(background), classes });
    }
    BACKGROUND.clone_into(&mut names[0]);
    Ok(names)
}

/// Whether a name is one of those that exporters give to the background; a blank one stands before ids from 1 on.
fn is_background(name: &str) -> bool {
    let name = name.trim_matches('_').to_ascii_lowercase();
    matches!(name.as_str(), "" | "background" | "bg" | "unlabeled" | "unlabelled" | "???")
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

    /// The labels of a file with `text` for a network of `classes` classes.
    fn from_file(text: &str, classes: usize) -> Result<Vec<String>, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        labels(Some(&Labels::File(file.path().to_owned())), classes).map_err(|e| e.to_string())
    }

    #[test]
    fn the_background_is_what_says_so_or_what_the_count_demands() {
        for text in ["cat\ndog\n", "unlabeled\ncat\r\ndog\n", "thing\ncat\ndog", "0 cat\n1 dog\n", "1 cat\n2 dog\n"] {
            assert_eq!(from_file(text, 2).unwrap(), ["background", "cat", "dog"], "{text:?}");
        }
        let map = "item { id: 1 name: 'cat' }\nitem { id: 2 name: 'dog' }";
        assert_eq!(from_file(map, 2).unwrap(), ["background", "cat", "dog"]);
    }

    #[test]
    fn a_blank_line_at_the_end_shifts_nothing() {
        for text in ["face\n\n", "\u{feff}face\n", "0 face\n\n\n", "background\nface\n\n"] {
            assert_eq!(from_file(text, 1).unwrap(), ["background", "face"], "{text:?}");
        }
    }

    #[test]
    fn a_count_that_does_not_fit_is_refused_with_both_numbers_and_the_usual_reasons() {
        let error = from_file("unlabeled\ncat\ndog\n", 5).unwrap_err();
        assert!(
            error.contains("2 labels, but the network has 5 classes: usually the file belongs to another"),
            "{error}"
        );
        assert!(error.contains("blank lines of unused class ids are missing"), "{error}");
        // The first line says that it is the background, so one name is missing: nothing is shifted to fit.
        let error = from_file("BACKGROUND\ncat\n", 2).unwrap_err();
        assert!(error.contains("1 label, but the network has 2 classes"), "{error}");
        assert!(from_file("", 1).unwrap_err().contains("0 labels, but the network has 1 class:"));
    }
}
