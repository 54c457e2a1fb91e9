//! The engine cache with a simulated TensorRT that behaves as ONNX Runtime 1.11's does: it writes an engine in steps,
//! not atomically and without looking at errors, and refuses a session when it cannot read one back.

use crate::support::{again, role};
use detector::infer::{
    cache::{Cache, Compiler, Failure, Key},
    end_process,
};
use sightd::commands::setup_runtime::engines::{self, EnginesArgs};
use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

const MAGIC: &[u8] = b"simulated engine 8.2.1\n";
const ENGINE: &str = "TensorrtExecutionProvider_TRTKernel_graph_sim_0_0_fp16.engine";
const BODY: usize = 1 << 20;

/// Where the process is killed while it builds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BuildStep {
    Start,
    FileMade,
    HeaderWritten,
    HalfWritten,
    Written,
}

const STEPS: [BuildStep; 5] =
    [BuildStep::Start, BuildStep::FileMade, BuildStep::HeaderWritten, BuildStep::HalfWritten, BuildStep::Written];

/// A simulated TensorRT.
#[derive(Default)]
struct Simulated {
    /// Ends the process there, as the kernel does when memory runs out.
    killed_at: Option<BuildStep>,
    /// Bytes of an engine, over the usual.
    extra: usize,
    builds: u32,
    loads: u32,
}

#[derive(Debug, PartialEq)]
enum SimulatedError {
    Deserialise,
    NoDevice,
}

impl std::fmt::Display for SimulatedError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Deserialise => "TensorRT EP could not deserialize engine from cache",
            Self::NoDevice => "CUDA failure 100: no CUDA-capable device is detected",
        })
    }
}

impl Simulated {
    fn step(&self, step: BuildStep) {
        if self.killed_at == Some(step) {
            let _ = Command::new("kill").args(["-9", &std::process::id().to_string()]).status();
            std::thread::sleep(Duration::from_secs(60));
        }
    }

    fn build(&mut self, path: &Path) {
        self.builds += 1;
        self.step(BuildStep::Start);
        let Ok(mut file) = File::create(path) else { return };
        self.step(BuildStep::FileMade);
        let _ = file.write_all(MAGIC);
        self.step(BuildStep::HeaderWritten);
        let body = vec![7; BODY + self.extra];
        let (first, second) = body.split_at(body.len() / 2);
        let _ = file.write_all(first);
        self.step(BuildStep::HalfWritten);
        let _ = file.write_all(second);
        self.step(BuildStep::Written);
    }

    fn load(&mut self, path: &Path) -> Result<(), SimulatedError> {
        self.loads += 1;
        let bytes = fs::read(path).map_err(|_| SimulatedError::Deserialise)?;
        let body = bytes.strip_prefix(MAGIC).ok_or(SimulatedError::Deserialise)?;
        if body.len() == BODY + self.extra && body.iter().all(|byte| *byte == 7) {
            Ok(())
        } else {
            Err(SimulatedError::Deserialise)
        }
    }
}

impl Compiler for Simulated {
    type Session = ();
    type Error = SimulatedError;

    fn open(&mut self, folder: &Path) -> Result<(), SimulatedError> {
        let path = folder.join(ENGINE);
        if path.exists() {
            return self.load(&path);
        }
        self.build(&path);
        Ok(())
    }

    fn blames_engine(&self, error: &SimulatedError) -> bool {
        *error == SimulatedError::Deserialise
    }
}

fn key(model: &str) -> Key {
    Key {
        model_sha256: model.into(),
        tensorrt: "8.2.1".into(),
        runtime: "1.11.0".into(),
        options: "trt_fp16_enable=1;".into(),
        board: "NVIDIA Jetson Nano Developer Kit".into(),
    }
}

/// Opens with a healthy TensorRT: how many builds and loads it took.
fn open(folder: &Path) -> (u32, u32) {
    let mut simulated = Simulated::default();
    Cache::new(folder).open(&key("m"), &mut simulated).unwrap();
    (simulated.builds, simulated.loads)
}

fn engine(folder: &Path) -> PathBuf {
    folder.join("engines").join(key("m").folder()).join(ENGINE)
}

fn marker(folder: &Path) -> PathBuf {
    engine(folder).with_file_name("complete.json")
}

#[test]
fn an_engine_is_built_once() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::new(folder.path());
    assert!(!cache.holds(&key("m")) && cache.usual_build().is_none());
    assert_eq!(open(folder.path()), (1, 0));
    assert!(cache.holds(&key("m")) && !cache.holds(&key("another")));
    assert!(cache.usual_build().is_some());
    assert_eq!(open(folder.path()), (0, 1));
}

