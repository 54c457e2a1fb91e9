//! Libraries: ONNX Runtime, NVIDIA's, GStreamer's.

use super::{Facts, Finding};

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
    let on_jetson = facts.board.l4t.is_some();
    vec![match &facts.runtime {
        Err(why) => Finding::error(
            CHECK,
            why.clone(),
            "sudo sightd setup-runtime FILE: docs/install.md says where to get ONNX Runtime for this machine",
        ),
        Ok(runtime) if on_jetson && !runtime.gpu => Finding::warning(
            CHECK,
            format!("{} {} is built for the CPU only: the GPU stays idle", runtime.library.display(), runtime.version),
            "sudo sightd setup-runtime FILE with a build for CUDA 10.2 and TensorRT (docs/install.md says where)",
        ),
        Ok(runtime) => {
            let build = if runtime.gpu { "with CUDA" } else { "for the CPU" };
            Finding::good(CHECK, format!("{} {}, {build}", runtime.library.display(), runtime.version))
        }
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
    if facts.missing_elements.is_empty() {
        return vec![Finding::good("gstreamer", "every element that the sources need is there")];
    }
    let missing = facts.missing_elements.iter();
    missing
        .map(|(element, package)| {
            Finding::error(
                "gstreamer",
                format!("the element {element} is missing"),
                format!(
                    "sudo apt-get install {package}; if it is installed, a failed scan may have hidden it: \
                     rm ~/.cache/gstreamer-1.0/registry.*"
                ),
            )
        })
        .collect()
}
