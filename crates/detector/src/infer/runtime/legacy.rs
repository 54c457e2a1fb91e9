//! CUDA on ONNX Runtime 1.10, whose API lacks `CreateCUDAProviderOptions`: by the older entry of its table, which takes
//! the options as a structure instead of as text.

use crate::infer::options::Options;
use ort::{
    AsPointer,
    session::builder::SessionBuilder,
    sys::{OrtCUDAProviderOptions, OrtCudnnConvAlgoSearch},
};
use std::{ffi::c_int, ptr};

/// The first API version with options as text.
pub(in crate::infer) const TEXT_OPTIONS_API: u32 = 11;

/// Appends CUDA to the providers of a session. The loaded runtime must have an API before [`TEXT_OPTIONS_API`].
///
/// # Errors
/// When an option has a value that the structure cannot hold, or the runtime refuses.
pub(in crate::infer) fn append_cuda(options: &Options, builder: &mut SessionBuilder) -> Result<(), ort::Error> {
    let options = structure(options).map_err(ort::Error::new)?;
    // SAFETY: the entry is one of API 10 and so the runtime's own. The session options are valid and borrowed mutably;
    // the structure begins with the fields that 1.10 knows, in their order, and is copied by the callee, which takes
    // null for "no user stream" and "no arena configuration".
    let status =
        unsafe { (ort::api().SessionOptionsAppendExecutionProvider_CUDA)(builder.ptr_mut(), &raw const options) };
    // SAFETY: the status comes from the runtime and is used nowhere else.
    unsafe { ort::Error::result_from_status(status) }
}

/// The options as 1.10 takes them, its defaults where nothing is said.
fn structure(options: &Options) -> Result<OrtCUDAProviderOptions, String> {
    let mut structure = OrtCUDAProviderOptions {
        device_id: 0,
        cudnn_conv_algo_search: OrtCudnnConvAlgoSearch::OrtCudnnConvAlgoSearchExhaustive,
        gpu_mem_limit: usize::MAX,
        arena_extend_strategy: 0,
        do_copy_in_default_stream: 1,
        has_user_compute_stream: 0,
        user_compute_stream: ptr::null_mut(),
        default_memory_arena_cfg: ptr::null_mut(),
        tunable_op_enable: 0,
        tunable_op_tuning_enable: 0,
        tunable_op_max_tuning_duration_ms: 0,
    };
    for (key, value) in options {
        let fits = match key.as_str() {
            "device_id" => value.parse().map(|id: c_int| structure.device_id = id).is_ok(),
            "gpu_mem_limit" => value.parse().map(|bytes| structure.gpu_mem_limit = bytes).is_ok(),
            "cudnn_conv_algo_search" => {
                let search = match value.as_str() {
                    "EXHAUSTIVE" => Some(OrtCudnnConvAlgoSearch::OrtCudnnConvAlgoSearchExhaustive),
                    "HEURISTIC" => Some(OrtCudnnConvAlgoSearch::OrtCudnnConvAlgoSearchHeuristic),
                    "DEFAULT" => Some(OrtCudnnConvAlgoSearch::OrtCudnnConvAlgoSearchDefault),
                    _ => None,
                };
                search.map(|search| structure.cudnn_conv_algo_search = search).is_some()
            }
            "arena_extend_strategy" => {
                let strategy = ["kNextPowerOfTwo", "kSameAsRequested"].iter().position(|name| name == value);
                let strategy = strategy.and_then(|strategy| c_int::try_from(strategy).ok());
                strategy.map(|strategy| structure.arena_extend_strategy = strategy).is_some()
            }
            "do_copy_in_default_stream" => {
                let copy = ["0", "1"].iter().position(|flag| flag == value).and_then(|flag| c_int::try_from(flag).ok());
                copy.map(|copy| structure.do_copy_in_default_stream = copy).is_some()
            }
            _ => false,
        };
        if !fits {
            return Err(format!("runtime.cuda.{key} = {value:?} is not a value that ONNX Runtime 1.10 takes"));
        }
    }
    Ok(structure)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(pairs: &[(&str, &str)]) -> Options {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn options_become_fields() {
        let structure = structure(&options(&[
            ("device_id", "1"),
            ("gpu_mem_limit", "1536000000"),
            ("cudnn_conv_algo_search", "DEFAULT"),
            ("arena_extend_strategy", "kSameAsRequested"),
            ("do_copy_in_default_stream", "0"),
        ]))
        .unwrap();
        assert_eq!((structure.device_id, structure.gpu_mem_limit), (1, 1_536_000_000));
        assert_eq!(structure.cudnn_conv_algo_search as u32, 2);
        assert_eq!((structure.arena_extend_strategy, structure.do_copy_in_default_stream), (1, 0));
    }

    #[test]
    fn values_that_do_not_fit_are_refused_by_name() {
        for pair in [("device_id", "first"), ("cudnn_conv_algo_search", "FAST"), ("do_copy_in_default_stream", "2")] {
            let error = structure(&options(&[pair])).err().unwrap();
            assert_eq!(
                error,
                format!("runtime.cuda.{} = {:?} is not a value that ONNX Runtime 1.10 takes", pair.0, pair.1)
            );
        }
    }
}
