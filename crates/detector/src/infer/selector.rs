//! The selector of execution providers: which of them a session can have, and of the others why not.
//!
//! ONNX Runtime's own fallback hides reasons and does not cover every failure (a device that does not answer shows
//! only when the session is made), so each provider is first registered by itself, and a failed session is tried again
//! with fewer of them, down to the CPU.

use super::{
    Config, InferError, Provider, Runtime,
    cache::{Cache, Compiler, Failure},
    host::Host,
    key::Key,
    options::Options,
    placement::{self, Profile},
    register::{Fault, ProbeResult, Refused, plain, provider_options, reason, register, register_each},
    runtime::log::{self, Message},
};
use crate::{
    manifest::Model,
    status::{ProviderState, ProviderStatus},
};
use ort::{
    ErrorCode,
    logging::LogLevel,
    session::{
        Session,
        builder::{GraphOptimizationLevel, SessionBuilder},
    },
};
use std::{collections::VecDeque, path::Path, time::Duration};

/// What a session is made from.
pub(super) struct ProviderSelector<'a> {
    pub runtime: &'a Runtime,
    pub config: &'a Config,
    pub model: &'a Model,
    /// Told before an engine is built, with the time the last build took.
    pub on_build: &'a dyn Fn(Option<Duration>),
}

/// A session, and what is known of it.
pub(super) struct Made {
    pub session: Session,
    /// What became of each provider of the configuration, in its order.
    pub providers: Vec<ProviderStatus>,
    /// Where the first run is profiled, for runtimes whose log does not count the nodes.
    pub profile: Option<Profile>,
}

/// A session that was made.
struct Committed {
    session: Session,
    messages: Vec<Message>,
    profile: Option<Profile>,
}

/// A session that could not be made.
struct Failed {
    code: ErrorCode,
    reason: String,
    messages: Vec<Message>,
}

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.reason)
    }
}

