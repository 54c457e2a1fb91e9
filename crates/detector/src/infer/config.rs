//! The `[runtime]` table of the configuration. Every value checks itself.

use super::host;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt, num::NonZeroU16, path::PathBuf, time::Duration};

/// How the network is run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// A libonnxruntime file, or the folder that holds one; without it the usual places are searched.
    pub library: Option<PathBuf>,
    /// The execution providers to try, best first.
    pub providers: Providers,
    /// The provider without which sightd does not start.
    pub require: Option<Provider>,
    /// Threads that work on one run; without it, one for each physical core, less one on a board.
    pub threads: Option<Threads>,
    /// Whether waiting threads spin, which shortens a run a little and burns whole cores.
    pub spinning: bool,
    /// Whether TensorRT may compute in half precision: twice as fast on a Jetson Nano.
    pub fp16: bool,
    /// Scratch memory for TensorRT, in MiB.
    pub workspace_mib: WorkspaceMib,
    /// Further options for TensorRT, by ONNX Runtime's names for them.
    pub tensorrt: ProviderOptions,
    /// Further options for CUDA, by ONNX Runtime's names for them.
    pub cuda: ProviderOptions,
    /// Where built engines are kept; without it, `sightd` under the system's or user's cache folder.
    pub cache_dir: Option<PathBuf>,
    /// The longest a run may take before the process is ended to be restarted.
    pub deadline: Deadline,
    /// The longest that making a session may take. With TensorRT this builds an engine, the first time for up to an
    /// hour on a Jetson Nano.
    pub build_deadline: BuildDeadline,
}

impl Config {
    /// The folder in which built engines are kept: the one chosen, else systemd's, the user's or the system's.
    pub fn cache_folder(&self) -> PathBuf {
        self.cache_dir.clone().unwrap_or_else(host::cache_dir)
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            library: None,
            providers: Providers::default(),
            require: None,
            threads: None,
            spinning: false,
            fp16: true,
            workspace_mib: WorkspaceMib(256),
            tensorrt: ProviderOptions::default(),
            cuda: ProviderOptions::default(),
            cache_dir: None,
            deadline: Span(Duration::from_secs(5)),
            build_deadline: Span(Duration::from_secs(90 * 60)),
        }
    }
}

/// An execution provider: who computes a part of the graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// NVIDIA's TensorRT: compiles the graph for the GPU.
    Tensorrt,
    /// CUDA kernels, one for each node.
    Cuda,
    /// The CPU; always there.
    Cpu,
}

impl Provider {
    /// Its name in configuration and API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tensorrt => "tensorrt",
            Self::Cuda => "cuda",
            Self::Cpu => "cpu",
        }
    }

    /// ONNX Runtime's name for it.
    pub(super) fn runtime_name(self) -> &'static str {
        match self {
            Self::Tensorrt => "TensorrtExecutionProvider",
            Self::Cuda => "CUDAExecutionProvider",
            Self::Cpu => "CPUExecutionProvider",
        }
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Providers in the order in which they are tried; none twice, at least one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Provider>", into = "Vec<Provider>")]
pub struct Providers(Vec<Provider>);

impl Providers {
    /// In order.
    pub fn iter(&self) -> impl Iterator<Item = Provider> + '_ {
        self.0.iter().copied()
    }

    /// Whether `provider` is among them.
    pub fn contains(&self, provider: Provider) -> bool {
        self.0.contains(&provider)
    }
}

impl Default for Providers {
    fn default() -> Self {
        Self(vec![Provider::Tensorrt, Provider::Cuda, Provider::Cpu])
    }
}

impl From<Provider> for Providers {
    fn from(only: Provider) -> Self {
        Self(vec![only])
    }
}

impl TryFrom<Vec<Provider>> for Providers {
    type Error = String;

    fn try_from(list: Vec<Provider>) -> Result<Self, String> {
        if list.is_empty() {
            return Err("an empty list: name at least one of \"tensorrt\", \"cuda\", \"cpu\"".to_owned());
        }
        match list.iter().enumerate().find(|(at, provider)| list[..*at].contains(provider)) {
            Some((_, twice)) => Err(format!("\"{twice}\" stands in the list twice")),
            None => Ok(Self(list)),
        }
    }
}

impl From<Providers> for Vec<Provider> {
    fn from(providers: Providers) -> Self {
        providers.0
    }
}

/// Options passed on to a provider; which keys there are depends on the loaded version of ONNX Runtime.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<String, String>", into = "BTreeMap<String, String>")]
pub struct ProviderOptions(BTreeMap<String, String>);

impl ProviderOptions {
    /// Keys and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// The value of `key`.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }
}

impl TryFrom<BTreeMap<String, String>> for ProviderOptions {
    type Error = String;

    fn try_from(options: BTreeMap<String, String>) -> Result<Self, String> {
        // They are handed to C, where a NUL would end them.
        match options.iter().find(|(key, value)| key.contains('\0') || value.contains('\0')) {
            Some((key, _)) => Err(format!("the option {key:?} holds a NUL character")),
            None => Ok(Self(options)),
        }
    }
}

impl From<ProviderOptions> for BTreeMap<String, String> {
    fn from(options: ProviderOptions) -> Self {
        options.0
    }
}

/// A number of threads, 1 to 256.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct Threads(NonZeroU16);

impl Threads {
    const MOST: u16 = 256;

    /// How many.
    pub fn get(self) -> usize {
        usize::from(self.0.get())
    }
}

impl TryFrom<i64> for Threads {
    type Error = String;

