//! Makes a session on the best execution providers that can be had, and says of the others why not.

use super::{
    Config, Engine, InferError, Provider, Runtime,
    engine::BoundEngine,
    options, placement,
    runtime::log::{self, Message},
    threads,
};
use crate::{
    manifest::Manifest,
    status::{EngineInfo, EnginePhase, ProviderState, ProviderStatus},
};
use ort::{
    ErrorCode,
    ep::ExecutionProvider,
    logging::LogLevel,
    session::{
        Session,
        builder::{GraphOptimizationLevel, SessionBuilder},
    },
};
use sha2::{Digest, Sha256};
use std::{fs::File, io::Read, path::Path, time::Instant};

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
        progress(EnginePhase::Building { since: Instant::now(), usual: None });
        let (session, providers) = Opening { runtime: self, config, model }.session()?;
        for status in &providers {
            tracing::info!(
                provider = status.name,
                state = ?status.state,
                nodes = status.nodes,
                reason = status.reason,
                "execution provider"
            );
        }
        let info = EngineInfo {
            model: manifest.name.as_str().into(),
            model_sha256,
            licence: manifest.licence.clone(),
            source: manifest.source.clone(),
            runtime_version: self.version().to_owned(),
            runtime_api: self.api(),
            library: self.library().to_owned(),
            providers,
        };
        let mut engine = BoundEngine::new(session, model, manifest, info)?;
        progress(EnginePhase::WarmingUp);
        for _ in 0..WARM_UP_RUNS {
            engine.run()?;
        }
        progress(EnginePhase::Ready);
        Ok(Box::new(engine))
    }
}

/// The model file's SHA-256 in lower-case hex; it must be the manifest's, where that has one.
fn checksum(model: &Path, manifest: &Manifest) -> Result<String, InferError> {
    let unreadable = |reason| InferError::ModelUnreadable { path: model.to_owned(), reason };
    let mut file = File::open(model).map_err(unreadable)?;
    let (mut hash, mut piece) = (Sha256::new(), vec![0; 1 << 16]);
    loop {
        match file.read(&mut piece).map_err(unreadable)? {
            0 => break,
            read => hash.update(&piece[..read]),
        }
    }
    let found: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    match &manifest.sha256 {
        Some(expected) if *expected != found => Err(InferError::ModelMismatch {
            path: model.to_owned(),
            mismatch: format!("its SHA-256 is {found}, the description says {expected}"),
        }),
        _ => Ok(found),
    }
}

/// What became of the providers in one attempt.
struct Attempted {
    /// Those that were registered, in order.
    registered: Vec<Provider>,
    /// Those that were not, with the runtime's reason.
    refused: Vec<Refused>,
}

/// A provider that can not be had.
#[derive(Clone, Debug)]
struct Refused {
    provider: Provider,
    reason: String,
    when: When,
}

/// When a provider failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    /// While it was registered: it is not compiled in, or a library of it can not be loaded.
    Registering,
    /// While its device was set up.
    Starting,
}

/// The making of one session.
struct Opening<'a> {
    runtime: &'a Runtime,
    config: &'a Config,
    model: &'a Path,
}

