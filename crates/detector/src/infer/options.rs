//! The options of the GPU providers, by the version of ONNX Runtime that first knew them.
//!
//! An unknown key makes the runtime refuse the whole provider, so that TensorRT would be lost for one word; each
//! option is therefore checked against the loaded version first. The versions were read from the option parsers in
//! ONNX Runtime's own GPU builds 1.11 to 1.23; a key that first appears in 1.13 may be a version older.

use super::{Config, Provider};
use crate::suggest;
use std::collections::BTreeMap;

/// One option of a provider.
struct Known {
    key: &'static str,
    /// Minor number of the first version that takes it; the oldest supported one counts as 10.
    since: u32,
    /// Minor number of the last version that takes it.
    until: u32,
}

const fn since(since: u32, key: &'static str) -> Known {
    Known { key, since, until: u32::MAX }
}

/// TensorRT's options; those for pointers into a program (streams, models in memory) cannot stand in a file.
const TENSORRT: &[Known] = &[
    since(10, "device_id"),
    since(10, "trt_max_partition_iterations"),
    since(10, "trt_min_subgraph_size"),
    since(10, "trt_max_workspace_size"),
    since(10, "trt_fp16_enable"),
    since(10, "trt_int8_enable"),
    since(10, "trt_int8_calibration_table_name"),
    since(10, "trt_int8_use_native_calibration_table"),
    since(10, "trt_dla_enable"),
    since(10, "trt_dla_core"),
    since(10, "trt_dump_subgraphs"),
    since(10, ENGINE_CACHE),
    since(10, ENGINE_CACHE_PATH),
    since(10, "trt_engine_decryption_enable"),
    since(10, "trt_engine_decryption_lib_path"),
    since(10, "trt_force_sequential_engine_build"),
    since(13, "trt_context_memory_sharing_enable"),
    since(14, "trt_layer_norm_fp32_fallback"),
    since(15, "trt_auxiliary_streams"),
    since(15, "trt_build_heuristics_enable"),
    since(15, "trt_builder_optimization_level"),
    since(15, "trt_detailed_build_log"),
    since(15, "trt_extra_plugin_lib_paths"),
    Known { key: "trt_force_timing_cache_match", since: 15, until: 16 },
    since(15, "trt_profile_max_shapes"),
    since(15, "trt_profile_min_shapes"),
    since(15, "trt_profile_opt_shapes"),
    since(15, "trt_sparsity_enable"),
    since(15, "trt_tactic_sources"),
    since(15, "trt_timing_cache_enable"),
    since(16, "trt_cuda_graph_enable"),
    since(17, "trt_dump_ep_context_model"),
    since(17, "trt_engine_cache_prefix"),
    since(17, "trt_ep_context_embed_mode"),
    since(17, "trt_ep_context_file_path"),
    since(17, "trt_force_timing_cache"),
    since(17, "trt_timing_cache_path"),
    since(18, "trt_engine_hw_compatible"),
    since(18, "trt_onnx_model_folder_path"),
    since(18, "trt_weight_stripped_engine_enable"),
    since(21, "trt_op_types_to_exclude"),
    since(22, "trt_preview_features"),
    since(23, "trt_bf16_enable"),
    since(23, "trt_load_user_initializer"),
];

/// CUDA's options. 1.10 takes those of its structure `OrtCUDAProviderOptions`.
const CUDA: &[Known] = &[
    since(10, "device_id"),
    since(10, "gpu_mem_limit"),
    since(10, "arena_extend_strategy"),
    since(10, "cudnn_conv_algo_search"),
    since(10, "do_copy_in_default_stream"),
    since(11, "cudnn_conv_use_max_workspace"),
    since(11, "enable_cuda_graph"),
    since(13, "cudnn_conv1d_pad_to_nc1d"),
    Known { key: "tunable_op_enabled", since: 14, until: 14 },
    since(15, "tunable_op_enable"),
    since(15, "tunable_op_tuning_enable"),
    since(15, "enable_skip_layer_norm_strict_mode"),
    since(16, "tunable_op_max_tuning_duration_ms"),
    since(17, "prefer_nhwc"),
    since(17, "use_ep_level_unified_stream"),
    since(18, "use_tf32"),
    since(19, "sdpa_kernel"),
    since(20, "fuse_conv_bias"),
];

