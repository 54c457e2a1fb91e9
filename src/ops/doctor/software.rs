//! Libraries: ONNX Runtime, NVIDIA's, GStreamer's.

use super::{
    facts::{ElementFact, Facts, ProviderFact},
    report::Finding,
};
use detector::infer;

/// What ONNX Runtime with CUDA and TensorRT needs on JetPack 4.6: one of the places, and the package that brings it.
const NVIDIA_LIBRARIES: &[(&str, &[&str], &str)] = &[
    (
        "libcudart.so.10.2",
        &["usr/local/cuda-10.2/lib64/libcudart.so.10.2", "usr/local/cuda/lib64/libcudart.so.10.2"],
        "cuda-cudart-10-2",
    ),
    ("libcudnn.so.8", &["usr/lib/aarch64-linux-gnu/libcudnn.so.8"], "libcudnn8"),
    ("libnvinfer.so.8", &["usr/lib/aarch64-linux-gnu/libnvinfer.so.8"], "libnvinfer8"),
    ("libnvonnxparser.so.8", &["usr/lib/aarch64-linux-gnu/libnvonnxparser.so.8"], "libnvonnxparsers8"),
];

pub(super) fn runtime(facts: &Facts) -> Vec<Finding> {
    const CHECK: &str = "onnx runtime";
    let runtime = match &facts.runtime {
        Ok(runtime) => runtime,
        Err(why) => {
            let fix = "sudo sightd setup-runtime FILE: docs/install.md says where to get ONNX Runtime for this machine";
            return vec![Finding::error(CHECK, why.clone(), fix)];
        }
    };
    let library = format!("{} {}", runtime.library.display(), runtime.version);
    let (have, lack): (Vec<_>, Vec<_>) = runtime.providers.iter().partition(|provider| provider.missing.is_none());
    let have = have.iter().map(|provider| provider.name.as_str()).collect::<Vec<_>>().join(", ");
    let why = |provider: &&ProviderFact| {
        let reason = provider.missing.as_deref().unwrap_or_default();
        // The runtime's own words are for a board, where a GPU is expected.
        let short = infer::short_reason(reason).filter(|_| facts.board.l4t.is_none());
        format!("{}: {}", provider.name, short.unwrap_or(reason))
    };
    let lack = lack.iter().map(why).collect::<Vec<_>>().join("; ");
    vec![if lack.is_empty() {
        Finding::good(CHECK, format!("{library}, runs on {have}"))
    } else if facts.board.l4t.is_some() {
        Finding::warning(
            CHECK,
            format!("{library}, runs on {have} only ({lack})"),
            "sudo sightd setup-runtime FILE with a build for CUDA 10.2 and TensorRT (docs/install.md says where)",
        )
    } else {
        Finding::good(CHECK, format!("{library}, runs on {have}; not on {lack}"))
    }]
}

pub(super) fn nvidia_libraries(facts: &Facts) -> Vec<Finding> {
    if facts.board.l4t.is_none() {
        return Vec::new();
    }
    let missing =
        NVIDIA_LIBRARIES.iter().filter(|(_, places, _)| !places.iter().any(|place| facts.tree.at(place).exists()));
    missing
        .map(|(library, _, package)| {
            Finding::error(
                "nvidia libraries",
                format!("{library} is missing: no GPU without it"),
                format!("sudo apt-get install {package} (or nvidia-jetpack for all of them)"),
            )
        })
        .collect()
}

pub(super) fn elements(facts: &Facts) -> Vec<Finding> {
    const CHECK: &str = "gstreamer";
    let version = match &facts.gstreamer {
        Ok(version) => version,
        Err(why) => return vec![Finding::error(CHECK, why.clone(), "sudo apt-get install gstreamer1.0-plugins-good")],
    };
    if facts.missing_elements.is_empty() {
        return vec![Finding::good(CHECK, format!("{version}, with every element that the sources need"))];
    }
    let missing = facts.missing_elements.iter();
    missing
        .map(|ElementFact { element, package }| {
            Finding::error(
                CHECK,
                format!("the element {element} is missing"),
                format!(
                    "sudo apt-get install {package}; if it is installed, a failed scan may have hidden it: \
                     rm ~/.cache/gstreamer-1.0/registry.*"
                ),
            )
        })
        .collect()
}

/// Live video is optional: without an encoder the page shows JPEG pictures.
pub(super) fn video(facts: &Facts) -> Vec<Finding> {
    let what = match &facts.video_encoder {
        Ok(encoder) => format!("H.264 by {encoder}"),
        Err(why) => format!("JPEG pictures only, which take more of the network: {why}"),
    };
    vec![Finding::good("live video", what)]
}
