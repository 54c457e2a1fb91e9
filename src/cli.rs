//! The command line: flags become validated arguments, errors become exit codes.

use crate::source::scale::{Image, RawFormat, Scaler};
use crate::{
    app::{self, Failure, last_good::LastGood},
    commands::{
        detect::{self, DetectArgs},
        setup_runtime::{
            self, SetupRuntimeArgs,
            engines::{self, EnginesArgs},
        },
        token,
    },
    config::{self, Loaded, Sources},
    ops::{doctor, logging},
    publish::http,
    source,
};
use anyhow::Context;
use clap::{Args, CommandFactory, Parser, Subcommand};
use detector::{geometry::Size, infer, pixels::Pixels};
use std::{
    env, fs,
    io::{self, Write},
    path::PathBuf,
    sync::Arc,
};
use workshop::eval::{LiveScaler, Picture};

/// Object detection as a service.
#[derive(Debug, Parser)]
#[command(version, about, long_about = None)]
struct Cli {
    /// The configuration file [default: /etc/sightd/config.toml, if it is there].
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
    /// Without a command: run.
    #[command(flatten)]
    run: RunArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the daemon (the default).
    Run(RunArgs),
    /// Check the configuration and name every mistake.
    Check,
    /// Detect in pictures, once.
    Detect(DetectArgs),
    /// Models: list, pull, import, inspect, evaluate.
    #[command(subcommand)]
    Model(ModelCommand),
    /// Look at everything that has to be right, and say how to put it right.
    Doctor(DoctorArgs),
    /// Put a downloaded ONNX Runtime in place.
    SetupRuntime(SetupRuntimeArgs),
    /// Print the API's OpenAPI document.
    Openapi,
    /// Tokens for the API.
    #[command(subcommand)]
    Token(TokenCommand),
    /// Print completions for a shell.
    Completions {
        /// bash, zsh, fish, elvish or powershell.
        shell: clap_complete::Shell,
    },
    /// Print the manual page, in roff.
    Man,
}