impl Opening<'_> {
    /// A session, and what became of each provider of the config.
    fn session(&self) -> Result<(Session, Vec<ProviderStatus>), InferError> {
        let wanted = self.wanted()?;
        let mut refused: Vec<Refused> = Vec::new();
        let mut left = wanted.clone();
        loop {
            let (mut builder, attempted) = self.builder(&left)?;
            refused.extend(attempted.refused);
            self.check_required(&refused)?;
            if attempted.registered.is_empty() && !self.config.providers.contains(Provider::Cpu) {
                return Err(InferError::Session(format!(
                    "none of runtime.providers can be had: {}",
                    in_words(&refused)
                )));
            }
            let (session, messages) = log::collect(|| builder.commit_from_file(self.model));
            match session {
                Ok(session) => return Ok((session, self.statuses(&refused, &messages))),
                Err(error) => left = self.fewer(&attempted.registered, &error, &messages, &mut refused)?,
            }
        }
    }

    /// The providers that have to be registered: all but the CPU, which is always there, and those after it.
    fn wanted(&self) -> Result<Vec<Provider>, InferError> {
        let providers = &self.config.providers;
        if let Some(required) = self.config.require.filter(|required| !providers.contains(*required)) {
            let reason = "it does not stand in runtime.providers".to_owned();
            return Err(InferError::RequiredMissing { provider: required, reason });
        }
        Ok(providers.iter().take_while(|provider| *provider != Provider::Cpu).collect())
    }

    /// A builder with the session's options and as many of `providers` as can be registered.
    fn builder(&self, providers: &[Provider]) -> Result<(SessionBuilder, Attempted), InferError> {
        let mut builder = self.options().map_err(|error| InferError::Session(error.to_string()))?;
        let mut attempted = Attempted { registered: Vec::new(), refused: Vec::new() };
        for &provider in providers {
            let (result, messages) = log::collect(|| match provider {
                Provider::Tensorrt => options::tensorrt(self.runtime.version(), self.config).register(&mut builder),
                Provider::Cuda => options::cuda(self.runtime.version(), self.config).register(&mut builder),
                Provider::Cpu => Ok(()),
            });
            match result {
                Ok(()) => attempted.registered.push(provider),
                Err(error) => {
                    let reason = reason(&error.to_string(), &messages);
                    attempted.refused.push(Refused { provider, reason, when: When::Registering });
                }
            }
        }
        Ok((builder, attempted))
    }

    /// The options every session has.
    fn options(&self) -> Result<SessionBuilder, ort::Error> {
        let spinning = if self.config.spinning { "1" } else { "0" };
        let threads = self.config.threads.map_or_else(threads::default_count, super::Threads::get);
        Ok(Session::builder(self.runtime.environment())?
            .with_log_id("sightd")?
            .with_log_level(LogLevel::Verbose)?
            .with_optimization_level(GraphOptimizationLevel::All)?
            .with_parallel_execution(false)?
            .with_inter_threads(1)?
            .with_intra_threads(threads)?
            .with_config_entry("session.intra_op.allow_spinning", spinning)?
            .with_config_entry("session.inter_op.allow_spinning", spinning)?)
    }

    /// What to try after a session could not be made with `registered`: those without the culprit.
    fn fewer(
        &self,
        registered: &[Provider],
        error: &ort::Error,
        messages: &[Message],
        refused: &mut Vec<Refused>,
    ) -> Result<Vec<Provider>, InferError> {
        let about_the_model = matches!(
            error.code(),
            ErrorCode::InvalidProtobuf | ErrorCode::InvalidGraph | ErrorCode::NoModel | ErrorCode::NoSuchFile
        );
        let [first, rest @ ..] = registered else {
            return Err(InferError::ModelRefused { path: self.model.to_owned(), reason: error.to_string() });
        };
        if about_the_model {
            return Err(InferError::ModelRefused { path: self.model.to_owned(), reason: error.to_string() });
        }
        let reason = reason(&error.to_string(), messages);
        refused.push(Refused { provider: *first, reason, when: When::Starting });
        self.check_required(refused)?;
        Ok(rest.to_vec())
    }

    /// Whether `runtime.require` can still be met.
    fn check_required(&self, refused: &[Refused]) -> Result<(), InferError> {
        let Some(required) = self.config.require else { return Ok(()) };
        match refused.iter().find(|refused| refused.provider == required) {
            None => Ok(()),
            Some(Refused { provider, reason, when: When::Registering }) => {
                Err(InferError::RequiredMissing { provider: *provider, reason: reason.clone() })
            }
            Some(Refused { provider, reason, when: When::Starting }) => {
                Err(InferError::RequiredSilent { provider: *provider, reason: reason.clone() })
            }
        }
    }

    /// What became of each provider of the config, by where the runtime says it placed the nodes.
    fn statuses(&self, refused: &[Refused], messages: &[Message]) -> Vec<ProviderStatus> {
        let placed = placement::read(messages);
        let mut after_cpu = false;
        let mut status = |provider: Provider| {
            let (state, reason, nodes) = match placed.get(provider.runtime_name()) {
                Some(nodes) => (ProviderState::Active, None, *nodes),
                None => {
                    let refused = refused.iter().find(|refused| refused.provider == provider);
                    let (state, reason) = match refused {
                        Some(refused) => (ProviderState::Unavailable, refused.reason.as_str()),
                        None if after_cpu => (ProviderState::Disabled, "it stands after \"cpu\" in runtime.providers"),
                        None => (ProviderState::Disabled, "the runtime placed no node of the graph on it"),
                    };
                    (state, Some(reason.to_owned()), Some(0))
                }
            };
            after_cpu |= provider == Provider::Cpu;
            ProviderStatus { name: provider.name().to_owned(), state, reason, nodes }
        };
        self.config.providers.iter().map(&mut status).collect()
    }
}

/// The runtime's reason for a failure: its error, and what it logged as errors meanwhile where that says more.
fn reason(error: &str, messages: &[Message]) -> String {
    let mut reason = plain(error).to_owned();
    for message in messages.iter().filter(|message| message.level >= LogLevel::Error) {
        let text = plain(&message.text);
        if !reason.contains(text) {
            reason.push_str("; ");
            reason.push_str(text);
        }
    }
    reason
}

/// A message of the runtime without the source position, number and code it may begin with:
/// `file.cc:123 function [ONNXRuntimeError] : 1 : FAIL : words`.
fn plain(text: &str) -> &str {
    let words = text.split_once("[ONNXRuntimeError] : ").and_then(|(_, rest)| rest.splitn(3, " : ").nth(2));
    words.unwrap_or(text).trim()
}

/// All refusals in one line.
fn in_words(refused: &[Refused]) -> String {
    refused.iter().map(|r| format!("{}: {}", r.provider, r.reason)).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_keep_the_words_and_drop_the_rest() {
        let error =
            "/src/provider_bridge_ort.cc:1988 Get() [ONNXRuntimeError] : 1 : FAIL : Failed to load library x : y ";
        let logged = |level, text: &str| Message { level, text: text.to_owned() };
        let messages = [
            logged(LogLevel::Warning, "of no interest"),
            logged(LogLevel::Error, "[ONNXRuntimeError] : 1 : FAIL : Failed to load library x"),
            logged(LogLevel::Error, "libnvinfer.so.8: cannot open shared object file"),
        ];
        assert_eq!(
            reason(error, &messages),
            "Failed to load library x : y; libnvinfer.so.8: cannot open shared object file"
        );
        assert_eq!(
            plain("CUDA execution provider is not enabled in this build. "),
            "CUDA execution provider is not enabled in this build."
        );
    }
}
