//! The interfaces of CodeProject.AI and DOODS2, asked as their clients ask.
//!
//! What is asked and answered was read in these files: CodeProject.AI's API reference and
//! src/server/Controllers/{Proxy,ServerStatus}Controller.cs (codeproject/CodeProject.AI-Server); what Blue Iris calls, in
//! src/server.rs of a server made for it (xnorpx/blue-onyx); frigate/detectors/plugins/deepstack.py
//! (blakeblackshear/frigate); README.md, api.py, odrpc.py and doods.py (snowzach/doods2); detector/regions.go
//! (snowzach/doods); homeassistant/components/doods/image_processing.py (home-assistant/core).

use crate::{
    detect_api::encoded,
    fake::{Daemon, SIZE},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use futures_util::{SinkExt, StreamExt};
use image::ImageFormat;
use reqwest::{Client, RequestBuilder, Response};
use serde_json::{Value, json};
use sightd::publish::http::Config;
use std::io::Write;
use tempfile::NamedTempFile;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_tungstenite::{connect_async, tungstenite::Message};

const TOKEN: &str = "read-token-0123456789";
const BOUNDARY: &str = "2f1c7a4be0c94f4d9f6e";

/// A daemon that wants a token.
async fn guarded(compat_allow: &[&str]) -> Daemon {
    let mut file = NamedTempFile::new().unwrap();
    writeln!(file, "{TOKEN}").unwrap();
    let config = Config {
        token_file: Some(file.path().into()),
        compat_allow: compat_allow.iter().map(|network| network.parse().unwrap()).collect(),
        ..Config::default()
    };
    Daemon::start_with(&config).await
}

/// A form as the Python library `requests`, which Frigate uses, and Blue Iris send it: short fields first, then files.
fn form(fields: &[(&str, &str)], image: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, value) in fields {
        write!(body, "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n").unwrap();
    }
    write!(body, "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"image\"; filename=\"image\"\r\n").unwrap();
    write!(body, "Content-Type: application/octet-stream\r\n\r\n").unwrap();
    body.extend_from_slice(image);
    write!(body, "\r\n--{BOUNDARY}--\r\n").unwrap();
    body
}

fn vision(daemon: &Daemon, path: &str, fields: &[(&str, &str)]) -> RequestBuilder {
    Client::new()
        .post(daemon.url(path))
        .header("content-type", format!("multipart/form-data; boundary={BOUNDARY}"))
        .body(form(fields, &encoded(ImageFormat::Jpeg)))
}

async fn body(response: Response) -> (u16, Value) {
    (response.status().as_u16(), response.json().await.unwrap())
}

/// The answer without the members that tell times, which must be there.
fn timeless(mut answer: Value) -> Value {
    for name in ["processMs", "analysisRoundTripMs"] {
        assert!(answer.as_object_mut().unwrap().remove(name).unwrap().is_u64(), "{name}");
    }
    answer
}

#[tokio::test]
async fn blue_iris_gets_codeproject_fields() {
    let daemon = Daemon::start().await;
    let (status, answer) =
        body(vision(&daemon, "/v1/vision/detection", &[("min_confidence", "0.5")]).send().await.unwrap()).await;
    let wanted = json!({
        "success": true,
        "message": "Found person, dog",
        "error": null,
        "predictions": [
            {"label": "person", "confidence": 0.875, "x_min": 160, "y_min": 45, "x_max": 320, "y_max": 270},
            {"label": "dog", "confidence": 0.625, "x_min": 320, "y_min": 180, "x_max": 480, "y_max": 360},
        ],
        "count": 2,
        "command": "detect",
        "moduleId": "sightd",
        "moduleName": "sightd",
        "executionProvider": "cpu",
        "canUseGPU": false,
        "inferenceMs": 18,
    });
    assert_eq!((SIZE.width, SIZE.height, status, timeless(answer)), (640, 360, 200, wanted));

    for path in ["/v1/server/status/ping", "/v1/status/ping"] {
        let ping = reqwest::get(daemon.url(path)).await.unwrap();
        assert_eq!(body(ping).await, (200, json!({"success": true})));
    }
    // Without this answer Blue Iris says that there is no AI.
    let update = reqwest::get(daemon.url("/v1/status/updateavailable")).await.unwrap();
    let version = json!({
        "major": 0, "minor": 1, "patch": 0, "preRelease": "", "securityUpdate": false, "build": 0, "file": "",
        "releaseNotes": "",
    });
    let wanted = json!({
        "success": true, "message": "This is the current version", "updateAvailable": false,
        "version": version, "current": version, "latest": version,
    });
    assert_eq!(body(update).await, (200, wanted));
    let list = Client::new().post(daemon.url("/v1/vision/custom/list")).send().await.unwrap();
    let (_, list) = body(list).await;
    assert_eq!((&list["success"], &list["models"]), (&json!(true), &json!(["fake-ssd"])));
    let custom = async |name: &str| {
        let path = format!("/v1/vision/custom/{name}");
        body(vision(&daemon, &path, &[("min_confidence", "0.7")]).send().await.unwrap()).await
    };
    let (status, found) = custom("fake-ssd").await;
    assert_eq!((status, &found["count"], &found["command"]), (200, &json!(1), &json!("custom")));
    let (status, refused) = custom("ipcam-combined").await;
    assert_eq!((status, &refused["success"]), (404, &json!(false)));
    assert_eq!(refused["error"], "there is no model called \"ipcam-combined\" here; \"fake-ssd\" serves");
    daemon.stop().await;
}

