//! The same model and picture on every ONNX Runtime that set-up fetched, each in a process of its own, since a process
//! can load only one.

use crate::support::{again, coco_ssd, read_f32, role, root, shared, unread_model};
use detector::{
    decode::{Decoder, Fraction, Thresholds},
    infer::{Config, InferError, Remedy, Runtime, cache::Cache},
    status::{ProviderState, ProviderStatus},
};
use ort::sys::OrtApi;
use serde::{Deserialize, Serialize};
use std::{
    fs,
    mem::offset_of,
    path::{Path, PathBuf},
    process::Command,
};

const MODEL: &str = "data/reference/ssdlite_mobilenet_v2_coco.onnx";

/// Library version, and the API version that is negotiated with it.
const LIBRARIES: [(&str, u32); 5] = [("1.10.0", 10), ("1.11.0", 11), ("1.16.3", 16), ("1.17.0", 17), ("1.30.0", 17)];

fn library(version: &str) -> PathBuf {
    root().join(".sightd/lib").join(format!("onnxruntime-{version}"))
}

/// What the process of one row says.
#[derive(Debug, Serialize, Deserialize)]
struct Row {
    version: String,
    api: u32,
    library: PathBuf,
    providers: Vec<(String, String, Option<String>, Option<u32>)>,
    required: String,
    /// Class, score, corners.
    detections: Vec<(u32, f32, [f32; 4])>,
}

/// Everything with a score of 0.3 and more.
fn thresholds() -> Thresholds {
    let fraction = |value: f32| Fraction::try_from(value).unwrap();
    Thresholds::uniform(fraction(0.3), 91, fraction(0.6), 100)
}

const MARK: &str = "row: ";

/// The process of one row: everything the daemon does with the runtime, once.
fn one_library(data: &Path) -> Row {
    let config = Config::default();
    let runtime = Runtime::load(&config).unwrap();
    let model = unread_model(&data.join("ssdlite_mobilenet_v2_coco.onnx"), coco_ssd());
    let mut engine = runtime.open(&config, &model, &|_| {}).unwrap();
    engine.input().copy_from_slice(&read_f32(&data.join("humans_0.tf1.chw.f32")));
    engine.run().unwrap();
    let mut found = Vec::new();
    Decoder::new(&model.manifest).unwrap().decode(&*engine, &thresholds(), &mut found).unwrap();
    let required: Config = toml::from_str("require = \"tensorrt\"").unwrap();
    let refusal = runtime.open(&required, &model, &|_| {}).err().unwrap();
    assert_eq!(refusal.remedy(), Remedy::Reconfigure);
    let provider = |p: &ProviderStatus| (p.name.clone(), format!("{:?}", p.state), p.reason.clone(), p.nodes);
    Row {
        version: runtime.version().into(),
        api: runtime.api(),
        library: runtime.library().into(),
        providers: engine.info().providers.iter().map(provider).collect(),
        required: refusal.to_string(),
        detections: found
            .iter()
            .map(|d| (d.class_id, d.score, [d.bbox.x_min, d.bbox.y_min, d.bbox.x_max, d.bbox.y_max]))
            .collect(),
    }
}

