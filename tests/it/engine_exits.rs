//! What the daemon says of its execution providers, and how it leaves when it cannot have what it was told to.

use crate::{
    infer::slow_model,
    program::{Daemon, TIMEOUT, reference_model, run_to_end},
    support::{
        freeze::{FreezePoint, Frozen},
        root,
    },
};
use detector::manifest::Model;
use serde_json::Value;
use std::{fs, path::Path, time::Duration};

/// A configuration with a test picture, `[runtime]` as given, and the model at `model`.
fn configuration(folder: &Path, model: &str, runtime: &str) -> String {
    let path = folder.join("sightd.conf.toml");
    let text = format!(
        "[model]\nname = \"{model}\"\n[http]\nlisten = \"127.0.0.1:0\"\n[camera.front]\nsource = \
         \"test://smpte\"\n[runtime]\n{runtime}\n"
    );
    fs::write(&path, text).unwrap();
    path.display().to_string()
}

/// `runtime.library` for a fetched version.
fn library(version: &str) -> String {
    format!("library = \"{}\"\n", root().join(format!(".sightd/lib/onnxruntime-{version}")).display())
}

#[test]
fn a_cpu_only_runtime_serves_and_says_why_the_gpu_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let config = configuration(folder.path(), &reference_model(), &library("1.11.0"));
    let daemon = Daemon::spawn(&["run", "--config", &config]);
    assert_eq!(daemon.wait_for_scene()["provider"], "cpu");
    let model: Value = serde_json::from_str(&daemon.get("/model").1).unwrap();
    let engine = &model["engine"];
    assert_eq!((&engine["runtime_version"], &engine["provider"]), (&Value::from("1.11.0"), &Value::from("cpu")));
    let [tensorrt, cuda, cpu] = &engine["providers"].as_array().unwrap()[..] else { panic!("{model}") };
    for (provider, name, words) in [(tensorrt, "tensorrt", "TensorRT"), (cuda, "cuda", "CUDA")] {
        assert_eq!((&provider["name"], &provider["state"]), (&Value::from(name), &Value::from("unavailable")));
        let reason = provider["reason"].as_str().unwrap();
        assert!(reason.contains(&format!("{words} execution provider is not enabled in this build")), "{reason}");
    }
    assert_eq!((&cpu["name"], &cpu["state"]), (&Value::from("cpu"), &Value::from("active")));
    assert!(cpu["nodes"].as_u64().is_some_and(|nodes| nodes > 50), "{cpu}");
    let log = daemon.log();
    let line = "runs on the CPU; TensorRT and CUDA: not in this ONNX Runtime";
    assert_eq!((log.matches(line).count(), log.matches("execution provider is not enabled").count()), (1, 0), "{log}");
}

#[test]
fn a_required_provider_that_is_not_compiled_in_is_exit_78() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = format!("{}require = \"tensorrt\"", library("1.11.0"));
    let config = configuration(folder.path(), &reference_model(), &runtime);
    let (code, log) = run_to_end(&["run", "--config", &config]);
    assert_eq!(code, Some(78), "{log}");
    let words = "runtime.require = \"tensorrt\", but it is not available: TensorRT execution provider is not enabled in \
                 this build";
    assert!(log.contains(words), "{log}");
}

#[test]
fn a_run_beyond_its_deadline_is_exit_75() {
    let folder = tempfile::tempdir().unwrap();
    let Model { path: model, manifest, .. } = slow_model(folder.path());
    fs::write(model.with_extension("toml"), toml::to_string(&manifest).unwrap()).unwrap();
    let config = configuration(folder.path(), model.to_str().unwrap(), "deadline = \"100 ms\"");
    let (code, log) = run_to_end(&["run", "--config", &config]);
    assert_eq!(code, Some(75), "{log}");
    assert!(log.contains("a run of the network takes longer than runtime.deadline = 100ms"), "{log}");
}

/// As when a driver does not answer: the thread is stopped inside a run, so that it cannot be told to terminate either.
#[test]
fn a_run_that_never_returns_is_exit_75() {
    let folder = tempfile::tempdir().unwrap();
    let config = configuration(folder.path(), &reference_model(), "deadline = \"3 s\"\nthreads = 1");
    let mut daemon = Daemon::spawn(&["run", "--config", &config]);
    daemon.wait_for_scene();
    loop {
        let frozen = match Frozen::inference(daemon.id(), FreezePoint::Computing) {
            Ok(frozen) => frozen,
            Err(error) => return println!("left out: a_run_that_never_returns_is_exit_75 (ptrace: {error})"),
        };
        if frozen.is_ended_within(Duration::from_secs(10)) {
            break;
        }
        frozen.let_go(); // it was stopped beside a run: before it, or after
    }
    let (code, log) = daemon.wait_for_end(TIMEOUT);
    assert_eq!(code, Some(75), "{log}");
    let words = "a run of the network takes longer than runtime.deadline = 3s and cannot be ended: leaving";
    assert!(log.contains(words), "{log}");
}
