//! Which detections count: the configuration by class name, and its resolved form by class id.

use super::outputs::logit;
use crate::{fraction::Fraction, suggest};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, num::NonZeroU16};

/// Which detections count, as a user writes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The score a detection must exceed, where its class has none of its own.
    pub score: Fraction,
    /// Of two boxes of one class that overlap by more than this (intersection over union), only the better one stays.
    pub iou: Fraction,
    /// What happens to boxes of one class that overlap.
    pub overlaps: Overlaps,
    /// How many detections a frame has at most; the best ones stay.
    pub max_detections: NonZeroU16,
    /// When not empty: all other classes are switched off.
    pub only: Vec<String>,
    /// Classes that differ from the rest.
    pub classes: BTreeMap<String, ClassRule>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            score: const { Fraction::new(0.5).unwrap() },
            iou: const { Fraction::new(0.6).unwrap() },
            overlaps: Overlaps::Suppress,
            max_detections: const { NonZeroU16::new(100).unwrap() },
            only: Vec::new(),
            classes: BTreeMap::new(),
        }
    }
}

/// What happens to boxes of one class that overlap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Overlaps {
    /// The best one stays, those that overlap with it by more than [`Config::iou`] go: non-maximum suppression.
    #[default]
    Suppress,
    /// What is left after that is merged, as jetson-inference's detectNet does it: boxes that share more than three
    /// quarters of the larger one become one box round them. Networks that decode their boxes themselves get no
    /// suppression before it, as there.
    Merge,
}

/// What is special about one class.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged, expecting = "must be a score between 0 and 1, or false to switch the class off")]
pub enum ClassRule {
    /// The score its detections must exceed.
    Score(Fraction),
    /// `false` switches it off, `true` leaves it as the rest.
    Wanted(bool),
}

/// A class name that the model does not have.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the model has no class {name:?}{}", suggest::hint(.nearest.as_deref()))]
pub struct UnknownClass {
    /// The name.
    pub name: String,
    /// The class that looks most like it, if any does.
    pub nearest: Option<String>,
}

/// [`Config`] for the classes of one model.
#[derive(Clone, Debug, PartialEq)]
pub struct Thresholds {
    /// By class id; `None` is switched off.
    scores: Vec<Option<f32>>,
    /// The logit of each score, infinite where the class is switched off: nothing is above it.
    gates: Vec<f32>,
    /// See [`Config::iou`].
    pub max_iou: f32,
    /// See [`Config::overlaps`].
    pub overlaps: Overlaps,
    /// See [`Config::max_detections`].
    pub max_detections: usize,
}

impl Thresholds {
    /// Resolves `config` against `labels` (by class id, see `Manifest::labels`). Class 0 and unnamed classes are
    /// switched off; a name that several classes share counts for all of them.
    ///
    /// # Errors
    /// Every class name that the model does not have.
    pub fn resolve(config: &Config, labels: &[String]) -> Result<Self, Vec<UnknownClass>> {
        let unknown: Vec<_> =
            config.only.iter().chain(config.classes.keys()).filter_map(|name| unknown_class(name, labels)).collect();
        if !unknown.is_empty() {
            return Err(unknown);
        }
        let score = |(id, label): (usize, &String)| {
            let wanted = config.only.is_empty() || config.only.contains(label);
            match config.classes.get(label) {
                _ if id == 0 || label.is_empty() || !wanted => None,
                Some(ClassRule::Wanted(false)) => None,
                Some(ClassRule::Score(score)) => Some(score.get()),
                Some(ClassRule::Wanted(true)) | None => Some(config.score.get()),
            }
        };
        let scores = labels.iter().enumerate().map(score).collect();
        let all = Self::new(scores, config.iou.get(), config.max_detections.get().into());
        Ok(Self { overlaps: config.overlaps, ..all })
    }

    /// The same score for every class but the background, named or not: for evaluation.
    pub fn uniform(score: Fraction, classes: usize, iou: Fraction, max_detections: usize) -> Self {
        Self::new((0..classes).map(|id| (id > 0).then_some(score.get())).collect(), iou.get(), max_detections)
    }