/// ProxyController.cs warns that Blue Iris does not survive an answer in chunks; compressed ones come in chunks.
#[tokio::test]
async fn answers_for_blue_iris_come_in_one_piece() {
    let daemon = Daemon::start().await;
    let greedy = |request: RequestBuilder| request.header("accept-encoding", "gzip").send();
    for request in [
        vision(&daemon, "/v1/vision/detection", &[("min_confidence", "0")]),
        Client::new().post(daemon.url("/v1/vision/custom/list")),
        Client::new().get(daemon.url("/v1/status/updateavailable")),
    ] {
        let response = greedy(request).await.unwrap();
        assert_eq!(response.status(), 200);
        assert!(response.headers().contains_key("content-length"), "{response:?}");
        assert!(!response.headers().contains_key("content-encoding"), "{response:?}");
    }
    daemon.stop().await;
}

#[tokio::test]
async fn frigate_gets_in_with_its_form_field() {
    let daemon = guarded(&[]).await;
    let ask = async |fields: &[(&str, &str)]| {
        body(vision(&daemon, "/v1/vision/detection", fields).send().await.unwrap()).await
    };
    let (status, answer) = ask(&[("api_key", TOKEN)]).await;
    // Frigate stops reading at the first prediction under 0.4, so there must be none before one above.
    let labels: Vec<_> = answer["predictions"].as_array().unwrap().iter().map(|found| &found["label"]).collect();
    assert_eq!(status, 200);
    assert_eq!(labels, ["person", "dog"]);
    for no_key in [&[][..], &[("api_key", "")]] {
        let (status, answer) = ask(no_key).await;
        assert_eq!((status, &answer["success"]), (401, &json!(false)));
        assert!(answer["error"].as_str().unwrap().contains("needs a token"), "{answer}");
    }
    assert_eq!(ask(&[("api_key", "wrong-token-0123456789")]).await.0, 401);
    daemon.stop().await;
}

/// Those who show no token and send their forms slowly are few, and do not take what others need.
#[tokio::test]
async fn slow_forms_shut_nobody_out() {
    let daemon = guarded(&[]).await;
    let mut slow = Vec::new();
    for _ in 0..8 {
        let mut client = TcpStream::connect(daemon.address).await.unwrap();
        let head = "POST /v1/vision/detection HTTP/1.1\r\nHost: localhost\r\n\
                    Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 99\r\n\r\n--x";
        client.write_all(head.as_bytes()).await.unwrap();
        slow.push(client);
    }
    // Six of them are refused, so the two others are being read.
    for _ in 0..6 {
        let answers = slow.iter_mut().map(|client| Box::pin(async { client.read_u8().await.unwrap() }));
        let (_, index, _) = futures_util::future::select_all(answers).await;
        drop(slow.remove(index));
    }
    let other = Client::builder().local_address(Some("127.0.0.2".parse().unwrap())).build().unwrap();
    let request = other
        .post(daemon.url("/v1/vision/detection"))
        .header("content-type", format!("multipart/form-data; boundary={BOUNDARY}"))
        .body(form(&[("api_key", TOKEN)], &encoded(ImageFormat::Jpeg)));
    let (status, answer) = body(request.send().await.unwrap()).await;
    assert_eq!((status, &answer["count"]), (200, &json!(2)), "{answer}");
    let metrics = Client::new().get(daemon.url("/metrics")).bearer_auth(TOKEN).send().await.unwrap();
    let metrics = metrics.text().await.unwrap();
    assert!(metrics.contains("sightd_http_limit_hits_total{limit=\"forms\"} 6"), "{metrics}");
    daemon.stop().await;
}

