//! A set of labelled pictures in COCO form: `DIR/images/` and `DIR/instances.json`.

use serde::{Deserialize, Serialize};
use std::{
    collections::HashSet,
    io,
    path::{Path, PathBuf},
};

/// Why a folder is not a usable dataset.
#[derive(Debug, thiserror::Error)]
pub enum DatasetError {
    /// The description cannot be read.
    #[error("{0}; a dataset is a folder with instances.json (COCO form) and images/")]
    Unreadable(#[from] io::Error),
    /// The description is not COCO JSON.
    #[error("{path:?} is not in COCO's instances form: at {field}: {error}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where in it.
        field: String,
        /// What is wrong.
        error: serde_json::Error,
    },
    /// A number occurs twice where it must be unique.
    #[error("{path:?}: two {what} have the id {id}")]
    Duplicate {
        /// The file.
        path: PathBuf,
        /// `images` or `categories`.
        what: &'static str,
        /// The number.
        id: u64,
    },
    /// An annotation refers to an unknown id.
    #[error("{path:?}: an annotation names {what} {id}, which is not listed")]
    Dangling {
        /// The file.
        path: PathBuf,
        /// `image` or `category`.
        what: &'static str,
        /// The number.
        id: u64,
    },
}

/// The pictures and their labelled objects.
#[derive(Clone, Debug, Deserialize)]
pub struct Dataset {
    /// The pictures, by ascending id.
    pub images: Vec<Image>,
    /// The classes, by ascending id.
    pub categories: Vec<Category>,
    /// The labelled objects.
    pub annotations: Vec<Annotation>,
}

/// A picture.
#[derive(Clone, Debug, Deserialize)]
pub struct Image {
    /// Its number.
    pub id: u64,
    /// Its file under `images/`.
    pub file_name: String,
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

/// A class of objects.
#[derive(Clone, Debug, Deserialize)]
pub struct Category {
    /// Its number in the dataset, which need not be the model's class id.
    pub id: u32,
    /// Its name.
    pub name: String,
}

/// A labelled object.
#[derive(Clone, Debug, Deserialize)]
pub struct Annotation {
    /// The picture.
    pub image_id: u64,
    /// The class.
    pub category_id: u32,
    /// Left, top, width and height in pixels.
    pub bbox: [f64; 4],
    /// The object's (not its box's) area in square pixels.
    pub area: f64,
    /// 1 for a group that could not be told apart: what is found there counts neither way.
    #[serde(default)]
    pub iscrowd: u8,
}

/// A detection in COCO's results form.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CocoResult {
    /// The picture.
    pub image_id: u64,
    /// The dataset's class.
    pub category_id: u32,
    /// Left, top, width and height in pixels.
    pub bbox: [f64; 4],
    /// Confidence, 0..1.
    pub score: f64,
}

impl Dataset {
    /// Reads `folder/instances.json`.
    ///
    /// # Errors
    /// When it cannot be read, is not COCO JSON, or its numbers do not fit together.
    pub fn read(folder: &Path) -> Result<Self, DatasetError> {
        let path = folder.join("instances.json");
        let json = fs_err::read(&path)?;
        let mut dataset: Self = serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_slice(&json))
            .map_err(|error| DatasetError::Malformed {
                path: path.clone(),
                field: error.path().to_string(),
                error: error.into_inner(),
            })?;
        dataset.check(&path)?;
        dataset.images.sort_by_key(|image| image.id);
        dataset.categories.sort_by_key(|category| category.id);
        Ok(dataset)
    }

    fn check(&self, path: &Path) -> Result<(), DatasetError> {
        let path = || path.to_owned();
        let mut images = HashSet::new();
        if let Some(twice) = self.images.iter().find(|image| !images.insert(image.id)) {
            return Err(DatasetError::Duplicate { path: path(), what: "images", id: twice.id });
        }
        let mut categories = HashSet::new();
        if let Some(twice) = self.categories.iter().find(|category| !categories.insert(category.id)) {
            return Err(DatasetError::Duplicate { path: path(), what: "categories", id: twice.id.into() });
        }
        for Annotation { image_id, category_id, .. } in &self.annotations {
            if !images.contains(image_id) {
                return Err(DatasetError::Dangling { path: path(), what: "image", id: *image_id });
            }
            if !categories.contains(category_id) {
                let id = u64::from(*category_id);
                return Err(DatasetError::Dangling { path: path(), what: "category", id });
            }
        }
        Ok(())
    }

    /// Keeps the first `count` pictures and what is on them.
    pub fn limit(&mut self, count: usize) {
        self.images.truncate(count);
        let left: HashSet<u64> = self.images.iter().map(|image| image.id).collect();
        self.annotations.retain(|annotation| left.contains(&annotation.image_id));
    }

    /// Keeps the categories that `wanted` says yes to and their annotations; gives back the names of the others.
    pub fn retain_categories(&mut self, wanted: impl Fn(&Category) -> bool) -> Vec<String> {
        let (kept, others): (Vec<_>, Vec<_>) = self.categories.drain(..).partition(wanted);
        self.categories = kept;
        let left: HashSet<u32> = self.categories.iter().map(|category| category.id).collect();
        self.annotations.retain(|annotation| left.contains(&annotation.category_id));
        others.into_iter().map(|category| category.name).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Dataset, DatasetError> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("instances.json"), json).unwrap();
        Dataset::read(folder.path())
    }

    const IMAGES: &str = r#""images": [{"id": 2, "file_name": "b.jpg", "width": 4, "height": 3},
                                       {"id": 1, "file_name": "a.jpg", "width": 4, "height": 3}]"#;
    const CATEGORIES: &str = r#""categories": [{"id": 1, "name": "person"}, {"id": 18, "name": "dog"}]"#;

    fn annotation(image: u32, category: u32) -> String {
        format!(r#"{{"image_id": {image}, "category_id": {category}, "bbox": [0, 0, 1, 1], "area": 1}}"#)
    }

    #[test]
    fn limits_keep_pictures_and_annotations_together() {
        let annotations = [annotation(1, 1), annotation(2, 1), annotation(1, 18)].join(",");
        let mut dataset = read(&format!(r#"{{{IMAGES}, {CATEGORIES}, "annotations": [{annotations}]}}"#)).unwrap();
        dataset.limit(1);
        assert_eq!(dataset.images[0].file_name, "a.jpg");
        assert_eq!(dataset.annotations.len(), 2);
        assert_eq!(dataset.retain_categories(|category| category.name == "dog"), ["person"]);
        assert_eq!(dataset.annotations.len(), 1);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let bad = |annotation: &str| format!(r#"{{{IMAGES}, {CATEGORIES}, "annotations": [{annotation}]}}"#);
        for (json, says) in [
            (bad(&annotation(3, 1)), "an annotation names image 3, which is not listed"),
            (bad(&annotation(1, 2)), "an annotation names category 2, which is not listed"),
            (bad(r#"{"image_id": 1}"#), "at annotations[0]: missing field"),
            (format!(r#"{{{IMAGES}, "annotations": [], "categories": {}}}"#, twice()), "two categories have the id 1"),
            ("[]".into(), "is not in COCO's instances form"),
        ] {
            let error = read(&json).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
        let missing = Dataset::read(Path::new("/nowhere")).unwrap_err().to_string();
        assert!(missing.contains("/nowhere/instances.json") && missing.contains("images/"), "{missing}");
    }

    fn twice() -> &'static str {
        r#"[{"id": 1, "name": "person"}, {"id": 1, "name": "dog"}]"#
    }
}
