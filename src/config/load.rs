//! Reading: files, then the environment, then flags; each overrides the ones before it.

use super::{
    mistakes::{Mistake, Mistakes},
    tables::Config,
    tree::{self, find, take},
};
use config::{ConfigError, Environment, File, FileFormat, Source, Value, ValueKind};
use detector::suggest;
use serde_path_to_error::{Path as KeyPath, Segment};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Where the system's configuration lies when no file is named.
const SYSTEM_FILE: &str = "/etc/sightd/config.toml";

/// After this many mistakes the rest is not looked for.
const MAX_MISTAKES: usize = 100;

/// Where the configuration comes from.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The file named by the user; it must exist. Without it, `/etc/sightd/config.toml` is read if it exists.
    pub file: Option<PathBuf>,
    /// Values from flags: key with its tables, and value as TOML would have it.
    pub flags: Vec<(String, String)>,
}

/// A configuration and the files it was read from, in order.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// The files that were read.
    pub files: Vec<PathBuf>,
}

/// Reads the configuration: the file, `conf.d/*.toml` beside it in the order of their names, variables
/// `SIGHTD__TABLE__KEY`, flags.
///
/// # Errors
/// All mistakes at once.
pub fn load(sources: &Sources) -> Result<Loaded, Mistakes> {
    let files = files(sources)?;
    let mut mistakes = Vec::new();
    let mut tree = collect(&files, &sources.flags, &mut mistakes);
    read_tree(&mut tree, &mut mistakes);
    tree::lend_detection(&mut tree);
    let config = read_tree(&mut tree, &mut mistakes);
    if mistakes.is_empty() { Ok(Loaded { config, files }) } else { Err(Mistakes(mistakes)) }
}

/// The files that `sources` mean, in the order in which they are read.
///
/// # Errors
/// When the one that was named, or the folder `conf.d`, cannot be read.
pub fn files(sources: &Sources) -> Result<Vec<PathBuf>, Mistakes> {
    find_files(sources).map_err(|mistake| Mistakes(vec![mistake]))
}

