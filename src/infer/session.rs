//! Opens a model: from its file to an engine that has run.

use super::{Config, Engine, InferError, Runtime, Work, chain::Chain, engine::BoundEngine, watchdog::within};
use crate::{
    manifest::Manifest,
    status::{EngineInfo, EnginePhase, ProviderStatus},
};
use sha2::{Digest, Sha256};
use std::{
    fs::File,
    io::{self, Read},
    path::Path,
    time::Instant,
};

/// Runs before an engine counts as ready: the first ones allocate and, on a GPU, choose kernels.
const WARM_UP_RUNS: usize = 2;

impl Runtime {
    /// Opens a model: makes a session on the first providers of `config.providers` that can be had, checks that the
    /// graph is what `manifest` says, allocates and binds the tensors, and warms up. Blocks, with TensorRT and no
    /// cached engine for minutes; `progress` is told how far it is, and [`EnginePhase::Ready`] at the end.
    ///
    /// # Errors
    /// When the model can not be read or run or differs from its manifest, when `config.require` can not be met, or
    /// when no provider is left.
    pub fn open(
        &self,
        config: &Config,
        model: &Path,
        manifest: &Manifest,
        progress: &dyn Fn(EnginePhase),
    ) -> Result<Box<dyn Engine>, InferError> {
        let model_sha256 = checksum(model, manifest)?;
        let since = Instant::now();
        progress(EnginePhase::Building { since, usual: None });
        let on_build = |usual| progress(EnginePhase::Building { since, usual });
        let build = self.watchdog().map(|dog| dog.watch(Work::Build, config.build_deadline.get(), None));
        let chain = Chain { runtime: self, config, model, model_sha256: &model_sha256, on_build: &on_build };
        let made = within(build.as_ref(), || chain.make())?;
        let info = EngineInfo {
            model: manifest.name.as_str().into(),
            model_sha256,
            licence: manifest.licence.clone(),
            source: manifest.source.clone(),
            stands_in_for: None,
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
            let mut engine = BoundEngine::new(made.session, model, manifest, info)?;
            engine.run()?;
            Ok(engine)
        })?;
        if let Some(profile) = made.profile {
            engine.count_nodes(profile, &config.providers);
        }
        if let Some(dog) = self.watchdog() {
            engine.be_watched(dog, config.deadline.get());
        }
        for _ in 1..WARM_UP_RUNS {
            engine.run()?;
        }
        engine.info().providers.iter().for_each(report);
        progress(EnginePhase::Ready);
        Ok(Box::new(engine))
    }
}

/// Says once what became of a provider.
fn report(status: &ProviderStatus) {
    tracing::info!(
        provider = status.name,
        state = ?status.state,
        nodes = status.nodes,
        reason = status.reason,
        "execution provider"
    );
}

/// A file's SHA-256 in lower-case hex.
///
/// # Errors
/// When it can not be read.
pub fn sha256_of(file: &Path) -> io::Result<String> {
    let mut file = File::open(file)?;
    let (mut hash, mut piece) = (Sha256::new(), vec![0; 1 << 16]);
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()),
            read => hash.update(&piece[..read]),
        }
    }
}

/// The model file's SHA-256 in lower-case hex; it must be the manifest's, where that has one.
fn checksum(model: &Path, manifest: &Manifest) -> Result<String, InferError> {
    let found = sha256_of(model).map_err(|reason| InferError::ModelUnreadable { path: model.to_owned(), reason })?;
    match &manifest.sha256 {
        Some(expected) if *expected != found => Err(InferError::ModelMismatch {
            path: model.to_owned(),
            mismatch: format!("its SHA-256 is {found}, the description says {expected}"),
        }),
        _ => Ok(found),
    }
}