#[test]
fn every_part_of_the_key_counts() {
    let all = [
        key("m"),
        key("n"),
        Key { tensorrt: "8.2.3".into(), ..key("m") },
        Key { runtime: "1.10.0".into(), ..key("m") },
        Key { options: "trt_fp16_enable=0;".into(), ..key("m") },
        Key { board: "x86_64".into(), ..key("m") },
        // The parts cannot run into each other.
        Key { model_sha256: "m8".into(), tensorrt: ".2.1".into(), ..key("m") },
    ];
    let names: std::collections::BTreeSet<String> = all.iter().map(Key::folder).collect();
    assert_eq!(names.len(), all.len());
}

#[test]
fn killed_at_any_step_the_next_start_builds_anew() {
    if let Some(role) = role() {
        let (step, folder) = role.split_once(' ').unwrap();
        let killed_at = STEPS.into_iter().find(|s| format!("{s:?}") == step);
        let _ = Cache::new(Path::new(folder)).open(&key("m"), &mut Simulated { killed_at, ..Simulated::default() });
        unreachable!("it was to be killed");
    }
    for step in STEPS {
        let folder = tempfile::tempdir().unwrap();
        let role = format!("{step:?} {}", folder.path().display());
        let status =
            again("engine_cache::killed_at_any_step_the_next_start_builds_anew", &role).output().unwrap().status;
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(9), "{step:?}");
        assert!(!marker(folder.path()).exists(), "{step:?}");
        assert_eq!(open(folder.path()), (1, 0), "{step:?}");
        assert_eq!(open(folder.path()), (0, 1), "{step:?}");
    }
}

/// Kills a build of `key("m")` in `folder`, half-way, in a process of its own: test `name` plays that role.
fn kill_a_build(name: &str, folder: &Path) {
    let status = again(name, folder.to_str().unwrap()).output().unwrap().status;
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(9));
}

#[test]
fn after_two_builds_that_died_no_other_is_begun_until_they_are_cleared() {
    const NAME: &str = "engine_cache::after_two_builds_that_died_no_other_is_begun_until_they_are_cleared";
    if let Some(folder) = role() {
        let killed_at = Some(BuildStep::HalfWritten);
        let _ = Cache::new(Path::new(&folder)).open(&key("m"), &mut Simulated { killed_at, ..Simulated::default() });
        unreachable!("it was to be killed");
    }
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::new(folder.path());
    let name = key("m").folder();
    for unfinished in [1, 2] {
        assert_eq!(cache.given_up(&key("m")), None);
        kill_a_build(NAME, folder.path());
        let [entry] = &cache.entries()[..] else { panic!("{:?}", cache.entries()) };
        assert_eq!((entry.unfinished, &entry.name, &entry.key), (unfinished, &name, &Some(key("m"))));
        assert_eq!((entry.built, entry.is_given_up()), (None, unfinished == 2));
    }
    let mut simulated = Simulated::default();
    let failure = cache.open(&key("m"), &mut simulated).unwrap_err();
    assert!(matches!(failure, Failure::GivenUp { unfinished: 2, .. }), "{failure}");
    assert_eq!(simulated.builds, 0);
    let words = "2 engine builds were begun and did not end";
    let cure = format!("until `sightd model engines --clear {}`", &name[..12]);
    assert!(failure.to_string().starts_with(words) && failure.to_string().ends_with(&cure), "{failure}");
    assert_eq!(cache.given_up(&key("m")), Some(failure.to_string()));
    // Another model, or another version of anything, is another engine.
    cache.open(&key("other"), &mut Simulated::default()).unwrap();
    cache.remove(&name).unwrap();
    assert_eq!((cache.given_up(&key("m")), open(folder.path())), (None, (1, 0)));
    assert_eq!(cache.entries().iter().map(|entry| entry.unfinished).sum::<u32>(), 0);
}

