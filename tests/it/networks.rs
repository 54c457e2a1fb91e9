//! Networks by the names of jetson-inference's detectnet, through the program: what detects under each, and what is
//! said where another stands in or nothing can.

use crate::{
    program::{Daemon, run_to_end},
    support::{part, shared},
};
use serde_json::{Value, json};
use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::LazyLock,
};
use tempfile::TempDir;

/// Our own networks, pulled once, and a configuration that names their folder.
static PULLED: LazyLock<TempDir> = LazyLock::new(|| {
    let store = tempfile::tempdir().unwrap();
    symlink(part("downloads"), store.path().join("downloads")).unwrap();
    let models = store.path().join("models");
    for name in ["ssdlite-mobilenet-v2", "pedestrian", "face"] {
        let (code, said) = run_to_end(&["model", "pull", name, "--models", models.to_str().unwrap()]);
        assert_eq!(code, Some(0), "{name}: {said}");
    }
    configure(store.path(), &models);
    store
});

/// Writes `sightd.toml` to `folder`: models are looked for in `models`.
fn configure(folder: &Path, models: &Path) -> PathBuf {
    let path = folder.join("sightd.toml");
    fs::write(&path, format!("[model]\nfolders = [{:?}]\n[http]\nlisten = \"127.0.0.1:0\"\n", models)).unwrap();
    path
}

/// What `sightd detect --network` prints, the line of JSON among it.
fn detect(config: &Path, network: &str, photo: &Path) -> (String, Value) {
    let [config, photo] = [config, photo].map(|path| path.to_str().unwrap());
    let (code, said) = run_to_end(&["detect", "--config", config, "--network", network, "--json", photo]);
    assert_eq!(code, Some(0), "{network}: {said}");
    let line = said.lines().find(|line| line.starts_with('{')).unwrap();
    (said.clone(), serde_json::from_str(line).unwrap())
}

fn labels(seen: &Value) -> Vec<&str> {
    seen["detections"].as_array().unwrap().iter().map(|detection| detection["label"].as_str().unwrap()).collect()
}

#[test]
fn eight_of_detectnets_networks_detect_under_both_their_names() {
    let (Some(photos), Some(coco)) = (shared("data/photos"), shared("data/coco-dev/images")) else { return };
    let config = PULLED.path().join("sightd.toml");
    // Each picture was looked at: these objects are in it, and what was found lies on them.
    for (name, enumerator, photo, model, found) in [
        (
            "ssd-mobilenet-v2",
            "SSD_MOBILENET_V2",
            photos.join("horse_0.jpg"),
            "ssdlite-mobilenet-v2",
            &["horse", "person"][..],
        ),
        ("coco-dog", "COCO_DOG", coco.join("000000524291.jpg"), "ssdlite-mobilenet-v2", &["dog", "dog"]),
        ("coco-bottle", "COCO_BOTTLE", coco.join("000000450561.jpg"), "ssdlite-mobilenet-v2", &["bottle"]),
        ("coco-chair", "COCO_CHAIR", coco.join("000000214704.jpg"), "ssdlite-mobilenet-v2", &["chair"]),
        ("coco-airplane", "COCO_AIRPLANE", coco.join("000000000247.jpg"), "ssdlite-mobilenet-v2", &["airplane"]),
        ("pednet", "PEDNET", photos.join("peds_3.jpg"), "pedestrian", &["person"; 5]),
        ("multiped", "PEDNET_MULTI", coco.join("000000294914.jpg"), "ssdlite-mobilenet-v2", &["suitcase", "handbag"]),
        ("facenet", "FACENET", coco.join("000000551757.jpg"), "face", &["face"]),
    ] {
        let [by_name, by_enumerator] = [name, enumerator].map(|network| detect(&config, network, &photo));
        assert_eq!(labels(&by_name.1), found, "{name}");
        assert_eq!(by_name.1["model"], model);
        assert_eq!(by_name, by_enumerator);
        assert!(by_name.0.contains(&format!("{model} stands in for {name}: ")), "{}", by_name.0);
    }
}

#[test]
fn two_networks_come_with_source_licence_and_next_command() {
    let config = PULLED.path().join("sightd.toml");
    for name in ["ssd-mobilenet-v1", "SSD_INCEPTION_V2"] {
        let (code, said) = run_to_end(&["run", "--config", config.to_str().unwrap(), "--network", name]);
        assert_eq!(code, Some(78), "{said}");
        let lower = name.to_lowercase().replace('_', "-");
        let import = format!("/models/{lower}.onnx");
        for words in ["download http://download.tensorflow.org/", "licence: Apache-2.0", "sightd model import", &import]
        {
            assert!(said.contains(words), "{words:?} is not in {said}");
        }
    }
}

#[test]
fn ssd_mobilenet_v1_runs_once_it_is_imported() {
    let (Some(weights), Some(photos)) = (shared("data/weights"), shared("data/photos")) else { return };
    let folder = tempfile::tempdir().unwrap();
    let config = configure(folder.path(), folder.path());
    let onnx = folder.path().join("ssd-mobilenet-v1.onnx");
    let tflite = weights.join("ssd_mobilenet_v1_075_coco_quant.tflite");
    let (code, said) = run_to_end(&["model", "import", tflite.to_str().unwrap(), "-o", onnx.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{said}");
    let (said, seen) = detect(&config, "SSD_MOBILENET_V1", &photos.join("horse_0.jpg"));
    assert_eq!(seen["model"], "ssd-mobilenet-v1");
    assert!(["horse", "person"].iter().all(|label| labels(&seen).contains(label)), "{seen}");
    assert!(!said.contains("stands in"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_daemon_says_what_stands_in() {
    let daemon = tokio::task::block_in_place(|| {
        let config = PULLED.path().join("sightd.toml");
        let source = ["--source", "test://smpte"];
        let daemon = Daemon::spawn(
            &[&["run", "--config", config.to_str().unwrap(), "--network", "coco-dog"], &source[..]].concat(),
        );
        daemon.wait_for_scene();
        daemon
    });
    let model =
        || async { reqwest::get(format!("{}/model", daemon.url())).await.unwrap().json::<Value>().await.unwrap() };
    let asked = model().await["engine"]["stands_in_for"].clone();
    assert_eq!(asked["name"], "coco-dog");
    assert!(daemon.log().contains("ssdlite-mobilenet-v2 stands in for coco-dog: "), "{}", daemon.log());
    for (name, stood_in_for) in
        [("PEDNET", json!("pednet")), ("pedestrian", Value::Null), ("coco-chair", json!("coco-chair"))]
    {
        let body = json!({ "name": name });
        let answer = reqwest::Client::new().post(format!("{}/model", daemon.url())).json(&body).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{name}");
        assert_eq!(model().await["engine"]["stands_in_for"]["name"], stood_in_for, "{name}");
    }
}

#[test]
fn a_reader_that_has_gone_away_is_no_error() {
    for arguments in [&["model", "list"][..], &["model", "inspect", "--arch", "resnet-50"], &["openapi"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let program =
            Command::new(env!("CARGO_BIN_EXE_sightd")).args(arguments).stdout(writer).stderr(Stdio::piped()).output();
        let output = program.unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{arguments:?}: {output:?}");
    }
}