const ENGINE_CACHE: &str = "trt_engine_cache_enable";
const ENGINE_CACHE_PATH: &str = "trt_engine_cache_path";
const TIMING_CACHE: &str = "trt_timing_cache_enable";
const TIMING_CACHE_PATH: &str = "trt_timing_cache_path";

/// Options by their keys.
pub(super) type Options = BTreeMap<String, String>;

/// Why an option of the configuration cannot be passed on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OptionError {
    /// No version knows it.
    #[error("runtime.{provider}.{key}: ONNX Runtime has no such option{}", suggest::hint(.nearest.as_deref()))]
    Unknown {
        /// Whose option.
        provider: Provider,
        /// Its key.
        key: String,
        /// The key that looks most like it.
        nearest: Option<String>,
    },
    /// The loaded version does not know it.
    #[error("runtime.{provider}.{key}: the loaded ONNX Runtime {version} does not take it, 1.{since}{} does", up_to(*.until))]
    OtherVersion {
        /// Whose option.
        provider: Provider,
        /// Its key.
        key: String,
        /// Minor number of the first version that takes it.
        since: u32,
        /// Minor number of the last.
        until: u32,
        /// The loaded version.
        version: String,
    },
    /// sightd sets it itself.
    #[error("runtime.{provider}.{key}: sightd keeps the engine cache itself; its folder is runtime.cache_dir")]
    Reserved {
        /// Whose option.
        provider: Provider,
        /// Its key.
        key: String,
    },
}

/// What surrounds a provider.
pub(super) struct Setting<'a> {
    /// ONNX Runtime's version, for example `1.11.0`.
    pub version: &'a str,
    /// The `[runtime]` table.
    pub config: &'a Config,
    /// How much memory the GPU may take, in bytes; `None` for all it has.
    pub memory_limit: Option<u64>,
}

impl Setting<'_> {
    /// TensorRT's options: for a Jetson Nano unless the configuration says otherwise. Built engines go to `engines`.
    pub(super) fn tensorrt(&self, engines: Option<&str>) -> Result<Options, OptionError> {
        let mut wanted = vec![
            ("device_id", "0".to_owned()),
            ("trt_max_workspace_size", self.config.workspace_mib.bytes().to_string()),
            ("trt_fp16_enable", u8::from(self.config.fp16).to_string()),
        ];
        if let Some(folder) = engines {
            wanted.extend([
                (ENGINE_CACHE, "1".to_owned()),
                (ENGINE_CACHE_PATH, folder.to_owned()),
                (TIMING_CACHE, "1".to_owned()),
                (TIMING_CACHE_PATH, folder.to_owned()),
            ]);
        }
        if let Some(key) =
            [ENGINE_CACHE, ENGINE_CACHE_PATH].into_iter().find(|key| self.config.tensorrt.get(key).is_some())
        {
            return Err(OptionError::Reserved { provider: Provider::Tensorrt, key: key.to_owned() });
        }
        self.merge(Provider::Tensorrt, TENSORRT, wanted, self.config.tensorrt.iter())
    }

    /// CUDA's options: for a Jetson Nano unless the configuration says otherwise.
    pub(super) fn cuda(&self) -> Result<Options, OptionError> {
        let mut wanted = vec![
            ("device_id", "0".to_owned()),
            ("cudnn_conv_algo_search", "HEURISTIC".to_owned()),
            ("arena_extend_strategy", "kSameAsRequested".to_owned()),
        ];
        wanted.extend(self.memory_limit.map(|bytes| ("gpu_mem_limit", bytes.to_string())));
        self.merge(Provider::Cuda, CUDA, wanted, self.config.cuda.iter())
    }

    /// Our wishes as far as the version knows them, then the configuration's words, which must all be known.
    fn merge<'k>(
        &self,
        provider: Provider,
        table: &[Known],
        wanted: Vec<(&'static str, String)>,
        configured: impl Iterator<Item = (&'k str, &'k str)>,
    ) -> Result<Options, OptionError> {
        let minor = minor(self.version);
        let takes = |key: &str| table.iter().any(|known| known.key == key && known.takes(minor));
        let mut options: Options =
            wanted.into_iter().filter(|(key, _)| takes(key)).map(|(key, value)| (key.to_owned(), value)).collect();
        for (key, value) in configured {
            match table.iter().find(|known| known.key == key) {
                Some(known) if known.takes(minor) => options.insert(key.to_owned(), value.to_owned()),
                Some(known) => {
                    return Err(OptionError::OtherVersion {
                        provider,
                        key: key.to_owned(),
                        since: known.since,
                        until: known.until,
                        version: self.version.to_owned(),
                    });
                }
                None => {
                    let nearest = suggest::nearest(key, table.iter().map(|known| known.key)).map(str::to_owned);
                    return Err(OptionError::Unknown { provider, key: key.to_owned(), nearest });
                }
            };
        }
        Ok(options)
    }
}