#[tokio::test]
async fn requests_with_thousands_of_filters_are_refused() {
    let daemon = Daemon::start().await;
    let detect: serde_json::Map<_, _> = (0..1001).map(|n| (format!("label{n}"), json!(50))).collect();
    let request = Client::new().post(daemon.url("/detect")).json(&json!({"data": "", "detect": detect}));
    let (status, answer) = body(request.send().await.unwrap()).await;
    assert_eq!(status, 400);
    assert!(answer["error"].as_str().unwrap().contains("at most 1000 are allowed"), "{answer}");
    daemon.stop().await;
}

#[tokio::test]
async fn a_named_network_needs_no_token_for_these_interfaces_only() {
    let daemon = guarded(&["127.0.0.0/8"]).await;
    assert_eq!(vision(&daemon, "/v1/vision/detection", &[]).send().await.unwrap().status(), 200);
    for (path, status) in [("/v1/server/status/ping", 200), ("/detectors", 200), ("/detections", 401), ("/config", 401)]
    {
        assert_eq!(reqwest::get(daemon.url(path)).await.unwrap().status(), status, "{path}");
    }
    daemon.stop().await;
    let daemon = guarded(&["192.0.2.0/24"]).await;
    assert_eq!(vision(&daemon, "/v1/vision/detection", &[]).send().await.unwrap().status(), 401);
    daemon.stop().await;
}

#[tokio::test]
async fn forms_that_do_not_fit_say_so() {
    let daemon = Daemon::start().await;
    let (status, answer) =
        body(vision(&daemon, "/v1/vision/detection", &[("min_confidence", "7")]).send().await.unwrap()).await;
    assert_eq!(status, 400);
    assert!(answer["error"].as_str().unwrap().contains("min_confidence: 7 is not between 0 and 1"), "{answer}");
    let bare = Client::new().post(daemon.url("/v1/vision/detection")).body("x").send().await.unwrap();
    assert_eq!(bare.status(), 415);
    daemon.stop().await;
}

#[tokio::test]
async fn home_assistant_gets_doods_fields() {
    let daemon = guarded(&[]).await;
    let keyed = |request: RequestBuilder| request.header("Doods-Auth-Key", TOKEN);
    let detectors = keyed(Client::new().get(daemon.url("/detectors"))).send().await.unwrap();
    let wanted = json!({"detectors": [{
        "name": "default", "type": "onnx", "model": "fake-ssd", "labels": ["person", "bicycle", "dog"], "width": 300, "height": 300
    }]});
    assert_eq!(body(detectors).await, (200, wanted));

    let data = STANDARD.encode(encoded(ImageFormat::Jpeg));
    let ask = async |asked: Value| {
        let mut request = json!({"detector_name": "default", "data": data});
        request.as_object_mut().unwrap().extend(asked.as_object().unwrap().clone());
        body(keyed(Client::new().post(daemon.url("/detect"))).json(&request).send().await.unwrap()).await
    };
    let dog = json!({"top": 0.5, "left": 0.5, "bottom": 1.0, "right": 0.75, "label": "dog", "confidence": 62.5});
    let (status, answer) = ask(json!({"id": "7", "detect": {"dog": 60}})).await;
    assert_eq!((status, answer), (200, json!({"id": "7", "detections": [dog]})));
    for (asked, labels) in [
        (json!({"detect": {"*": 50, "dog": 70}}), vec!["person"]),
        (json!({"detect": {"*": 0}}), vec!["person", "dog", "bicycle"]), // Home Assistant, where nothing is configured
        (json!({"detect": {"*": 30}}), vec!["person", "dog", "bicycle"]),
        (json!({}), vec!["person", "dog"]),
        (
            json!({"regions": [{"top": 0.4, "left": 0.4, "bottom": 1, "right": 1, "covers": true, "detect": {"*": 10}}]}),
            vec!["dog"],
        ),
        (
            json!({"regions": [{"top": 0.4, "left": 0.4, "bottom": 1, "right": 1, "covers": false, "detect": {"*": 10}}]}),
            vec!["person", "dog"],
        ),
    ] {
        let (status, answer) = ask(asked.clone()).await;
        assert_eq!(status, 200, "{answer}");
        let found: Vec<_> = answer["detections"].as_array().unwrap().iter().map(|found| &found["label"]).collect();
        assert_eq!(found, labels, "{asked}");
    }
    for (asked, words) in [
        (json!({"data": "http://192.0.2.1/picture.jpg"}), "addresses are never fetched"),
        (json!({"detector_name": "other"}), "no detector called \"other\""),
        (json!({"preprocess": ["grayscale"]}), "preprocess"),
    ] {
        let (status, answer) = ask(asked).await;
        assert_eq!((status, answer["status"].as_u64()), (400, Some(400)));
        assert!(answer["error"].as_str().unwrap().contains(words), "{answer}");
    }
    daemon.stop().await;
}