#[test]
fn engines_are_listed_and_cleared_by_the_command() {
    let folder = tempfile::tempdir().unwrap();
    let folders = [folder.path().to_owned()];
    let command = |clear: Option<Option<&str>>| {
        let args = EnginesArgs { clear: clear.map(|key| key.map(str::to_owned)) };
        let mut out = Vec::new();
        let result = engines::run(&args, &folders, &mut out).map_err(|error| format!("{error:#}"));
        result.map(|()| String::from_utf8(out).unwrap())
    };
    assert_eq!(command(None).unwrap(), format!("no engine is cached in {}\n", folder.path().display()));
    open(folder.path());
    let died = key("died").folder();
    fs::create_dir(folder.path().join("engines").join(&died)).unwrap();
    let note = serde_json::json!({ "unfinished": 2, "key": key("died") });
    fs::write(folder.path().join("engines").join(&died).join("unfinished.json"), note.to_string()).unwrap();
    let text = command(None).unwrap();
    for words in [
        format!("{}  {}", &died[..12], folder.path().display()),
        "model died, TensorRT 8.2.1, ONNX Runtime 1.11.0, NVIDIA Jetson Nano Developer Kit".to_owned(),
        "not built: 2 unfinished builds; TensorRT is left out until this is cleared".to_owned(),
        "built: 1.0 MiB, in ".to_owned(),
    ] {
        assert!(text.contains(&words), "{text}");
    }
    let error = command(Some(Some("xyz"))).unwrap_err();
    assert!(error.starts_with("no engine has a key that begins with \"xyz\""), "{error}");
    assert!(command(Some(Some(""))).unwrap_err().starts_with("2 engines have a key that begins with"));
    assert_eq!(command(Some(Some(&died[..12]))).unwrap(), format!("removed {}\n", &died[..12]));
    assert_eq!(open(folder.path()), (0, 1));
    assert_eq!(command(Some(None)).unwrap(), format!("removed {}\n", &key("m").folder()[..12]));
    assert!(command(None).unwrap().starts_with("no engine"));
}

#[test]
fn a_build_that_ends_in_any_way_does_not_count() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::new(folder.path());
    for _ in 0..3 {
        cache.open(&key("m"), &mut NoDevice).unwrap_err();
    }
    assert_eq!(cache.entries()[0].unfinished, 0);
    assert_eq!(open(folder.path()), (1, 0));
}

#[test]
fn a_build_that_is_stopped_in_order_does_not_count() {
    const NAME: &str = "engine_cache::a_build_that_is_stopped_in_order_does_not_count";
    struct Stopped(u8);
    impl Compiler for Stopped {
        type Session = ();
        type Error = SimulatedError;
        fn open(&mut self, _: &Path) -> Result<(), SimulatedError> {
            let code = self.0;
            std::thread::spawn(move || end_process(code)).join().unwrap();
            Ok(())
        }
        fn blames_engine(&self, _: &SimulatedError) -> bool {
            false
        }
    }
    if let Some(role) = role() {
        let (code, folder) = role.split_once(' ').unwrap();
        let _ = Cache::new(Path::new(folder)).open(&key("m"), &mut Stopped(code.parse().unwrap()));
        unreachable!("the process was to end");
    }
    let folder = tempfile::tempdir().unwrap();
    // 75: the build took too long, which is as bad as a kill.
    for (code, unfinished) in [(0, 0), (75, 1), (0, 1), (0, 1), (75, 2)] {
        let status = again(NAME, &format!("{code} {}", folder.path().display())).output().unwrap().status;
        assert_eq!(status.code(), Some(code));
        assert_eq!(Cache::new(folder.path()).entries()[0].unfinished, unfinished, "after {code}");
    }
}

#[test]
fn what_killed_writes_left_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    open(folder.path());
    let left = marker(folder.path()).with_file_name(".unfinished-abc.tmp");
    fs::write(&left, "{").unwrap();
    assert_eq!(open(folder.path()), (0, 1));
    assert!(!left.exists());
}

#[test]
fn killed_while_the_marker_is_written_the_next_start_builds_anew() {
    for unfinished in ["", "{\"files\": {"] {
        let folder = tempfile::tempdir().unwrap();
        open(folder.path());
        fs::remove_file(marker(folder.path())).unwrap();
        fs::write(marker(folder.path()).with_extension("json.tmp"), unfinished).unwrap();
        assert_eq!(open(folder.path()), (1, 0));
        assert_eq!(open(folder.path()), (0, 1));
    }
}

#[test]
fn a_damaged_engine_is_built_anew() {
    let damages: [fn(&Path); 4] = [
        |engine| fs::write(engine, b"").unwrap(),
        |engine| fs::remove_file(engine).unwrap(),
        |engine| {
            let mut bytes = fs::read(engine).unwrap();
            bytes[1000] ^= 1;
            fs::write(engine, bytes).unwrap();
        },
        |engine| fs::write(engine.with_file_name("complete.json"), b"{}").unwrap(),
    ];
    for damage in damages {
        let folder = tempfile::tempdir().unwrap();
        open(folder.path());
        damage(&engine(folder.path()));
        assert_eq!(open(folder.path()), (1, 0));
        assert_eq!(open(folder.path()), (0, 1));
    }
}

#[test]
fn an_engine_that_is_whole_but_refused_is_built_anew_once() {
    let folder = tempfile::tempdir().unwrap();
    // Written by a TensorRT of the same version number, yet not readable.
    Cache::new(folder.path()).open(&key("m"), &mut Simulated { extra: 1, ..Simulated::default() }).unwrap();
    assert_eq!(open(folder.path()), (1, 1));
    assert_eq!(open(folder.path()), (0, 1));
}