impl ProviderSelector<'_> {
    /// Makes a session on as many of the configured providers as are available.
    pub(super) fn make(&self) -> Result<Made, InferError> {
        self.check_requirable()?;
        let ProbeResult { mut able, mut refused } = register_each(self.runtime, self.config)?;
        if able.contains(&Provider::Tensorrt)
            && let Some(reason) = Cache::new(&self.config.cache_folder()).given_up(&self.key()?)
        {
            tracing::warn!("TensorRT is left out: {reason}");
            able.retain(|provider| *provider != Provider::Tensorrt);
            refused.push(Refused { provider: Provider::Tensorrt, reason, fault: Fault::Missing });
        }
        self.check_required(&refused)?;
        let mut to_try = VecDeque::from([able.clone()]);
        let mut first_failure: Option<String> = None;
        while let Some(providers) = to_try.pop_front() {
            if providers.is_empty() && !self.config.providers.contains(Provider::Cpu) {
                return Err(InferError::NoProvider { reasons: in_words(&refused) });
            }
            let failed = match self.attempt(&providers)? {
                Ok(committed) => {
                    let left_out = able.iter().filter(|provider| !providers.contains(provider));
                    refuse_rest(left_out.copied(), first_failure, &mut refused);
                    return self.finish(committed, &refused);
                }
                Err(failed) => failed,
            };
            if providers.is_empty() || failed.is_about_the_model() {
                return Err(InferError::ModelRefused { path: self.model.path.clone(), reason: failed.reason });
            }
            let reason = reason(&failed.reason, &failed.messages);
            match providers[..] {
                // Alone: it is to blame.
                [provider] => refused.push(Refused { provider, reason: reason.clone(), fault: Fault::Silent }),
                // Together: see which works alone.
                _ => to_try.extend(providers.iter().map(|provider| vec![*provider])),
            }
            self.check_required(&refused)?;
            first_failure.get_or_insert(reason);
            if to_try.is_empty() {
                to_try.push_back(Vec::new());
            }
        }
        Err(InferError::NoProvider { reasons: in_words(&refused) })
    }

    /// One try with exactly these providers; TensorRT's engines are cached.
    fn attempt(&self, providers: &[Provider]) -> Result<Result<Committed, Failed>, InferError> {
        if !providers.contains(&Provider::Tensorrt) {
            return Ok(self.commit(providers, None));
        }
        let folder = self.config.cache_folder();
        let (cache, key) = (Cache::new(&folder), self.key()?);
        if !cache.holds(&key) {
            (self.on_build)(cache.usual_build());
        }
        match cache.open(&key, &mut Engines { selector: self, providers }) {
            Ok(committed) => Ok(Ok(committed)),
            Err(Failure::Compiler(failed)) => Ok(Err(failed)),
            // Another process has tried since this one checked.
            Err(failure @ Failure::GivenUp { .. }) => {
                let reason = failure.to_string();
                Ok(Err(Failed { code: ErrorCode::GenericFailure, reason, messages: Vec::new() }))
            }
            Err(Failure::Cache { folder, reason }) => Err(InferError::Cache { folder, reason }),
        }
    }

    /// All that an engine for this model depends on. TensorRT is loaded by now: it has been registered once.
    fn key(&self) -> Result<Key, InferError> {
        let host = Host::this();
        let options = self.provider_options(Provider::Tensorrt, None)?;
        Ok(Key {
            model_sha256: self.model.sha256.clone(),
            tensorrt: host.tensorrt().unwrap_or_else(|| "unknown".to_owned()),
            runtime: self.runtime.version().to_owned(),
            options: options.iter().map(|(key, value)| format!("{key}={value};")).collect(),
            board: host.target(),
        })
    }

    /// Makes a session with these providers.
    fn commit(&self, providers: &[Provider], engines: Option<&Path>) -> Result<Committed, Failed> {
        let profile = Profile::for_api(self.runtime.api());
        let (session, messages) = log::collect(|| {
            let mut builder = self.session_options(profile.as_ref())?;
            for &provider in providers {
                // The same call went well with a discarded builder, and its options are valid.
                let options =
                    self.provider_options(provider, engines).map_err(|error| ort::Error::new(error.to_string()))?;
                register(self.runtime, provider, &options, &mut builder)?;
            }
            builder.commit_from_file(&self.model.path)
        });
        match session {
            Ok(session) => Ok(Committed { session, messages, profile }),
            Err(error) => Err(Failed { code: error.code(), reason: plain(&error.to_string()).to_owned(), messages }),
        }
    }

    /// The options every session has.
    fn session_options(&self, profile: Option<&Profile>) -> Result<SessionBuilder, ort::Error> {
        let spinning = if self.config.spinning { "1" } else { "0" };
        let threads = self.config.threads.map_or_else(|| Host::this().default_threads(), super::Threads::get);
        let builder = Session::builder(self.runtime.environment())?
            .with_log_id("sightd")?
            .with_log_level(LogLevel::Verbose)?
            .with_optimization_level(GraphOptimizationLevel::All)?
            .with_parallel_execution(false)?
            .with_inter_threads(1)?
            .with_intra_threads(threads)?
            .with_config_entry("session.intra_op.allow_spinning", spinning)?
            .with_config_entry("session.inter_op.allow_spinning", spinning)?;
        match profile {
            Some(profile) => Ok(builder.with_profiling(profile.prefix())?),
            None => Ok(builder),
        }
    }

    /// The options of a provider that builds engines into `engines`.
    fn provider_options(&self, provider: Provider, engines: Option<&Path>) -> Result<Options, InferError> {
        provider_options(self.runtime, self.config, provider, engines)
    }

    /// Whether the provider of `runtime.require` is one that is tried at all.
    fn check_requirable(&self) -> Result<(), InferError> {
        match self.config.require {
            Some(provider) if !self.config.providers.contains(provider) => {
                let reason = "it does not stand in runtime.providers".to_owned();
                Err(InferError::RequiredMissing { provider, reason })
            }
            _ => Ok(()),
        }
    }

    /// Whether `runtime.require` can still be met.
    fn check_required(&self, refused: &[Refused]) -> Result<(), InferError> {
        let Some(provider) = self.config.require else { return Ok(()) };
        match refused.iter().find(|refused| refused.provider == provider) {
            None => Ok(()),
            Some(Refused { reason, fault: Fault::Missing, .. }) => {
                Err(InferError::RequiredMissing { provider, reason: reason.clone() })
            }
            Some(Refused { reason, fault: Fault::Silent, .. }) => {
                Err(InferError::RequiredSilent { provider, reason: reason.clone() })
            }
        }
    }

    /// The session with what became of the providers, by where the runtime says it placed the nodes.
    fn finish(&self, committed: Committed, refused: &[Refused]) -> Result<Made, InferError> {
        self.check_required(refused)?;
        let Committed { session, messages, profile } = committed;
        let providers = self.statuses(refused, &messages);
        let idle = |status: &&ProviderStatus| status.state != ProviderState::Active;
        if let Some(provider) = self.config.require
            && let Some(status) = providers.iter().filter(idle).find(|status| status.name == provider.name())
        {
            return Err(InferError::RequiredMissing { provider, reason: status.reason.clone().unwrap_or_default() });
        }
        Ok(Made { session, providers, profile })
    }

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

/// TensorRT, as the engine cache sees it.
struct Engines<'a> {
    selector: &'a ProviderSelector<'a>,
    providers: &'a [Provider],
}

impl Compiler for Engines<'_> {
    type Session = Committed;
    type Error = Failed;

    fn open(&mut self, folder: &Path) -> Result<Committed, Failed> {
        self.selector.commit(self.providers, Some(folder))
    }

    fn blames_engine(&self, error: &Failed) -> bool {
        // ONNX Runtime: "TensorRT EP could not deserialize engine from cache"; TensorRT itself logs "Engine
        // deserialization failed" and "Serialization assertion ... failed".
        let blames = |text: &str| text.to_lowercase().contains("serializ");
        blames(&error.reason) || error.messages.iter().any(|m| m.level >= LogLevel::Error && blames(&m.text))
    }
}

impl Failed {
    fn is_about_the_model(&self) -> bool {
        use ErrorCode::{InvalidGraph, InvalidProtobuf, NoModel, NoSuchFile};
        matches!(self.code, InvalidProtobuf | InvalidGraph | NoModel | NoSuchFile)
    }
}

/// Providers that were registered, yet are not in the session that worked: the first failure was theirs.
fn refuse_rest(rest: impl Iterator<Item = Provider>, failure: Option<String>, refused: &mut Vec<Refused>) {
    let reason = failure.unwrap_or_default();
    for provider in rest {
        if !refused.iter().any(|refused| refused.provider == provider) {
            refused.push(Refused { provider, reason: reason.clone(), fault: Fault::Silent });
        }
    }
}

/// All refusals in one line.
fn in_words(refused: &[Refused]) -> String {
    refused.iter().map(|r| format!("{}: {}", r.provider, r.reason)).collect::<Vec<_>>().join("; ")
}
