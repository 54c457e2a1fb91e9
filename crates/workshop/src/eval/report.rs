//! The figures for people and programs.

use super::score::{Scores, Summary};
use serde::Serialize;
use std::{fmt, path::PathBuf};

/// Everything an evaluation says.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The model's name.
    pub model: String,
    /// SHA-256 of its file.
    pub sha256: String,
    /// The execution provider.
    pub provider: String,
    /// The dataset's folder.
    pub dataset: PathBuf,
    /// How pictures were scaled.
    pub resize: &'static str,
    /// Pictures that were evaluated.
    pub pictures: usize,
    /// Labelled objects on them, crowds not counted.
    pub objects: usize,
    /// Detections.
    pub detections: usize,
    /// Time for detection and scoring.
    pub seconds: f64,
    /// Classes of the dataset that the model does not know: left out of all figures.
    pub unknown_classes: Vec<String>,
    /// The figures.
    #[serde(flatten)]
    pub scores: Scores,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { model, provider, pictures, objects, detections, seconds, resize, .. } = self;
        writeln!(f, "{model} on {provider}: {pictures} pictures of {:?} (resize {resize})", self.dataset)?;
        writeln!(f, "{objects} objects, {detections} detections, {seconds:.1} s\n")?;
        if !self.unknown_classes.is_empty() {
            writeln!(f, "not evaluated, unknown to the model: {}\n", self.unknown_classes.join(", "))?;
        }
        writeln!(f, "{:<24}{:>8}{:>8}{:>8}{:>8}{:>8}", "class", "objects", "AP", "AP50", "AP75", "AR100")?;
        for class in self.scores.classes.iter().filter(|class| class.objects > 0) {
            row(f, &class.name, class.objects, &class.summary)?;
        }
        row(f, "all", self.objects, &self.scores.summary)?;
        writeln!(f)?;
        let s = &self.scores.summary;
        for (name, about, figure) in [
            ("AP", "IoU 0.50:0.95", s.ap),
            ("AP50", "IoU 0.50", s.ap50),
            ("AP75", "IoU 0.75", s.ap75),
            ("AP small", "under 32 x 32 pixels", s.ap_small),
            ("AP medium", "to 96 x 96 pixels", s.ap_medium),
            ("AP large", "over 96 x 96 pixels", s.ap_large),
            ("AR1", "1 detection a picture and class", s.ar1),
            ("AR10", "10 detections", s.ar10),
            ("AR100", "100 detections", s.ar100),
            ("AR small", "under 32 x 32 pixels", s.ar_small),
            ("AR medium", "to 96 x 96 pixels", s.ar_medium),
            ("AR large", "over 96 x 96 pixels", s.ar_large),
        ] {
            writeln!(f, "{name:<10} {} {about}", Figure(figure))?;
        }
        Ok(())
    }
}

fn row(f: &mut fmt::Formatter<'_>, name: &str, objects: usize, s: &Summary) -> fmt::Result {
    let [ap, ap50, ap75, ar100] = [s.ap, s.ap50, s.ap75, s.ar100].map(Figure);
    writeln!(f, "{name:<24}{objects:>8}{ap:>8}{ap50:>8}{ap75:>8}{ar100:>8}")
}

/// A figure with four digits; `-` where there is none.
struct Figure(Option<f64>);

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(figure) => f.pad(&format!("{figure:.4}")),
            None => f.pad("-"),
        }
    }
}
