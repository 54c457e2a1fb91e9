//! Opens a model: from its file to an engine that has run.

use super::{
    Config, Engine, InferError, Runtime, Work, deadline::within, engine::BoundEngine, report, runtime,
    selector::ProviderSelector,
};
use crate::{
    manifest::Model,
    status::{EngineInfo, EnginePhase},
};
use std::time::Instant;

/// Runs before an engine counts as ready: the first ones allocate and, on a GPU, choose kernels.
const WARM_UP_RUNS: usize = 2;

impl Runtime {
    /// Opens a model: makes a session on the first providers of `config.providers` that are available, checks that the
    /// graph is what the manifest says, allocates and binds the tensors, and warms up. Blocks, with TensorRT and no
    /// cached engine for up to an hour on a Jetson Nano; `progress` is told how far it is, and [`EnginePhase::Ready`] at the end.
    ///
    /// # Errors
    /// When the model cannot be read or run or differs from its manifest, when `config.require` cannot be met, or
    /// when no provider is left.
    pub fn open(
        &self,
        config: &Config,
        model: &Model,
        progress: &dyn Fn(EnginePhase),
    ) -> Result<Box<dyn Engine>, InferError> {
        let since = Instant::now();
        progress(EnginePhase::Building { since, usual: None });
        let on_build = |usual| progress(EnginePhase::Building { since, usual });
        let build = self.deadline().map(|monitor| monitor.watch(Work::Build, config.build_deadline.get(), None));
        let selector = ProviderSelector { runtime: self, config, model, on_build: &on_build };
        let made = within(build.as_ref(), || selector.make())?;
        let manifest = &model.manifest;
        let info = EngineInfo {
            model: manifest.name.as_str().into(),
            model_sha256: model.sha256.clone(),
            licence: manifest.licence.clone(),
            source: manifest.source.clone(),
            stands_in_for: model.stands_in_for.clone(),
            labels: manifest.labels.as_slice().into(),
            input: manifest.input.size(),
            runtime_version: self.version().to_owned(),
            runtime_api: self.api(),
            library: self.library().to_owned(),
            providers: made.providers,
        };
        progress(EnginePhase::WarmingUp);
        // Its first run may build too, so it has as much time.
        let mut engine = within(build.as_ref(), || {
            let mut engine = BoundEngine::new(made.session, model, info)?;
            engine.run()?;
            Ok(engine)
        })?;
        if let Some(profile) = made.profile {
            engine.count_nodes(profile, &config.providers);
        }
        if let Some(monitor) = self.deadline() {
            engine.watch(monitor, config.deadline.get());
        }
        for _ in 1..WARM_UP_RUNS {
            engine.run()?;
        }
        report::log(&engine.info().providers);
        runtime::give_back_memory();
        progress(EnginePhase::Ready);
        Ok(Box::new(engine))
    }
}