#[tokio::test]
async fn doods_regions_are_named_and_their_edges_belong_to_them() {
    let daemon = Daemon::start().await;
    // The dog stands at 0.5..0.75 from the left and 0.5..1 from the top: it touches the first, fills the second.
    let region = |id: &str, edges: [f32; 4], covers: bool, detect: Value| {
        let [left, top, right, bottom] = edges;
        json!({"id": id, "left": left, "top": top, "right": right, "bottom": bottom, "covers": covers, "detect": detect})
    };
    let touched = region("touched", [0.75, 0.0, 1.0, 1.0], false, json!({"dog": 10}));
    let filled = region("filled", [0.5, 0.5, 0.75, 1.0], true, json!({"*": 10}));
    let data = STANDARD.encode(encoded(ImageFormat::Jpeg));
    let ask = async |regions: Value| {
        let request = json!({"data": data, "regions": regions, "detect": {"person": 80}});
        body(Client::new().post(daemon.url("/detect")).json(&request).send().await.unwrap()).await.1
    };
    for (regions, by) in [(json!([touched, filled]), "touched"), (json!([filled, touched]), "filled")] {
        let answer = ask(regions).await;
        let found: Vec<_> = answer["detections"].as_array().unwrap().iter().collect();
        assert_eq!(
            (found.len(), &found[0]["label"], found[0].get("region_id")),
            (2, &json!("person"), None),
            "{answer}"
        );
        assert_eq!((&found[1]["label"], &found[1]["region_id"]), (&json!("dog"), &json!(by)));
    }
    daemon.stop().await;
}

#[tokio::test]
async fn doods_draws_when_asked() {
    let daemon = Daemon::start().await;
    let data = STANDARD.encode(encoded(ImageFormat::Jpeg));
    for (word, format) in [("jpeg", Some(ImageFormat::Jpeg)), (".png", Some(ImageFormat::Png)), ("gif", None)] {
        let request = json!({"data": data, "image": word, "detect": {"dog": 50}});
        let (_, answer) = body(Client::new().post(daemon.url("/detect")).json(&request).send().await.unwrap()).await;
        assert_eq!(answer["detections"].as_array().unwrap().len(), 1);
        assert_eq!(answer.get("image").is_some(), format.is_some(), "{word}");
        let Some(format) = format else { continue };
        let file = STANDARD.decode(answer["image"].as_str().unwrap()).unwrap();
        assert_eq!(image::guess_format(&file).unwrap(), format);
        let pixels = image::load_from_memory(&file).unwrap().into_rgb8();
        // The empty picture is black; the frame of the dog, which begins at the middle, is not. The person's is not drawn.
        let bright = |x: u32, y: u32| pixels.get_pixel(x, y).0.iter().any(|&channel| channel > 80);
        assert!(bright(SIZE.width / 2 + 1, SIZE.height * 3 / 4));
        assert!(!bright(SIZE.width / 4 + 1, SIZE.height / 2));
    }
    daemon.stop().await;
}

#[tokio::test]
async fn doods_over_websocket_answers_each_message() {
    let daemon = Daemon::start().await;
    let (mut socket, _) = connect_async(daemon.ws_url("/detect")).await.unwrap();
    let mut ask = async |request: Value| {
        socket.send(Message::Text(request.to_string().into())).await.unwrap();
        loop {
            if let Message::Text(text) = socket.next().await.unwrap().unwrap() {
                return serde_json::from_str::<Value>(&text).unwrap();
            }
        }
    };
    let data = STANDARD.encode(encoded(ImageFormat::Png));
    for id in ["a", "b"] {
        let answer = ask(json!({"id": id, "data": data, "detect": {"person": 50}})).await;
        assert_eq!((&answer["id"], &answer["detections"][0]["confidence"]), (&json!(id), &json!(87.5)));
    }
    let answer = ask(json!({"id": "c", "data": "AAAA"})).await;
    assert_eq!((&answer["id"], &answer["detections"]), (&json!("c"), &json!([])));
    assert!(answer["error"].as_str().unwrap().contains("neither a JPEG nor a PNG"), "{answer}");
    daemon.stop().await;
}