    fn try_from(count: i64) -> Result<Self, String> {
        u16::try_from(count)
            .ok()
            .filter(|count| *count <= Self::MOST)
            .and_then(NonZeroU16::new)
            .map(Self)
            .ok_or_else(|| format!("{count} threads: give 1 to {}", Self::MOST))
    }
}

impl From<Threads> for i64 {
    fn from(threads: Threads) -> Self {
        i64::from(threads.0.get())
    }
}

/// An amount of memory in MiB, 16 to 16384.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct WorkspaceMib(u32);

impl WorkspaceMib {
    const LEAST: u32 = 16;
    const MOST: u32 = 16384;

    /// In bytes.
    pub fn bytes(self) -> u64 {
        u64::from(self.0) << 20
    }
}

impl TryFrom<i64> for WorkspaceMib {
    type Error = String;

    fn try_from(mib: i64) -> Result<Self, String> {
        u32::try_from(mib)
            .ok()
            .filter(|mib| (Self::LEAST..=Self::MOST).contains(mib))
            .map(Self)
            .ok_or_else(|| format!("{mib} MiB: give {} to {}", Self::LEAST, Self::MOST))
    }
}

impl From<WorkspaceMib> for i64 {
    fn from(mib: WorkspaceMib) -> Self {
        i64::from(mib.0)
    }
}

/// How long a run may take: 100 ms to 10 minutes.
pub type Deadline = Span<100, 600_000>;

/// How long making a session may take: 10 s to 24 hours.
pub type BuildDeadline = Span<10_000, 86_400_000>;

/// A span of time, written like `5 s` or `30 min`, between two limits in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Span<const MIN_MS: u64, const MAX_MS: u64>(Duration);

impl<const MIN_MS: u64, const MAX_MS: u64> Span<MIN_MS, MAX_MS> {
    /// The span.
    pub fn get(self) -> Duration {
        self.0
    }
}

impl<const MIN_MS: u64, const MAX_MS: u64> TryFrom<String> for Span<MIN_MS, MAX_MS> {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let (least, most) = (Duration::from_millis(MIN_MS), Duration::from_millis(MAX_MS));
        let allowed = || format!("give {} to {}", in_words(least), in_words(most));
        let span: jiff::SignedDuration =
            text.parse().map_err(|_| format!("{text:?} is no span of time like \"5 s\": {}", allowed()))?;
        match Duration::try_from(span) {
            Ok(span) if (least..=most).contains(&span) => Ok(Self(span)),
            _ => Err(format!("{text:?}: {}", allowed())),
        }
    }
}

impl<const MIN_MS: u64, const MAX_MS: u64> From<Span<MIN_MS, MAX_MS>> for String {
    fn from(span: Span<MIN_MS, MAX_MS>) -> Self {
        in_words(span.0)
    }
}

/// The span as jiff writes it, for example `5s`.
fn in_words(span: Duration) -> String {
    jiff::SignedDuration::try_from(span).map_or_else(|_| format!("{span:?}"), |span| format!("{span:#}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_empty_table_is_the_default() {
        assert_eq!(toml::from_str::<Config>("").unwrap(), Config::default());
    }

    #[test]
    fn what_is_written_is_read_back() {
        let text = toml::to_string(&Config::default()).unwrap();
        assert_eq!(toml::from_str::<Config>(&text).unwrap(), Config::default(), "{text}");
    }

    #[test]
    fn values_are_read() {
        let config: Config = toml::from_str(
            "providers = [\"cuda\", \"cpu\"]\nrequire = \"cuda\"\nthreads = 3\ndeadline = \"750 ms\"\n\
             build_deadline = \"1 h 5 min\"\nworkspace_mib = 128",
        )
        .unwrap();
        assert_eq!(config.providers.iter().collect::<Vec<_>>(), [Provider::Cuda, Provider::Cpu]);
        assert_eq!(config.require, Some(Provider::Cuda));
        assert_eq!(config.threads.map(Threads::get), Some(3));
        assert_eq!(config.deadline.get(), Duration::from_millis(750));
        assert_eq!(config.build_deadline.get(), Duration::from_secs(65 * 60));
        assert_eq!(config.workspace_mib.bytes(), 128 << 20);
    }

    #[test]
    fn each_mistake_says_what_is_allowed() {
        for (text, words) in [
            ("providers = []", "an empty list: name at least one of \"tensorrt\", \"cuda\", \"cpu\""),
            ("providers = [\"cpu\", \"cpu\"]", "\"cpu\" stands in the list twice"),
            ("providers = [\"gpu\"]", "unknown variant `gpu`, expected one of `tensorrt`, `cuda`, `cpu`"),
            ("threads = 0", "0 threads: give 1 to 256"),
            ("threads = 257", "257 threads: give 1 to 256"),
            ("workspace_mib = 8", "8 MiB: give 16 to 16384"),
            ("deadline = \"soon\"", "\"soon\" is no span of time like \"5 s\": give 100ms to 10m"),
            ("deadline = \"1 ms\"", "\"1 ms\": give 100ms to 10m"),
            ("deadline = \"-5 s\"", "\"-5 s\": give 100ms to 10m"),
            ("build_deadline = \"2 days\"", "\"2 days\" is no span of time like \"5 s\": give 10s to 24h"),
            ("fp61 = true", "unknown field `fp61`"),
            ("tensorrt = { trt_dla_core = \"\\u0000\" }", "the option \"trt_dla_core\" holds a NUL character"),
        ] {
            let error = toml::from_str::<Config>(text).unwrap_err().to_string();
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}