/// A TensorRT whose device does not answer.
struct NoDevice;

impl Compiler for NoDevice {
    type Session = ();
    type Error = SimulatedError;

    fn open(&mut self, _: &Path) -> Result<(), SimulatedError> {
        Err(SimulatedError::NoDevice)
    }

    fn blames_engine(&self, error: &SimulatedError) -> bool {
        *error == SimulatedError::Deserialise
    }
}

#[test]
fn a_silent_device_leaves_the_engine_alone() {
    let folder = tempfile::tempdir().unwrap();
    open(folder.path());
    let failure = Cache::new(folder.path()).open(&key("m"), &mut NoDevice).unwrap_err();
    assert!(matches!(failure, Failure::Compiler(SimulatedError::NoDevice)));
    assert_eq!(open(folder.path()), (0, 1));
}

#[test]
fn old_folders_are_removed() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::new(folder.path());
    for model in ["a", "b", "c", "d", "e", "f"] {
        cache.open(&key(model), &mut Simulated::default()).unwrap();
        std::thread::sleep(Duration::from_millis(20)); // folders are told apart by their time
    }
    let kept: Vec<&str> = ["a", "b", "c", "d", "e", "f"].into_iter().filter(|model| cache.holds(&key(model))).collect();
    assert_eq!(kept, ["c", "d", "e", "f"]);
}

/// Runs this test again as root of its own namespaces, with a disk of its own (`tmpfs` options) at `place`.
fn with_disk(test: &str, options: &str, place: &Path) -> Option<String> {
    let child = again(test, place.to_str().unwrap());
    let script = format!("mount -t tmpfs -o {options} tmpfs \"$SIGHTD_TEST_ROLE\" && exec \"$0\" \"$@\"");
    let mut unshare = Command::new("unshare");
    unshare.args(["--user", "--map-root-user", "--mount", "sh", "-c", &script]).arg(child.get_program());
    unshare.args(child.get_args()).envs(child.get_envs().filter_map(|(name, value)| Some((name, value?))));
    if !Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "true"])
        .status()
        .is_ok_and(|s| s.success())
    {
        let _ = writeln!(std::io::stderr(), "left out: {test} needs unprivileged user namespaces");
        return None;
    }
    let output = unshare.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    Some(text)
}

fn refusal(folder: &Path) -> String {
    let failure = Cache::new(folder).open(&key("m"), &mut Simulated::default()).unwrap_err();
    assert!(matches!(failure, Failure::Cache { .. }));
    failure.to_string()
}

#[test]
fn a_read_only_folder_is_one_clear_error() {
    if let Some(folder) = role() {
        assert_eq!(refusal(Path::new(&folder)), format!("{folder}/engines: Read-only file system (os error 30)"));
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    with_disk("engine_cache::a_read_only_folder_is_one_clear_error", "ro", folder.path());
}

#[test]
fn a_disk_without_room_is_one_clear_error() {
    if let Some(folder) = role() {
        assert_eq!(refusal(Path::new(&folder)), format!("{folder}/engines: 3 MiB are free, 64 are needed"));
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    with_disk("engine_cache::a_disk_without_room_is_one_clear_error", "size=3M", folder.path());
}

#[test]
fn a_disk_that_fills_up_costs_the_cached_engine_and_not_the_session() {
    if let Some(folder) = role() {
        let folder = Path::new(&folder);
        for _ in 0..2 {
            let mut large = Simulated { extra: 80 << 20, ..Simulated::default() };
            Cache::new(folder).open(&key("m"), &mut large).unwrap();
            // A truncated engine is never loaded: either it was not sealed, or it is refused and rebuilt.
            assert_eq!(large.builds, 1);
        }
        assert_eq!(open(folder), (1, 0));
        assert_eq!(open(folder), (0, 1));
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let name = "engine_cache::a_disk_that_fills_up_costs_the_cached_engine_and_not_the_session";
    with_disk(name, "size=70M", folder.path());
}

#[test]
fn two_processes_build_once() {
    if let Some(folder) = role() {
        let (builds, loads) = open(Path::new(&folder));
        println!("\nbuilds {builds} loads {loads}");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let start = || {
        let mut child = again("engine_cache::two_processes_build_once", folder.path().to_str().unwrap());
        child.stdout(std::process::Stdio::piped()).spawn().unwrap()
    };
    let both = [start(), start()].map(|child| String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap());
    assert_eq!(both.iter().filter(|text| text.contains("builds 1 loads 0")).count(), 1, "{both:?}");
    assert_eq!(both.iter().filter(|text| text.contains("builds 0 loads 1")).count(), 1, "{both:?}");
}