impl Known {
    fn takes(&self, minor: u32) -> bool {
        (self.since..=self.until).contains(&minor)
    }
}

/// The minor number of a version that has been accepted; of a version 2 or later, one above all of today's.
fn minor(version: &str) -> u32 {
    let mut numbers = version.split('.').map(|number| number.parse().unwrap_or(0));
    match (numbers.next(), numbers.next()) {
        (Some(1), Some(minor)) => minor,
        _ => u32::MAX,
    }
}

/// ` to 1.16` or ` and newer`.
fn up_to(minor: u32) -> String {
    if minor == u32::MAX { " and newer".to_owned() } else { format!(" to 1.{minor}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(options: &Options) -> Vec<&str> {
        options.keys().map(String::as_str).collect()
    }

    fn setting<'a>(version: &'a str, config: &'a Config) -> Setting<'a> {
        Setting { version, config, memory_limit: None }
    }

    /// What 1.11's own parser takes, measured with a GPU build.
    const TENSORRT_1_11: [&str; 16] = [
        "device_id",
        "trt_dla_core",
        "trt_dla_enable",
        "trt_dump_subgraphs",
        "trt_engine_cache_enable",
        "trt_engine_cache_path",
        "trt_engine_decryption_enable",
        "trt_engine_decryption_lib_path",
        "trt_force_sequential_engine_build",
        "trt_fp16_enable",
        "trt_int8_calibration_table_name",
        "trt_int8_enable",
        "trt_int8_use_native_calibration_table",
        "trt_max_partition_iterations",
        "trt_max_workspace_size",
        "trt_min_subgraph_size",
    ];
    const CUDA_1_11: [&str; 7] = [
        "arena_extend_strategy",
        "cudnn_conv_algo_search",
        "cudnn_conv_use_max_workspace",
        "device_id",
        "do_copy_in_default_stream",
        "enable_cuda_graph",
        "gpu_mem_limit",
    ];

    #[test]
    fn the_keys_of_1_11_are_complete() {
        for (table, measured) in [(TENSORRT, &TENSORRT_1_11[..]), (CUDA, &CUDA_1_11[..])] {
            let mut known: Vec<&str> = table.iter().filter(|known| known.takes(11)).map(|known| known.key).collect();
            known.sort_unstable();
            assert_eq!(known, measured);
        }
    }

    #[test]
    fn no_key_stands_twice() {
        for table in [TENSORRT, CUDA] {
            let mut keys: Vec<&str> = table.iter().map(|known| known.key).collect();
            keys.sort_unstable();
            keys.dedup();
            assert_eq!(keys.len(), table.len());
        }
    }

    #[test]
    fn the_board_gets_what_it_knows_and_newer_versions_the_timing_cache() {
        let config = Config::default();
        let old = setting("1.11.0", &config).tensorrt(Some("/cache")).unwrap();
        assert_eq!(
            keys(&old),
            [
                "device_id",
                "trt_engine_cache_enable",
                "trt_engine_cache_path",
                "trt_fp16_enable",
                "trt_max_workspace_size"
            ]
        );
        assert_eq!(old["trt_max_workspace_size"], "268435456");
        assert_eq!(old["trt_fp16_enable"], "1");
        let with_timing = |version| {
            let options = setting(version, &config).tensorrt(Some("/cache")).unwrap();
            (options.contains_key(TIMING_CACHE), options.contains_key(TIMING_CACHE_PATH))
        };
        assert_eq!(with_timing("1.14.1"), (false, false));
        assert_eq!(with_timing("1.15.1"), (true, false));
        assert_eq!(with_timing("1.17.0"), (true, true));
        assert_eq!(with_timing("2.0.0"), (true, true));
        assert!(!setting("1.17.0", &config).tensorrt(None).unwrap().contains_key(ENGINE_CACHE));
    }

    #[test]
    fn cuda_is_set_up_for_the_boards_memory() {
        let config = Config::default();
        let setting = Setting { version: "1.11.0", config: &config, memory_limit: Some(1 << 30) };
        let options = setting.cuda().unwrap();
        let pairs: Vec<(&str, &str)> = options.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        assert_eq!(
            pairs,
            [
                ("arena_extend_strategy", "kSameAsRequested"),
                ("cudnn_conv_algo_search", "HEURISTIC"),
                ("device_id", "0"),
                ("gpu_mem_limit", "1073741824")
            ]
        );
    }

    #[test]
    fn the_configurations_options_come_last_and_are_checked() {
        let config: Config = toml::from_str(
            "[tensorrt]\ndevice_id = \"1\"\ntrt_dla_enable = \"1\"\n[cuda]\ncudnn_conv_algo_search = \"EXHAUSTIVE\"",
        )
        .unwrap();
        let options = setting("1.11.0", &config).tensorrt(None).unwrap();
        assert_eq!((options["device_id"].as_str(), options["trt_dla_enable"].as_str()), ("1", "1"));
        assert_eq!(setting("1.11.0", &config).cuda().unwrap()["cudnn_conv_algo_search"], "EXHAUSTIVE");
        for (text, version, words) in [
            (
                "[tensorrt]\ntrt_fp16 = \"1\"",
                "1.11.0",
                "runtime.tensorrt.trt_fp16: ONNX Runtime has no such option; did you mean \"trt_fp16_enable\"?",
            ),
            (
                "[tensorrt]\ntrt_timing_cache_enable = \"1\"",
                "1.11.0",
                "runtime.tensorrt.trt_timing_cache_enable: the loaded ONNX Runtime 1.11.0 does not take it, 1.15 and \
                 newer does",
            ),
            (
                "[tensorrt]\ntrt_force_timing_cache_match = \"1\"",
                "1.17.0",
                "runtime.tensorrt.trt_force_timing_cache_match: the loaded ONNX Runtime 1.17.0 does not take it, 1.15 \
                 to 1.16 does",
            ),
            (
                "[tensorrt]\ntrt_engine_cache_path = \"/tmp\"",
                "1.11.0",
                "runtime.tensorrt.trt_engine_cache_path: sightd keeps the engine cache itself; its folder is \
                 runtime.cache_dir",
            ),
        ] {
            let config: Config = toml::from_str(text).unwrap();
            assert_eq!(setting(version, &config).tensorrt(None).unwrap_err().to_string(), words);
        }
    }
}