#[derive(Debug, Subcommand)]
enum ModelCommand {
    #[command(flatten)]
    Workshop(workshop::cli::ModelCommand),
    /// List or clear the engines that TensorRT has built, and the builds that did not end.
    Engines(EnginesArgs),
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
struct DoctorArgs {
    #[command(subcommand)]
    command: Option<DoctorCommand>,
    /// Print JSON: the findings, each with its severity and its fix.
    #[arg(long)]
    json: bool,
    /// Also write a support bundle: findings, configuration, log and state of the machine, without secrets.
    #[arg(long, value_name = "FILE")]
    bundle: Option<PathBuf>,
    /// Where sys, proc, etc and dev lie [default: board.root].
    #[arg(long, value_name = "FOLDER")]
    root: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum DoctorCommand {
    /// The cameras of this machine: what to write in the configuration, and what each can send.
    Cameras {
        /// Print JSON: a list of cameras.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Subcommand)]
enum TokenCommand {
    /// Make a token, write it where only the service can read it, and print it once.
    New {
        /// A token that lets its bearer also change things.
        #[arg(long)]
        admin: bool,
        /// The file to write [default: /etc/sightd/token, with --admin /etc/sightd/admin-token].
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
    },
}

#[derive(Debug, Default, PartialEq, Args)]
struct RunArgs {
    /// Address and port of the API and the page.
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// Source of the camera `default`: csi://0, usb:///dev/..., rtsp://..., file:///...?loop, test://smpte, auto.
    #[arg(long, value_name = "URI")]
    source: Option<String>,
    /// Name of a model, or path of an ONNX file.
    #[arg(long, visible_alias = "network", value_name = "NAME")]
    model: Option<String>,
    /// Run with the configuration and the model that last worked, kept in the state folder.
    #[arg(long, conflicts_with_all = ["listen", "source", "model"])]
    last_good: bool,
}

impl RunArgs {
    fn sources(self, file: Option<PathBuf>) -> Sources {
        let flags = [("http.listen", self.listen), ("camera.default.source", self.source), ("model.name", self.model)];
        Sources { file, flags: flags.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect() }
    }
}

/// Parses the command line, runs it and ends the process: at once, since a thread may still be inside a library.
pub fn main() -> ! {
    infer::disable_telemetry();
    let Cli { config, command, run: flags } = Cli::parse();
    if command.is_some() && flags != RunArgs::default() {
        let error = "--listen, --source, --model and --last-good are flags of `run`: write them behind it";
        Cli::command().error(clap::error::ErrorKind::ArgumentConflict, error).exit();
    }
    let outcome = match command.unwrap_or(Command::Run(flags)) {
        Command::Run(args) => run(args, config),
        Command::Check => check(config),
        Command::Detect(args) => detect(&args, config),
        Command::Model(ModelCommand::Workshop(command)) => {
            command.run(&live_scaler, &mut io::stdout()).map_err(Failure::Other)
        }
        Command::Model(ModelCommand::Engines(args)) => model_engines(&args, config),
        Command::Doctor(DoctorArgs { command: Some(DoctorCommand::Cameras { json }), .. }) => doctor_cameras(json),
        Command::Doctor(args) => infer::end_process(doctor(args, config).unwrap_or_else(failed)),
        Command::SetupRuntime(args) => setup_runtime::run(&args, &mut io::stdout().lock()).map_err(Failure::Other),
        Command::Openapi => openapi(),
        Command::Token(TokenCommand::New { admin, file }) => new_token(admin, file),
        Command::Completions { shell } => completions(shell),
        Command::Man => man(),
    };
    infer::end_process(outcome.err().map_or(0, failed))
}

/// The scaler of the live path, for the workshop.
///
/// # Errors
/// When GStreamer cannot be used here.
pub fn live_scaler(size: Size) -> anyhow::Result<Box<dyn LiveScaler>> {
    Ok(Box::new(GstScaler(Scaler::new(size)?)))
}

struct GstScaler(Scaler);

impl LiveScaler for GstScaler {
    fn scale(&mut self, picture: Picture) -> anyhow::Result<Pixels> {
        let image = match picture {
            Picture::Jpeg(data) => Image::Jpeg(data),
            Picture::Rgb { size, data } => Image::Raw { format: RawFormat::Rgb, size, data },
        };
        Ok(self.0.scale(image)?)
    }
}

/// Says why, and gives the exit code.
fn failed(failure: Failure) -> u8 {
    match failure {
        Failure::Other(error) if is_closed_pipe(&error) => 0,
        failure => {
            eprintln!("sightd: {failure}");
            failure.exit_code()
        }
    }
}

fn run(args: RunArgs, config: Option<PathBuf>) -> Result<(), Failure> {
    let last_good = args.last_good;
    if last_good && config.is_some() {
        return Err(Failure::Config(anyhow::anyhow!("--last-good reads its own configuration: leave out --config")));
    }
    let sources = if last_good { app::last_good::sources()? } else { args.sources(config) };
    let Loaded { config, files } = read(sources.clone())?;
    let log_buffer = logging::start(&config.log);
    for file in &files {
        tracing::info!(file = %file.display(), "configuration read");
    }
    // Only a service has a folder of its own to keep things in.
    let is_service = env::var_os("STATE_DIRECTORY").is_some();
    let keep = (is_service && !last_good).then(|| LastGood::of(&files)).transpose();
    let keep = keep.map_err(|error| Failure::Other(error.into()))?;
    app::run(&config, Arc::new(move || config::load(&sources).map(|loaded| loaded.config)), log_buffer, keep)
}

fn detect(args: &DetectArgs, file: Option<PathBuf>) -> Result<(), Failure> {
    let Loaded { config, .. } = read(Sources { file, flags: Vec::new() })?;
    let name = args.model.as_ref().unwrap_or(&config.model.name);
    let model = workshop::find(name, &config.model.folders).map_err(|error| Failure::Config(error.into()))?;
    if let Some(note) = model.note() {
        eprintln!("sightd: {note}");
    }
    let out = &mut io::stdout();
    detect::run(args, &model, &config.runtime, &config.detection, out).map_err(Failure::Other)
}

fn model_engines(args: &EnginesArgs, file: Option<PathBuf>) -> Result<(), Failure> {
    let Loaded { config, .. } = read(Sources { file, flags: Vec::new() })?;
    let folders = engines::folders(config.runtime.cache_folder());
    engines::run(args, &folders, &mut io::stdout()).map_err(Failure::Other)
}

fn openapi() -> Result<(), Failure> {
    let document = http::openapi().to_pretty_json().map_err(|error| Failure::Other(error.into()))?;
    print(&document)
}

/// The exit code is that of the worst finding: 0 good, 1 warning, 2 error.
fn doctor(args: DoctorArgs, file: Option<PathBuf>) -> Result<u8, Failure> {
    let sources = Sources { file, flags: Vec::new() };
    let facts = app::doctor::facts(&sources, args.root);
    let report = doctor::examine(&facts);
    if let Some(file) = args.bundle {
        let bundle = doctor::bundle(&report, &facts, &app::doctor::texts(&sources));
        let written = fs::write(&file, bundle).with_context(|| format!("cannot write {}", file.display()));
        written.map_err(Failure::Other)?;
    }
    if args.json {
        print(&serde_json::to_string_pretty(&report).map_err(|error| Failure::Other(error.into()))?)?;
    } else {
        print(&report.to_string())?;
    }
    Ok(report.severity.exit_code())
}

fn doctor_cameras(json: bool) -> Result<(), Failure> {
    let cameras = source::list_cameras().map_err(|error| Failure::Other(error.into()))?;
    if json {
        let list = serde_json::to_string_pretty(&cameras).map_err(|error| Failure::Other(error.into()))?;
        return print(&list);
    }
    if cameras.is_empty() {
        return print(
            "no camera is plugged in; a CSI camera is found at start-up only, a USB camera is in `lsusb` (network \
             cameras are not searched for: write source = \"rtsp://...\")",
        );
    }
    cameras.iter().try_for_each(|camera| print(&camera.to_string()))
}

fn check(file: Option<PathBuf>) -> Result<(), Failure> {
    let Loaded { config, files } = read(Sources { file, flags: Vec::new() })?;
    for fault in app::check(&config)? {
        eprintln!("sightd: {fault}");
    }
    let files: Vec<_> = files.iter().map(|file| file.display().to_string()).collect();
    let from = if files.is_empty() { "no file: defaults".to_owned() } else { files.join(", ") };
    print(&format!("the configuration is good ({from})"))
}

fn new_token(admin: bool, file: Option<PathBuf>) -> Result<(), Failure> {
    let made = token::make(admin, file).map_err(Failure::Other)?;
    print(&made.to_string())
}

fn completions(shell: clap_complete::Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "sightd", &mut script);
    print(String::from_utf8_lossy(&script).trim_end())
}

fn man() -> Result<(), Failure> {
    let mut page = Vec::new();
    let rendered = clap_mangen::Man::new(Cli::command()).render(&mut page);
    rendered.map_err(|error| Failure::Other(error.into()))?;
    print(String::from_utf8_lossy(&page).trim_end())
}

fn read(sources: Sources) -> Result<Loaded, Failure> {
    config::load(&sources).map_err(|mistakes| Failure::Config(mistakes.into()))
}

/// Whether whoever read the output has gone away, as `head` does: no fault of ours, and nothing is left to do.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>()).any(|e| e.kind() == io::ErrorKind::BrokenPipe)
}

fn print(text: &str) -> Result<(), Failure> {
    writeln!(io::stdout(), "{text}").map_err(|error| Failure::Other(error.into()))
}
