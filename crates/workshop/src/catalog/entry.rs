//! The entries of the catalogue.

use serde::Deserialize;
use std::fmt;
use std::path::Path;

/// `models/catalog.toml`
const CATALOG: &str = include_str!("../../../../models/catalog.toml");

/// All known networks, our own first.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalog {
    /// The entries.
    #[serde(rename = "network")]
    pub networks: Vec<CatalogEntry>,
}

/// One network.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CatalogEntry {
    /// Its name, also that of its file.
    pub name: String,
    /// A description in one line.
    pub title: String,
    /// Alternative names.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// The licence of the weights that a registry carries.
    pub licence: Option<String>,
    /// Their origin.
    pub source: Option<String>,
    /// Names of its classes, without the background; absent where they are COCO's.
    pub labels: Option<Vec<String>>,
    /// The package of a registry that contains it.
    pub package: Option<Package>,
    /// The network that runs in its place until the user has imported it.
    pub substitute: Option<Substitute>,
    /// Where to download its weights when no registry has them.
    pub original: Option<Original>,
}

/// A package of a public registry.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Package {
    /// The registry.
    pub registry: Registry,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Name of the archive.
    pub archive: String,
    /// Its size.
    pub bytes: u64,
    /// Its SHA-256 in lower-case hex.
    pub sha256: String,
    /// The folder in it that holds the model.
    pub folder: String,
    /// The file in that folder which is imported.
    pub file: String,
}

impl fmt::Display for Package {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.version)
    }
}

/// A public package registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Registry {
    /// JavaScript's, through `npm`.
    Npm,
    /// Python's, through `pip`.
    Pypi,
}

/// The network that runs in place of another.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Substitute {
    /// Name of another network of the catalogue.
    pub network: String,
    /// The classes that are detected; all when empty.
    #[serde(default)]
    pub only: Vec<String>,
    /// How it differs, as text.
    pub difference: String,
}

/// Weights that the user must download.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Original {
    /// The public download.
    pub url: String,
    /// Their licence.
    pub licence: String,
    /// The command that unpacks it.
    pub unpack: String,
    /// What to do before the import, as text.
    pub convert: Option<String>,
    /// The argument for `sightd model import`.
    pub import: String,
}

impl Catalog {
    /// The catalogue that is built into the program.
    ///
    /// # Errors
    /// When the program was built with a broken catalogue, which a test prevents.
    pub fn load() -> Result<Self, toml::de::Error> {
        toml::from_str(CATALOG)
    }

    /// The network of that name or alias; capitals, `_` and `-` make no difference.
    pub fn find(&self, name: &str) -> Option<&CatalogEntry> {
        let wanted = plain(name);
        self.networks.iter().find(|n| n.names().any(|known| plain(known) == wanted))
    }
}

impl CatalogEntry {
    /// Its name and its aliases.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.name.as_str()).chain(self.aliases.iter().map(String::as_str))
    }

    /// How to get its original into the folder `models`: numbered steps, a line for each; empty without an original.
    pub fn steps(&self, models: &Path) -> String {
        let Some(original) = &self.original else { return String::new() };
        let download = format!("download {} (licence: {})", original.url, original.licence);
        let import = format!("sightd model import {} -o {}/{}.onnx", original.import, models.display(), self.name);
        let steps = [Some(download), Some(original.unpack.clone()), original.convert.clone(), Some(import)];
        let numbered = steps.into_iter().flatten().enumerate().map(|(i, step)| format!("  {}. {step}", i + 1));
        numbered.collect::<Vec<_>>().join("\n")
    }
}

fn plain(name: &str) -> String {
    name.to_ascii_lowercase().replace('_', "-")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn the_catalogue_is_sound() {
        let catalog = Catalog::load().unwrap();
        let mut names = HashSet::new();
        for network in &catalog.networks {
            let own: HashSet<String> = network.names().map(plain).collect();
            assert!(own.iter().all(|name| names.insert(name.clone())), "{} has a name of another", network.name);
            assert!(network.package.is_some() || network.original.is_some(), "{}", network.name);
            if let Some(substitute) = &network.substitute {
                let other = catalog.find(&substitute.network).unwrap();
                assert!(other.package.is_some(), "{} is a substitute and cannot be fetched", other.name);
            }
            if let Some(package) = &network.package {
                assert_eq!(package.sha256.len(), 64);
                assert!(network.licence.is_some() && network.source.is_some());
            }
        }
    }

    #[test]
    fn detectnets_ten_networks_go_by_both_their_names() {
        let catalog = Catalog::load().unwrap();
        for (name, enumerator) in [
            ("ssd-mobilenet-v1", "SSD_MOBILENET_V1"),
            ("ssd-mobilenet-v2", "SSD_MOBILENET_V2"),
            ("ssd-inception-v2", "SSD_INCEPTION_V2"),
            ("coco-dog", "COCO_DOG"),
            ("coco-bottle", "COCO_BOTTLE"),
            ("coco-chair", "COCO_CHAIR"),
            ("coco-airplane", "COCO_AIRPLANE"),
            ("pednet", "PEDNET"),
            ("multiped", "PEDNET_MULTI"),
            ("facenet", "FACENET"),
        ] {
            assert_eq!(catalog.find(name).unwrap().name, name);
            assert_eq!(catalog.find(enumerator).unwrap().name, name);
        }
    }
}