/// What a command printed, after it ended well.
fn output(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

#[test]
fn the_same_detections_on_every_library() {
    let Some(model) = shared(MODEL) else { return };
    if role().is_some() {
        println!("\n{MARK}{}", serde_json::to_string(&one_library(model.parent().unwrap())).unwrap());
        return;
    }
    let mut first: Option<Row> = None;
    for (version, api) in LIBRARIES {
        let text = output(
            again("runtimes::the_same_detections_on_every_library", version).env("ORT_DYLIB_PATH", library(version)),
        );
        let row = text.lines().find_map(|line| line.strip_prefix(MARK)).unwrap_or_else(|| panic!("{version}: {text}"));
        let row: Row = serde_json::from_str(row).unwrap();
        assert_eq!((row.version.as_str(), row.api), (version, api));
        assert!(row.library.starts_with(library(version).canonicalize().unwrap()), "{:?}", row.library);
        check_providers(&row);
        assert!(!row.detections.is_empty());
        match &first {
            Some(first) => check_detections(first, &row),
            None => first = Some(row),
        }
    }
}

/// The GPU's providers are missing for the runtime's own reasons; the CPU runs the whole graph.
fn check_providers(row: &Row) {
    let [tensorrt, cuda, cpu] = &row.providers[..] else { panic!("{row:?}") };
    // The npm package of 1.30 holds a GPU build without its provider libraries.
    let gpu_build = row.version.starts_with("1.30.");
    for (provider, words) in [(tensorrt, "TensorRT"), (cuda, "CUDA")] {
        let (name, state, reason, nodes) = provider;
        let reason = reason.as_ref().unwrap();
        assert_eq!((state.as_str(), *nodes), ("Unavailable", Some(0)), "{name}");
        let expected = match name.as_str() {
            // The older entry looks for the provider's library even in a build for the CPU.
            "cuda" if row.api == 10 => "libonnxruntime_providers_shared.so: cannot open shared object file".to_owned(),
            _ if gpu_build => "libonnxruntime_providers_shared.so: cannot open shared object file".to_owned(),
            _ => format!("{words} execution provider is not enabled in this build"),
        };
        assert!(reason.contains(&expected), "{}: {name}: {reason}", row.version);
    }
    assert!(row.required.contains(tensorrt.2.as_ref().unwrap()), "{}", row.required);
    assert_eq!((cpu.0.as_str(), cpu.1.as_str(), &cpu.2), ("cpu", "Active", &None));
    // 183 nodes in the file; fused, about 114 are left. Each version fuses a little differently.
    assert!(cpu.3.is_some_and(|nodes| (100..183).contains(&nodes)), "{}: {cpu:?}", row.version);
}

fn check_detections(first: &Row, row: &Row) {
    assert_eq!(first.detections.len(), row.detections.len(), "{} and {}", first.version, row.version);
    for (a, b) in first.detections.iter().zip(&row.detections) {
        assert_eq!(a.0, b.0, "{}", row.version);
        assert!((a.1 - b.1).abs() < 1e-3, "{}: {a:?} {b:?}", row.version);
        assert!(a.2.iter().zip(b.2).all(|(a, b)| (a - b).abs() < 1e-3), "{}: {a:?} {b:?}", row.version);
    }
}

/// A library that says it is `version` and ends the process when it is asked for an API: made by the C compiler that
/// linked this test.
fn fake_library(folder: &Path, version: &str) -> PathBuf {
    let source = folder.join("fake.c");
    let library = folder.join("libonnxruntime.so");
    let code = format!(
        "#include <stdlib.h>\n\
         static const void *api(unsigned version) {{ (void)version; abort(); }}\n\
         static const char *version(void) {{ return \"{version}\"; }}\n\
         static const struct {{ const void *(*api)(unsigned); const char *(*version)(void); }} base = {{ api, version }};\n\
         const void *OrtGetApiBase(void) {{ return &base; }}\n"
    );
    fs::write(&source, code).unwrap();
    output(Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source));
    library
}

/// Loads what `runtime.library` names, in a process of its own, and gives the error.
fn refusal_of(library: &Path) -> String {
    let text =
        output(&mut again("runtimes::libraries_that_will_not_do_are_refused_in_words", library.to_str().unwrap()));
    text.lines().find_map(|line| line.strip_prefix(MARK)).unwrap_or_else(|| panic!("{text}")).to_owned()
}

