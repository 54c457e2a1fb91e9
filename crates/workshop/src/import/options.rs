//! What the user says about a model.

use super::labels::Labels;
use detector::manifest::{Decode, Input, Manifest};

/// What the user may say about a model that its file does not.
#[derive(Clone, Debug, Default)]
pub struct ImportOptions {
    /// The model's name in its manifest; by default the name of its file.
    pub name: Option<String>,
    /// The names of the classes.
    pub labels: Option<Labels>,
    /// Side of the square input in pixels, instead of the one in the file.
    pub size: Option<u32>,
    /// What DetectNets subtract from every pixel value; 0 by default.
    pub mean: Option<f32>,
    /// The licence of the weights.
    pub licence: Option<String>,
    /// Where the weights come from.
    pub source: Option<String>,
}

impl ImportOptions {
    /// The manifest of a model, without the file's SHA-256.
    pub(super) fn manifest(&self, name: String, labels: Vec<String>, input: Input, decode: Decode) -> Manifest {
        let (licence, source) = (self.licence.clone(), self.source.clone());
        Manifest { name, sha256: None, licence, source, labels, input, decode }
    }
}