    fn new(scores: Vec<Option<f32>>, max_iou: f32, max_detections: usize) -> Self {
        let gates = scores.iter().map(|score| score.map_or(f32::INFINITY, logit)).collect();
        Self { scores, gates, max_iou, overlaps: Overlaps::Suppress, max_detections }
    }

    /// The same with `score` for every class that is not switched off.
    #[must_use]
    pub fn at(&self, score: Fraction) -> Self {
        let scores = self.scores.iter().map(|old| old.map(|_| score.get())).collect();
        Self { overlaps: self.overlaps, ..Self::new(scores, self.max_iou, self.max_detections) }
    }

    /// The score that detections of class `id` must exceed; `None` if the class is switched off or unknown.
    pub fn score(&self, id: u32) -> Option<f32> {
        self.scores.get(id as usize).copied().flatten()
    }

    /// By class id, the logit that detections must exceed; infinite where the class is switched off.
    pub(super) fn gates(&self) -> &[f32] {
        &self.gates
    }
}

fn unknown_class(name: &str, labels: &[String]) -> Option<UnknownClass> {
    let known = || labels.iter().skip(1).filter(|label| !label.is_empty());
    if known().any(|label| label == name) {
        return None;
    }
    let nearest = suggest::nearest(name, known().map(String::as_str)).map(str::to_owned);
    Some(UnknownClass { name: name.into(), nearest })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels() -> Vec<String> {
        ["background", "person", "bicycle", "", "traffic light"].map(String::from).into()
    }

    fn config(toml: &str) -> Config {
        toml::from_str(toml).unwrap()
    }

    #[test]
    fn defaults_leave_out_background_and_unnamed() {
        let thresholds = Thresholds::resolve(&Config::default(), &labels()).unwrap();
        assert_eq!(thresholds.scores, [None, Some(0.5), Some(0.5), None, Some(0.5)]);
        assert_eq!(thresholds.gates(), [f32::INFINITY, 0.0, 0.0, f32::INFINITY, 0.0]);
        assert_eq!((thresholds.max_iou, thresholds.max_detections), (0.6, 100));
    }

    #[test]
    fn classes_have_rules_of_their_own() {
        let config = config("score = 0.4\n[classes]\nperson = 0.9\nbicycle = false\n\"traffic light\" = true");
        let thresholds = Thresholds::resolve(&config, &labels()).unwrap();
        assert_eq!(thresholds.scores, [None, Some(0.9), None, None, Some(0.4)]);
        assert_eq!(thresholds.score(1), Some(0.9));
        assert_eq!(thresholds.score(99), None);
        let lower = thresholds.at(Fraction::new(0.2).unwrap());
        assert_eq!(lower.scores, [None, Some(0.2), None, None, Some(0.2)]);
    }

    #[test]
    fn only_switches_the_others_off() {
        let thresholds = Thresholds::resolve(&config("only = [\"bicycle\"]"), &labels()).unwrap();
        assert_eq!(thresholds.scores, [None, None, Some(0.5), None, None]);
    }

    #[test]
    fn every_unknown_name_is_told_with_the_nearest_known() {
        let config = config("only = [\"trafic light\"]\n[classes]\nPerson = 0.5\nxylophone = 0.5");
        let errors = Thresholds::resolve(&config, &labels()).unwrap_err();
        assert_eq!(
            errors.iter().map(ToString::to_string).collect::<Vec<_>>(),
            [
                r#"the model has no class "trafic light"; did you mean "traffic light"?"#,
                r#"the model has no class "Person"; did you mean "person"?"#,
                r#"the model has no class "xylophone""#,
            ]
        );
    }

    #[test]
    fn bad_values_are_refused_with_what_is_allowed() {
        for (toml, says) in [
            ("score = 1.5", "1.5 is not between 0 and 1"),
            ("iou = -0.1", "-0.1 is not between 0 and 1"),
            ("score = nan", "NaN is not between 0 and 1"),
            ("max_detections = 0", "nonzero"),
            ("[classes]\nperson = 2.0", "must be a score between 0 and 1, or false"),
            ("treshold = 0.5", "unknown field `treshold`"),
        ] {
            let error = toml::from_str::<Config>(toml).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }
}