fn find_files(sources: &Sources) -> Result<Vec<PathBuf>, Mistake> {
    let main = sources.file.clone().unwrap_or_else(|| SYSTEM_FILE.into());
    if sources.file.is_some() {
        fs::File::open(&main).map_err(|error| file_mistake(&main, format!("cannot be read: {error}")))?;
    }
    let mut files: Vec<PathBuf> = main.exists().then(|| main.clone()).into_iter().collect();
    let parts = main.with_file_name("conf.d");
    match fs::read_dir(&parts) {
        Ok(entries) => {
            let mut found: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
            found.retain(|path| path.extension().is_some_and(|ending| ending == "toml"));
            found.sort();
            files.extend(found);
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(file_mistake(&parts, format!("cannot be read: {error}"))),
    }
    Ok(files)
}

/// All sources merged into one tree, each value with its origin. A file that is no TOML is a mistake and is left out.
fn collect(files: &[PathBuf], flags: &[(String, String)], mistakes: &mut Vec<Mistake>) -> Value {
    let mut builder = config::Config::builder();
    for path in files {
        let origin = path.display().to_string();
        match fs::read_to_string(path).map_err(|error| format!("cannot be read: {error}")).and_then(|text| parse(&text))
        {
            Ok(table) => builder = builder.add_source(Named::new(table, origin)),
            Err(problem) => mistakes.push(file_mistake(path, problem)),
        }
    }
    let merged = environment()
        .and_then(|table| command_line(flags).map(|flags| (table, flags)))
        .and_then(|(table, flags)| {
            let builder = builder.add_source(Named::new(table, "the environment".into()));
            builder.add_source(Named::new(flags, "the command line".into())).build()
        })
        .and_then(|config| config.collect());
    let table = merged.unwrap_or_else(|error| {
        mistakes.push(Mistake { origin: None, key: String::new(), value: None, problem: error.to_string() });
        Table::new()
    });
    Value::new(None, ValueKind::Table(table))
}

fn parse(text: &str) -> Result<Table, String> {
    File::from_str(text, FileFormat::Toml).collect().map_err(|error| match error {
        ConfigError::FileParse { cause, .. } => format!("is not TOML: {}", cause.to_string().trim_end()),
        other => other.to_string(),
    })
}

fn environment() -> Result<Table, ConfigError> {
    Environment::with_prefix("SIGHTD")
        .prefix_separator("__")
        .separator("__")
        .try_parsing(true)
        .list_separator(",")
        .with_list_parse_key("runtime.providers")
        .with_list_parse_key("model.folders")
        .with_list_parse_key("detection.only")
        .collect()
}

fn command_line(flags: &[(String, String)]) -> Result<Table, ConfigError> {
    let builder = flags
        .iter()
        .try_fold(config::Config::builder(), |builder, (key, value)| builder.set_override(key, value.as_str()))?;
    builder.build()?.collect()
}

type Table = config::Map<String, Value>;

/// Values that know where they come from, by a name a user understands.
#[derive(Clone, Debug)]
struct Named(Table);

impl Named {
    fn new(table: Table, origin: String) -> Self {
        Self(table.into_iter().map(|(key, value)| (key, tree::named(value, &origin))).collect())
    }
}

impl Source for Named {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Table, ConfigError> {
        Ok(self.0.clone())
    }
}

/// Reads the tree; on a mistake notes it, takes the value out (its default then stands in) and reads again, until
/// nothing is wrong any more.
fn read_tree(tree: &mut Value, mistakes: &mut Vec<Mistake>) -> Config {
    while mistakes.len() < MAX_MISTAKES {
        match serde_path_to_error::deserialize::<_, Config>(tree.clone()) {
            Ok(config) => return config,
            Err(error) => {
                let path = keys_of(error.path());
                let (mistake, path) = describe(tree, path, error.into_inner());
                let taken = take(tree, &path);
                mistakes.push(mistake);
                if !taken {
                    break; // nothing to take out: looking again would find the same
                }
            }
        }
    }
    Config::default()
}

/// The error in words, with the path of the value to blame.
fn describe(tree: &Value, mut path: tree::Path, error: ConfigError) -> (Mistake, tree::Path) {
    let mut problem = plain(error);
    let unknown = unknown_key(&problem);
    if let Some((key, known)) = &unknown {
        if path.last() != Some(key) {
            path.push(key.clone());
        }
        let hint = suggest::hint(suggest::nearest(key, known.iter().map(String::as_str)));
        problem = format!("unknown key{hint} (known here: {})", known.join(", "));
    }
    let value = find(tree, &path);
    let shown = value.filter(|_| unknown.is_none() && !is_secret(&path)).and_then(as_written);
    let mistake = Mistake { origin: value.and_then(origin_of), key: path.join("."), value: shown, problem };
    (mistake, path)
}

/// The key and the known ones, if this is serde's message on an unknown field.
fn unknown_key(problem: &str) -> Option<(String, Vec<String>)> {
    let rest = problem.strip_prefix("unknown field `")?;
    let mut words = rest.split('`').step_by(2).map(str::to_owned);
    let key = words.next()?;
    let mut known: Vec<_> = words.collect();
    known.sort();
    Some((key, known))
}

/// The innermost message, without the crate's own prefixes.
fn plain(error: ConfigError) -> String {
    match error {
        ConfigError::At { error, .. } => plain(*error),
        ConfigError::Type { unexpected, expected, .. } => format!("is {unexpected}, must be {expected}"),
        ConfigError::Message(message) => message,
        other => other.to_string(),
    }
}

fn keys_of(path: &KeyPath) -> tree::Path {
    path.iter()
        .filter_map(|segment| match segment {
            Segment::Map { key } => Some(key.clone()),
            Segment::Seq { index } => Some(index.to_string()),
            Segment::Enum { variant } => Some(variant.clone()),
            Segment::Unknown => None,
        })
        .collect()
}

/// Where a value comes from; a table that was merged from several sources: where its first value does.
fn origin_of(value: &Value) -> Option<String> {
    match (&value.kind, value.origin()) {
        (_, Some(origin)) => Some(origin.to_owned()),
        (ValueKind::Table(table), None) => table.values().find_map(origin_of),
        _ => None,
    }
}

fn as_written(value: &Value) -> Option<String> {
    match &value.kind {
        ValueKind::String(text) => Some(format!("{text:?}")),
        ValueKind::Array(items) => {
            Some(format!("[{}]", items.iter().filter_map(as_written).collect::<Vec<_>>().join(", ")))
        }
        ValueKind::Table(_) | ValueKind::Nil => None,
        _ => Some(value.to_string()),
    }
}

/// Whether the value at `path` must not be shown.
fn is_secret(path: &[String]) -> bool {
    path.last().is_some_and(|key| ["token", "password", "source"].iter().any(|secret| key.contains(secret)))
}

fn file_mistake(path: &Path, problem: String) -> Mistake {
    Mistake { origin: Some(path.display().to_string()), key: String::new(), value: None, problem }
}