#[test]
fn libraries_that_will_not_do_are_refused_in_words() {
    if let Some(library) = role() {
        let config = Config { library: Some(library.into()), ..Config::default() };
        let error = Runtime::load(&config).err().unwrap();
        assert_eq!(error.remedy(), Remedy::Reconfigure);
        println!("\n{MARK}{error}");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let old = fake_library(folder.path(), "1.9.0").canonicalize().unwrap();
    fs::write(path("text.so"), "no library").unwrap();
    fs::create_dir(path("empty")).unwrap();
    for (library, words) in [
        (
            old.clone(),
            format!(
                "{}: is ONNX Runtime 1.9.0; 1.10 or newer is needed (1.11 is the newest for a Jetson Nano)",
                old.display()
            ),
        ),
        (path("text.so"), "text.so: file too short".to_owned()),
        (path("empty"), "empty: holds no libonnxruntime.so".to_owned()),
        (path("nowhere.so"), "nowhere.so: No such file or directory".to_owned()),
    ] {
        let error = refusal_of(&library);
        assert!(error.starts_with("the chosen ONNX Runtime cannot be used: runtime.library = "), "{error}");
        assert!(error.contains(&words), "{error}");
    }
}

/// ONNX Runtime 1.10.0 with GPU providers that can be appended to a session and then run nothing: a library that hands
/// out the real one's table with some entries replaced. CUDA's notes its options in `$SIGHTD_TEST_CALLS`.
fn with_gpu_providers(folder: &Path) -> PathBuf {
    let entry = |offset: usize| offset / size_of::<*const ()>();
    let code = format!(
        "#include <dlfcn.h>\n#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n\
         struct base {{ const void *(*api)(unsigned); const char *(*version)(void); }};\n\
         struct cuda {{ int device, search; size_t limit; int arena, copy, has_stream; void *stream, *config; }};\n\
         static void *table[204];\n\
         static const struct base *real(void) {{\n\
             void *library = dlopen(\"{library}\", RTLD_NOW);\n\
             return ((const struct base *(*)(void))dlsym(library, \"OrtGetApiBase\"))();\n\
         }}\n\
         static void *succeed(void) {{ return NULL; }}\n\
         static void *append_cuda(void *session, const struct cuda *c) {{\n\
             FILE *calls = fopen(getenv(\"SIGHTD_TEST_CALLS\"), \"a\");\n\
             fprintf(calls, \"%d %d %zu %d %d %d %p %p\\n\", c->device, c->search, c->limit, c->arena, c->copy,\n\
                     c->has_stream, c->stream, c->config);\n\
             return fclose(calls) ? session : NULL;\n\
         }}\n\
         static const void *api(unsigned version) {{\n\
             memcpy(table, real()->api(version), sizeof table);\n\
             table[{cuda}] = append_cuda;\n\
             table[{tensorrt}] = table[{create}] = table[{update}] = table[{release}] = succeed;\n\
             return table;\n\
         }}\n\
         static const char *version(void) {{ return real()->version(); }}\n\
         static const struct base base = {{ api, version }};\n\
         const void *OrtGetApiBase(void) {{ return &base; }}\n",
        library = fs::read_dir(library("1.10.0")).unwrap().next().unwrap().unwrap().path().display(),
        cuda = entry(offset_of!(OrtApi, SessionOptionsAppendExecutionProvider_CUDA)),
        tensorrt = entry(offset_of!(OrtApi, SessionOptionsAppendExecutionProvider_TensorRT_V2)),
        create = entry(offset_of!(OrtApi, CreateTensorRTProviderOptions)),
        update = entry(offset_of!(OrtApi, UpdateTensorRTProviderOptions)),
        release = entry(offset_of!(OrtApi, ReleaseTensorRTProviderOptions)),
    );
    let (source, library) = (folder.join("gpu.c"), folder.join("libonnxruntime.so"));
    fs::write(&source, code).unwrap();
    output(Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source).arg("-ldl"));
    library
}

/// The providers' states and reasons with the library of [`with_gpu_providers`], in a process of its own.
fn providers_of(name: &str, library: &Path, folder: &Path) -> Vec<(String, String, Option<String>)> {
    let mut command = again(name, "open");
    command.env("ORT_DYLIB_PATH", library).env("SIGHTD_TEST_CALLS", folder.join("calls"));
    let text = output(command.env("CACHE_DIRECTORY", folder));
    let row = text.lines().find_map(|line| line.strip_prefix(MARK)).unwrap_or_else(|| panic!("{text}"));
    serde_json::from_str(row).unwrap()
}

/// Opens the model and prints the providers, for [`providers_of`].
fn print_providers(model: &Path) {
    let config = Config::default();
    let runtime = Runtime::load(&config).unwrap();
    let engine = runtime.open(&config, &unread_model(model, coco_ssd()), &|_| {}).unwrap();
    let provider = |p: &ProviderStatus| (p.name.clone(), format!("{:?}", p.state), p.reason.clone());
    let row: Vec<_> = engine.info().providers.iter().map(provider).collect();
    println!("\n{MARK}{}", serde_json::to_string(&row).unwrap());
}

#[test]
fn cuda_is_appended_by_the_older_entry_where_the_newer_one_is_missing() {
    const NAME: &str = "runtimes::cuda_is_appended_by_the_older_entry_where_the_newer_one_is_missing";
    let Some(model) = shared(MODEL) else { return };
    if role().is_some() {
        return print_providers(&model);
    }
    let folder = tempfile::tempdir().unwrap();
    let providers = providers_of(NAME, &with_gpu_providers(folder.path()), folder.path());
    // Registered, so not unavailable; and it runs nothing.
    let reason = Some("the runtime placed no node of the graph on it".to_owned());
    assert_eq!(providers[1], ("cuda".to_owned(), "Disabled".to_owned(), reason));
    let calls = fs::read_to_string(folder.path().join("calls")).unwrap();
    // HEURISTIC, all memory, kSameAsRequested, the default stream, no stream and no configuration of the user's.
    let call = format!("0 1 {} 1 1 0 (nil) (nil)", usize::MAX);
    assert!(calls.lines().count() >= 2 && calls.lines().all(|line| line == call), "{calls}");
}

