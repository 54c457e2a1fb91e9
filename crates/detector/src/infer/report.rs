//! What the log says of the execution providers once a model is open.

use crate::status::{ProviderState, ProviderStatus};

const NOT_BUILT_IN: &str = "not in this ONNX Runtime";

/// Reasons of the runtime that only mean that something is not there, each with its short form.
const USUAL: [(&str, &str); 3] = [
    ("is not enabled in this build", NOT_BUILT_IN),
    ("is not in this version of ONNX Runtime", NOT_BUILT_IN),
    ("no CUDA-capable device is detected", "no GPU"),
];

/// The short form of a provider's reason, where it is a usual one on a machine without a GPU.
pub fn short_reason(reason: &str) -> Option<&'static str> {
    match reason.split_once(": cannot open shared object file") {
        // The file that is missing is the last word before; the provider's own may be there and lack one of NVIDIA's.
        Some((before, _)) => {
            let file = before.rsplit([' ', '/']).next().unwrap_or_default();
            Some(if file.starts_with("libonnxruntime_providers_") {
                NOT_BUILT_IN
            } else {
                "its libraries are not installed"
            })
        }
        None => USUAL.iter().find(|(words, _)| reason.contains(words)).map(|(_, short)| *short),
    }
}

/// The name people know a provider by.
fn proper_name(name: &str) -> &str {
    match name {
        "tensorrt" => "TensorRT",
        "cuda" => "CUDA",
        "cpu" => "the CPU",
        other => other,
    }
}

/// One line for all providers: what the model runs on, and what is not there in few words. Providers with any other
/// reason are left to lines of their own.
fn summary(providers: &[ProviderStatus]) -> String {
    let names = |list: &[&ProviderStatus]| {
        list.iter().map(|provider| proper_name(&provider.name)).collect::<Vec<_>>().join(" and ")
    };
    let active: Vec<_> = providers.iter().filter(|provider| provider.state == ProviderState::Active).collect();
    let mut line = format!("runs on {}", names(&active));
    let short = |provider: &&ProviderStatus| provider.reason.as_deref().and_then(short_reason);
    let mut missing: Vec<_> = providers.iter().filter(|provider| short(provider).is_some()).collect();
    while let Some(first) = missing.first().and_then(short) {
        let (same, others): (Vec<_>, Vec<_>) = missing.into_iter().partition(|provider| short(provider) == Some(first));
        line.push_str(&format!("; {}: {first}", names(&same)));
        missing = others;
    }
    line
}

/// Says in one line what the model runs on; at debug level each provider with the runtime's own reason. What is neither
/// active nor missing in a usual way gets a warning.
pub(super) fn log(providers: &[ProviderStatus]) {
    tracing::info!("{}", summary(providers));
    for ProviderStatus { name, state, reason, nodes } in providers {
        tracing::debug!(provider = name, ?state, nodes, reason, "execution provider");
        if let Some(reason) = reason
            && *state == ProviderState::Unavailable
            && short_reason(reason).is_none()
        {
            tracing::warn!("{} is not used: {reason}", proper_name(name));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn provider(name: &str, state: ProviderState, reason: Option<&str>) -> ProviderStatus {
        ProviderStatus { name: name.into(), state, reason: reason.map(str::to_owned), nodes: None }
    }

    #[test]
    fn a_machine_without_a_gpu_has_one_calm_line() {
        use ProviderState::{Active, Unavailable};
        let built_without = "CUDA execution provider is not enabled in this build.";
        let no_file = "Failed to load library libonnxruntime_providers_shared.so with error: \
                       libonnxruntime_providers_shared.so: cannot open shared object file: No such file or directory";
        let no_cudart = "Failed to load library libonnxruntime_providers_cuda.so with error: libcudart.so.10.2: cannot \
                         open shared object file: No such file or directory";
        let cpu = || provider("cpu", Active, None);
        for (tensorrt, cuda, line) in [
            (built_without, built_without, "runs on the CPU; TensorRT and CUDA: not in this ONNX Runtime"),
            (no_file, no_file, "runs on the CPU; TensorRT and CUDA: not in this ONNX Runtime"),
            (
                built_without,
                no_cudart,
                "runs on the CPU; TensorRT: not in this ONNX Runtime; CUDA: its libraries are not installed",
            ),
            ("2 engine builds were begun", no_file, "runs on the CPU; CUDA: not in this ONNX Runtime"),
        ] {
            let [tensorrt, cuda] = [("tensorrt", tensorrt), ("cuda", cuda)]
                .map(|(name, reason)| provider(name, Unavailable, Some(reason)));
            assert_eq!(summary(&[tensorrt, cuda, cpu()]), line);
        }
        let gpu = provider("tensorrt", Active, None);
        assert_eq!(summary(&[gpu, cpu()]), "runs on TensorRT and the CPU");
        assert_eq!(short_reason("2 engine builds were begun and did not end"), None);
    }
}
