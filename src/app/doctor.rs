//! Gathers what the doctor looks at: asks every part what it has and what it lacks.

use super::plan::{Plan, data_folder, wanted_cameras};
use crate::{
    commands::setup_runtime::engines,
    config::{self, Config, Loaded, Sources},
    ops::{
        doctor::{CameraFact, Connection, ElementFact, Facts, ListenerFact, ProviderFact, RuntimeFact},
        telemetry::{self, Tree},
    },
    source::{self, SourceUri},
};
use detector::infer::{
    Runtime,
    cache::{Cache, Entry},
};
use std::{
    env, fs, io,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::Command,
};

/// Looks at this machine and at the configuration that `sources` name. `root` is where `sys`, `proc`, `etc` and `dev`
/// are looked for; without it the configuration says.
pub fn facts(sources: &Sources, root: Option<PathBuf>) -> Facts {
    let (config, state) = configuration(sources);
    let root = root.unwrap_or_else(|| config.board.root.clone());
    let tree = Tree::new(&root);
    let board = telemetry::read(&tree, &data_folder());
    let cameras = wanted_cameras(&config);
    let uris = || cameras.values().filter(|camera| camera.enabled).map(|camera| &camera.source);
    let elements = source::missing_elements(uris(), board.l4t.is_some()).unwrap_or_default();
    let element = |missing: source::MissingElement| ElementFact {
        element: missing.element.into(),
        package: missing.package.into(),
    };
    Facts {
        board,
        config: state,
        runtime: runtime(&config),
        gstreamer: source::gstreamer_version().map_err(|error| error.to_string()),
        missing_elements: elements.into_iter().map(element).collect(),
        video_encoder: source::video_encoder().map(Into::into),
        cameras: cameras.iter().map(|(name, camera)| camera_fact(name.as_str(), &camera.source, &root)).collect(),
        cache: writable(&config.runtime.cache_folder()),
        engines: engines(config.runtime.cache_folder()),
        clock_synchronised: clock_synchronised(),
        listener: listener(config.http.listen, &tree),
        display: env::var("DISPLAY").ok(),
        tree,
    }
}

/// Texts for the support bundle, each with its title: the configuration as it stands in its files, and what systemd
/// and the kernel say.
pub fn texts(sources: &Sources) -> Vec<(String, String)> {
    const ASKED: &[&[&str]] = &[
        &["uname", "-a"],
        &["systemctl", "status", "--no-pager", "sightd.service", "sightd-last-good.service", "nvargus-daemon.service"],
        &["journalctl", "--no-pager", "--lines=500", "--unit=sightd.service", "--unit=sightd-last-good.service"],
        &["df", "-h"],
    ];
    let files = config::files(sources).unwrap_or_default();
    let read = |file: PathBuf| {
        let text = fs::read_to_string(&file).unwrap_or_else(|error| error.to_string());
        (file.display().to_string(), text)
    };
    let variables = env::vars().filter(|(name, _)| name.starts_with("SIGHTD_"));
    let variables = variables.map(|(name, value)| format!("{name}={value}\n")).collect();
    let asked = ASKED.iter().map(|words| (words.join(" "), output(words)));
    files.into_iter().map(read).chain([("environment".to_owned(), variables)]).chain(asked).collect()
}

/// The configuration, and whether it could run; with mistakes in it the defaults stand in.
fn configuration(sources: &Sources) -> (Config, Result<Vec<PathBuf>, Vec<String>>) {
    match config::load(sources) {
        Ok(Loaded { config, files }) => {
            let state = Plan::new(&config).map(|_| files).map_err(|failure| vec![failure.to_string()]);
            (config, state)
        }
        Err(mistakes) => {
            let mistakes = mistakes.0.iter().map(ToString::to_string).collect();
            (Config::default(), Err(mistakes))
        }
    }
}

fn runtime(config: &Config) -> Result<RuntimeFact, String> {
    let runtime = Runtime::load(&config.runtime).map_err(|error| error.to_string())?;
    let providers = runtime.availability(&config.runtime).map_err(|error| error.to_string())?;
    let fact =
        |had: detector::infer::Availability| ProviderFact { name: had.provider.to_string(), missing: had.missing };
    Ok(RuntimeFact {
        version: runtime.version().to_owned(),
        library: runtime.library().to_owned(),
        providers: providers.into_iter().map(fact).collect(),
    })
}

fn camera_fact(name: &str, uri: &SourceUri, root: &Path) -> CameraFact {
    let connection = if matches!(uri, SourceUri::Csi { .. }) { Connection::Csi } else { Connection::Other };
    CameraFact { name: name.into(), source: uri.to_string(), missing: source::missing_device(uri, root), connection }
}

/// The folder, if files can be made in it, else why not.
fn writable(folder: &Path) -> Result<PathBuf, String> {
    let tried = fs::create_dir_all(folder).and_then(|()| tempfile::tempfile_in(folder));
    tried.map(|_| folder.to_owned()).map_err(|error| format!("{}: {error}", folder.display()))
}

/// What lies in the engine caches: the configuration's, which is `chosen`, and the service's.
fn engines(chosen: PathBuf) -> Vec<Entry> {
    engines::folders(chosen).iter().flat_map(|folder| Cache::new(folder).entries()).collect()
}

/// What systemd says of the clock (`timedatectl`, as in systemd 237); none where it does not answer.
fn clock_synchronised() -> Option<bool> {
    let status = Command::new("timedatectl").arg("status").env("LC_ALL", "C").output().ok()?;
    let text = String::from_utf8_lossy(&status.stdout).into_owned();
    let answer = text.lines().find_map(|line| line.trim().strip_prefix("System clock synchronized:"))?;
    Some(answer.trim() == "yes")
}

fn listener(address: SocketAddr, tree: &Tree) -> ListenerFact {
    match TcpListener::bind(address) {
        Ok(_) => ListenerFact::Free(address),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse && sightd_runs(tree) => ListenerFact::Ours(address),
        Err(error) => ListenerFact::Refused(address, error.to_string()),
    }
}

/// Whether another process than this one is called sightd.
fn sightd_runs(tree: &Tree) -> bool {
    let own = std::process::id().to_string();
    tree.entries("proc", "").iter().any(|process| {
        process.file_name().is_some_and(|pid| pid != own.as_str())
            && tree.text(process.join("comm")).is_some_and(|name| name == "sightd")
    })
}

/// What a command prints, or why it could not be asked.
fn output(words: &[&str]) -> String {
    let Some((program, arguments)) = words.split_first() else { return String::new() };
    match Command::new(program).args(arguments).output() {
        Ok(output) => [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat(),
        Err(error) => error.to_string(),
    }
}
