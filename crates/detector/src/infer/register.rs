//! Registers execution providers one by one, on builders that are then thrown away: which of them this library on
//! this host can have, and of the others why not.

use super::{
    Config, InferError, Provider, Runtime,
    host::Host,
    options::{Options, Setting},
    runtime::{
        legacy::{TEXT_OPTIONS_API, append_cuda},
        log::{self, Message},
    },
};
use ort::{
    ep::{self, ArbitrarilyConfigurableExecutionProvider, ExecutionProvider},
    logging::LogLevel,
    session::{Session, builder::SessionBuilder},
};
use std::path::Path;

/// Whether a provider is available.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Availability {
    /// The provider.
    pub provider: Provider,
    /// Why it is not available, in the runtime's words; `None` when it is.
    pub missing: Option<String>,
}

/// A provider that is not available.
#[derive(Clone, Debug)]
pub(super) struct Refused {
    pub provider: Provider,
    pub reason: String,
    pub fault: Fault,
}

/// What kind of failure a refusal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It is not compiled in, or one of its libraries cannot be loaded.
    Missing,
    /// Its device does not answer.
    Silent,
}

/// The result of registering the configured providers.
pub(super) struct ProbeResult {
    /// Those that could be registered.
    pub able: Vec<Provider>,
    /// The others.
    pub refused: Vec<Refused>,
}

impl Runtime {
    /// Which of `config.providers` this library on this host can have. A device that does not answer may show only
    /// when a session is made.
    ///
    /// # Errors
    /// When an option of a provider is not one that this version knows.
    pub fn availability(&self, config: &Config) -> Result<Vec<Availability>, InferError> {
        let ProbeResult { refused, .. } = register_each(self, config)?;
        let missing = |provider| refused.iter().find(|r| r.provider == provider).map(|r| r.reason.clone());
        Ok(config.providers.iter().map(|provider| Availability { provider, missing: missing(provider) }).collect())
    }
}

/// Registers each configured provider that stands before the CPU.
pub(super) fn register_each(runtime: &Runtime, config: &Config) -> Result<ProbeResult, InferError> {
    let mut tried = ProbeResult { able: Vec::new(), refused: Vec::new() };
    for provider in config.providers.iter().take_while(|provider| *provider != Provider::Cpu) {
        let options = provider_options(runtime, config, provider, None)?;
        let (result, messages) = log::collect(|| {
            let mut builder = Session::builder(runtime.environment())?;
            register(runtime, provider, &options, &mut builder)
        });
        match result {
            Ok(()) => tried.able.push(provider),
            Err(error) => {
                let reason = reason(&error.to_string(), &messages);
                let fault = if reason.contains("CUDA failure") { Fault::Silent } else { Fault::Missing };
                tried.refused.push(Refused { provider, reason, fault });
            }
        }
    }
    Ok(tried)
}

/// A provider's options for the loaded version; TensorRT keeps its engines in `engines`.
pub(super) fn provider_options(
    runtime: &Runtime,
    config: &Config,
    provider: Provider,
    engines: Option<&Path>,
) -> Result<Options, InferError> {
    let memory_limit = Host::this().gpu_memory_limit();
    let setting = Setting { version: runtime.version(), config, memory_limit };
    let folder = engines.map(Path::to_string_lossy);
    match provider {
        Provider::Tensorrt => Ok(setting.tensorrt(folder.as_deref())?),
        Provider::Cuda => Ok(setting.cuda()?),
        Provider::Cpu => Ok(Options::new()),
    }
}

/// Registers a GPU provider; the CPU's is always there.
pub(super) fn register(
    runtime: &Runtime,
    provider: Provider,
    options: &Options,
    builder: &mut SessionBuilder,
) -> Result<(), ort::Error> {
    match provider {
        Provider::Tensorrt => with(ep::TensorRT::default(), options).register(builder),
        Provider::Cuda if runtime.api() < TEXT_OPTIONS_API => append_cuda(options, builder),
        Provider::Cuda => with(ep::CUDA::default(), options).register(builder),
        Provider::Cpu => Ok(()),
    }
}

/// The provider with all options.
fn with<P: ArbitrarilyConfigurableExecutionProvider>(provider: P, options: &Options) -> P {
    options.iter().fold(provider, |provider, (key, value)| provider.with_arbitrary_config(key, value))
}

/// The runtime's reason for a failure: its error, and what it logged as errors meanwhile where that says more.
pub(super) fn reason(error: &str, messages: &[Message]) -> String {
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
pub(super) fn plain(text: &str) -> &str {
    let words = text.split_once("[ONNXRuntimeError] : ").and_then(|(_, rest)| rest.splitn(3, " : ").nth(2));
    words.unwrap_or(text).trim()
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
