//! Which scenes, and which of their detections, a client asked for.

use crate::publish::http::server::error::ApiError;
use crate::{
    camera::CameraName,
    publish::wire::{SceneDto, StreamMessage},
    scene::Scene,
    state::{DaemonState, PublishedScene},
};
use axum::{body::Bytes, extract::ws::Utf8Bytes};
use detector::{detection::Detection, suggest};
use serde::Deserialize;
use std::time::Instant;
use utoipa::IntoParams;

/// What a client wants to see of the stream.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct StreamQuery {
    /// Only scenes of these cameras; several names with commas between them.
    #[param(example = "front")]
    pub camera: Option<String>,
    /// Only detections with these labels; several labels with commas between them.
    #[param(example = "person,dog")]
    pub label: Option<String>,
    /// Only detections whose score is at least this.
    #[param(minimum = 0, maximum = 1)]
    pub min_score: Option<f32>,
}

/// Names of classes, with commas between them.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub(crate) struct Labels(Vec<String>);

impl From<String> for Labels {
    fn from(list: String) -> Self {
        Self(items(&list).map(String::from).collect())
    }
}

impl Labels {
    /// Refuses labels that the model does not have; before a model serves, any are taken.
    ///
    /// # Errors
    /// When a label is unknown.
    pub fn check(&self, state: &DaemonState) -> Result<(), ApiError> {
        let engine = state.status.engine.borrow().clone();
        let Some(engine) = engine else { return Ok(()) };
        let labels = || engine.labels.iter().map(String::as_str);
        match self.0.iter().find(|label| !labels().any(|known| known == label.as_str())) {
            Some(label) => Err(ApiError::BadRequest(format!(
                "label={label}: the model {} has no such class{}",
                engine.model,
                suggest::hint(suggest::nearest(label, labels())),
            ))),
            None => Ok(()),
        }
    }

    /// Whether `label` is one of them.
    pub fn contain(&self, label: &str) -> bool {
        self.0.iter().any(|known| known == label)
    }
}

/// A [`StreamQuery`] that has been checked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selection {
    cameras: Option<Vec<CameraName>>,
    labels: Option<Labels>,
    min_score: Option<f32>,
}

impl Selection {
    /// Checks `query` against the cameras there are.
    ///
    /// # Errors
    /// When a camera or a label is unknown, or the score lies outside 0..1.
    pub fn new(query: StreamQuery, state: &DaemonState) -> Result<Self, ApiError> {
        if let Some(score) = query.min_score
            && !(0.0..=1.0).contains(&score)
        {
            return Err(ApiError::BadRequest(format!("min_score={score}: a score lies between 0 and 1")));
        }
        let labels = query.label.map(Labels::from);
        if let Some(labels) = &labels {
            labels.check(state)?;
        }
        let known = |name: &str| {
            state.cameras.get(name).map(|feed| feed.name.clone()).ok_or_else(|| ApiError::UnknownCamera(name.into()))
        };
        Ok(Self {
            cameras: query.camera.map(|list| items(&list).map(known).collect()).transpose()?,
            labels,
            min_score: query.min_score,
        })
    }

    /// The one camera that was asked for, if it was exactly one.
    pub fn only_camera(&self) -> Option<&CameraName> {
        match self.cameras.as_deref() {
            Some([camera]) => Some(camera),
            _ => None,
        }
    }

    /// Whether scenes of `camera` are wanted.
    pub fn wants_camera(&self, camera: &CameraName) -> bool {
        self.cameras.as_ref().is_none_or(|cameras| cameras.contains(camera))
    }

    /// Whether `detection` is wanted.
    pub fn wants(&self, detection: &Detection) -> bool {
        self.min_score.is_none_or(|least| detection.score >= least)
            && self.labels.as_ref().is_none_or(|labels| labels.contain(&detection.label))
    }

    /// The wire form of `scene` with the wanted detections.
    pub fn scene<'a>(&self, scene: &'a Scene, now: Instant) -> SceneDto<'a> {
        SceneDto::with(scene, now, |detection| self.wants(detection))
    }

    /// The stream message for `published`, if its camera is wanted; shared where all its detections are.
    pub fn message(&self, published: &PublishedScene) -> Option<Utf8Bytes> {
        if !self.wants_camera(&published.scene.camera) {
            return None;
        }
        if self.labels.is_none() && self.min_score.is_none() {
            let whole = |scene: &Scene| Bytes::from(StreamMessage::Scene(SceneDto::new(scene, scene.published)).json());
            return Utf8Bytes::try_from(published.encoded(whole)).ok(); // JSON is UTF-8
        }
        let scene = self.scene(&published.scene, published.scene.published);
        Some(StreamMessage::Scene(scene).json().into())
    }
}

fn items(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|item| !item.is_empty())
}