#[test]
fn tensorrt_is_left_out_after_two_builds_that_died() {
    const NAME: &str = "runtimes::tensorrt_is_left_out_after_two_builds_that_died";
    let Some(model) = shared(MODEL) else { return };
    if role().is_some() {
        return print_providers(&model);
    }
    let folder = tempfile::tempdir().unwrap();
    let library = with_gpu_providers(folder.path());
    let tensorrt = || providers_of(NAME, &library, folder.path()).remove(0);
    assert_eq!(tensorrt().1, "Disabled");
    let cache = Cache::new(folder.path());
    let [entry] = &cache.entries()[..] else { panic!("{:?}", cache.entries()) };
    let note = serde_json::json!({ "unfinished": 2, "key": entry.key });
    fs::write(folder.path().join("engines").join(&entry.name).join("unfinished.json"), note.to_string()).unwrap();
    let (_, state, reason) = tensorrt();
    let words = "2 engine builds were begun and did not end";
    assert!(state == "Unavailable" && reason.as_ref().unwrap().starts_with(words), "{state} {reason:?}");
    cache.remove(&entry.name).unwrap();
    assert_eq!(tensorrt().1, "Disabled");
}

#[test]
fn every_searched_place_is_named() {
    // A copy of this binary, far from any checkout, finds no library.
    if role().is_some() {
        let error = Runtime::load(&Config::default()).err().unwrap();
        assert!(matches!(error, InferError::NoLibrary { .. }));
        println!("\n{error}");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let bin = folder.path().join("bin");
    fs::create_dir_all(folder.path().join("lib/sightd")).unwrap();
    fs::create_dir(&bin).unwrap();
    fake_library(&folder.path().join("lib/sightd"), "1.8.1");
    let copy = bin.join("it");
    fs::copy(std::env::current_exe().unwrap(), &copy).unwrap();
    let name = "runtimes::every_searched_place_is_named";
    let said = again(name, "lost");
    let mut command = Command::new(copy);
    command.args(said.get_args()).env(crate::support::ROLE, "lost").env_remove("ORT_DYLIB_PATH");
    let text = output(&mut command);
    for words in [
        "no usable ONNX Runtime (libonnxruntime.so, version 1.10 or newer) was found",
        "lib/sightd/libonnxruntime.so: is ONNX Runtime 1.8.1; 1.10 or newer is needed",
        "\n  /usr/lib/sightd: No such file or directory",
        "\n  /opt/sightd/lib: No such file or directory",
        "\n  the system's loader, libonnxruntime.so: libonnxruntime.so: cannot open shared object file",
        "\n  the system's loader, libonnxruntime.so.1: libonnxruntime.so.1: cannot open shared object file",
    ] {
        assert!(text.contains(words), "{words}\nis not in\n{text}");
    }
}

#[test]
fn a_process_keeps_its_library() {
    let newest = library(LIBRARIES[4].0);
    if role().is_some() {
        let config = Config { library: Some(newest.clone()), ..Config::default() };
        let first = Runtime::load(&config).unwrap();
        assert_eq!(Runtime::load(&config).unwrap().library(), first.library());
        assert_eq!(Runtime::load(&Config::default()).unwrap().library(), first.library());
        let other = Config { library: Some(library("1.11.0")), ..Config::default() };
        let error = Runtime::load(&other).err().unwrap();
        assert_eq!(error.remedy(), Remedy::Restart);
        assert!(error.to_string().contains("a process can load only one, restart sightd to change it"), "{error}");
        return;
    }
    output(&mut again("runtimes::a_process_keeps_its_library", "keep"));
}

#[test]
fn an_order_without_the_cpu_and_one_that_ends_with_another() {
    let Some(model) = shared(MODEL) else { return };
    let open = |text: &str| {
        let config: Config = toml::from_str(text).unwrap();
        Runtime::load(&config).unwrap().open(&config, &unread_model(&model, coco_ssd()), &|_| {})
    };
    let error = open("providers = [\"tensorrt\", \"cuda\"]").err().unwrap();
    assert_eq!(error.remedy(), Remedy::Reconfigure);
    let text = error.to_string();
    let words = "none of runtime.providers is available, and \"cpu\" is not among them: tensorrt: ";
    assert!(text.starts_with(words) && text.contains("; cuda: "), "{text}");
    let engine = open("providers = [\"cpu\", \"cuda\"]").unwrap();
    let cuda = &engine.info().providers[1];
    assert_eq!(cuda.state, ProviderState::Disabled);
    assert_eq!(cuda.reason.as_deref(), Some("it stands after \"cpu\" in runtime.providers"));
    let error = open("providers = [\"cpu\"]\nrequire = \"cuda\"").err().unwrap().to_string();
    assert_eq!(error, "runtime.require = \"cuda\", but it is not available: it does not stand in runtime.providers");
    let error = open("[tensorrt]\ntrt_fp16 = \"1\"").err().unwrap();
    assert_eq!(error.remedy(), Remedy::Reconfigure);
}
