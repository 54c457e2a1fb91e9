//! GET /model: the model, its engine, and how far it is.

use crate::publish::http::shared::Shared;
use axum::{Json, extract::State};
use detector::status::{EngineInfo, EnginePhase, ProviderStatus, SubstituteFor};
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// How far the engine is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Phase)]
pub(crate) struct PhaseDto {
    /// Its name.
    pub name: PhaseName,
    /// Seconds since the phase began, where that is known.
    elapsed_s: Option<f64>,
    /// How long the phase usually takes on this machine, in seconds, where that is known.
    usual_s: Option<f64>,
    /// Why the engine failed.
    reason: Option<String>,
}

/// A phase of the engine's start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PhaseName {
    LoadingRuntime,
    Building,
    WarmingUp,
    Ready,
    Failed,
}

impl From<&EnginePhase> for PhaseDto {
    fn from(phase: &EnginePhase) -> Self {
        let plain = |name| Self { name, elapsed_s: None, usual_s: None, reason: None };
        match phase {
            EnginePhase::LoadingRuntime => plain(PhaseName::LoadingRuntime),
            EnginePhase::Building { since, usual } => Self {
                elapsed_s: Some(round(since.elapsed().as_secs_f64())),
                usual_s: usual.map(|usual| round(usual.as_secs_f64())),
                ..plain(PhaseName::Building)
            },
            EnginePhase::WarmingUp => plain(PhaseName::WarmingUp),
            EnginePhase::Ready => plain(PhaseName::Ready),
            EnginePhase::Failed { reason } => Self { reason: Some(reason.clone()), ..plain(PhaseName::Failed) },
        }
    }
}

impl PhaseDto {
    /// The phase for those who have shown no token.
    pub fn without_reason(self) -> Self {
        Self { reason: None, ..self }
    }
}

/// Seconds to the millisecond.
pub(crate) fn round(seconds: f64) -> f64 {
    (seconds * 1e3).round() / 1e3
}

/// The engine and what it runs on.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Engine)]
pub(crate) struct EngineDto {
    /// The model's name.
    model: String,
    /// SHA-256 of the ONNX file.
    model_sha256: String,
    /// The licence of the weights, where the model says it.
    licence: Option<String>,
    /// Where the weights come from, where the model says it.
    source: Option<String>,
    /// The network that was asked for, when this one runs in its place, and how it differs.
    stands_in_for: Option<SubstituteFor>,
    /// ONNX Runtime's version.
    runtime_version: String,
    /// The version of its C API that is in use.
    runtime_api: u32,
    /// The library's file name.
    library: String,
    /// The provider most of the graph is meant to run on.
    provider: String,
    /// Every provider that was asked for, in order, and what became of it.
    providers: Vec<ProviderStatus>,
}

impl From<&EngineInfo> for EngineDto {
    fn from(info: &EngineInfo) -> Self {
        Self {
            model: info.model.to_string(),
            model_sha256: info.model_sha256.clone(),
            licence: info.licence.clone(),
            source: info.source.clone(),
            stands_in_for: info.stands_in_for.clone(),
            runtime_version: info.runtime_version.clone(),
            runtime_api: info.runtime_api,
            library: info.library.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            provider: info.active_provider().to_owned(),
            providers: info.providers.clone(),
        }
    }
}

/// The model that serves.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Model {
    /// How far the engine is.
    phase: PhaseDto,
    /// The engine, once there is one.
    engine: Option<EngineDto>,
}

/// The model, its engine, and the providers with the reason why each serves or not.
#[utoipa::path(get, path = "/model", tag = "status",
    responses((status = 200, description = "The model", body = inline(Model))))]
pub(crate) async fn model(State(shared): State<Arc<Shared>>) -> Json<Model> {
    let phase = PhaseDto::from(&*shared.state.status.phase.borrow());
    let engine = shared.state.status.engine.borrow().as_deref().map(EngineDto::from);
    Json(Model { phase, engine })
}
