//! Every refusal is a problem document (RFC 9457), whatever is wrong with the request; and what HTTP asks of methods,
//! entity tags and compression.

use crate::fake::{Daemon, detection, picture, stamp};
use detector::geometry::Rect;
use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::Value;
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

fn ask(daemon: &Daemon, method: &str, path: &str) -> RequestBuilder {
    Client::new().request(Method::from_bytes(method.as_bytes()).unwrap(), daemon.url(path))
}

/// Checks that `response` is a problem document of `status` whose detail has `words`.
async fn is_problem(response: Response, status: u16, words: &str) {
    let url = response.url().clone();
    assert_eq!(response.status().as_u16(), status, "{url}");
    assert_eq!(response.headers()["content-type"], "application/problem+json", "{url}");
    let problem: Value = response.json().await.unwrap();
    assert_eq!((&problem["type"], problem["status"].as_u64()), (&Value::from("about:blank"), Some(status.into())));
    assert!(!problem["title"].as_str().unwrap().is_empty(), "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains(words), "{url}: {words:?} is not in {problem}");
}

#[tokio::test]
async fn every_refusal_is_a_problem_document() {
    let daemon = Daemon::start().await;
    daemon.camera("front");
    let json =
        |request: RequestBuilder, text: &'static str| request.header("content-type", "application/json").body(text);
    for path in ["/nowhere", "/cameras/", "/Config", "//config", "/v1/nothing", "/assets/none.js", "/cameras/front/"] {
        is_problem(ask(&daemon, "GET", path).send().await.unwrap(), 404, "/openapi.json").await;
    }
    let patch = || ask(&daemon, "PATCH", "/cameras/front");
    let large = "{\"detection\": {\"classes\": {\"".to_owned() + &"x".repeat(70_000) + "\": 1}}}";
    for (request, status, words) in [
        (json(patch(), "{\"detection\": "), 400, "EOF"),
        (json(patch(), "[]"), 400, "invalid"),
        (json(patch(), "{\"detectoin\": {}}"), 400, "detectoin"),
        (json(patch(), "\u{fffd}"), 400, "expected"),
        (patch().body("{}"), 415, "Content-Type"),
        (patch().header("content-type", "application/json").body(large), 413, "65536 bytes"),
        (json(ask(&daemon, "POST", "/model"), "{\"name\": 7}"), 400, "string"),
        (json(ask(&daemon, "POST", "/model"), "{\"name\": \"../../etc/passwd\"}"), 400, "not a name in the catalogue"),
        (json(ask(&daemon, "POST", "/detect"), "{"), 400, "does not fit"),
        (ask(&daemon, "POST", "/detect").header("content-type", "text/plain").body("x"), 415, "text/plain"),
        (
            ask(&daemon, "POST", "/detect").header("content-type", "image/png").body("x"),
            415,
            "neither a JPEG nor a PNG",
        ),
        (ask(&daemon, "POST", "/v1/vision/detection").body("x"), 415, "multipart/form-data"),
        (ask(&daemon, "POST", "/login").body("x"), 400, "Content-Type"),
        (ask(&daemon, "GET", "/logs?limit=0"), 400, "give 1 to"),
        (ask(&daemon, "GET", "/cameras/%FF"), 400, "UTF-8"),
    ] {
        is_problem(request.send().await.unwrap(), status, words).await;
    }
    daemon.stop().await;
}

#[tokio::test]
async fn other_methods_are_told_which_there_are() {
    let daemon = Daemon::start().await;
    daemon.camera("front");
    for (path, allowed) in [
        ("/detections", "GET,HEAD"),
        ("/detect", "GET,HEAD,POST"),
        ("/cameras/front", "GET,HEAD,PATCH"),
        ("/reload", "POST"),
        ("/login", "GET,HEAD,POST"),
        ("/", "GET,HEAD"),
        ("/v1/vision/detection", "POST"),
    ] {
        for method in ["DELETE", "OPTIONS", "TRACE", "BREW"] {
            let response = ask(&daemon, method, path).send().await.unwrap();
            let mut allow: Vec<_> = response.headers()["allow"].to_str().unwrap().split(',').collect();
            allow.sort_unstable();
            assert_eq!(allow.join(","), allowed, "{method} {path}");
            is_problem(response, 405, "does not take this method").await;
        }
    }
    for path in ["/detections", "/healthz", "/", "/openapi.json", "/metrics"] {
        let response = ask(&daemon, "HEAD", path).send().await.unwrap();
        let length: u64 = response.headers()["content-length"].to_str().unwrap().parse().unwrap();
        assert!(response.status() == 200 && length > 0, "{path}");
        assert!(response.bytes().await.unwrap().is_empty());
    }
    daemon.stop().await;
}

#[tokio::test]
async fn a_snapshot_that_the_client_holds_is_not_sent_again() {
    let daemon = Daemon::start().await;
    let front = daemon.camera("front");
    let shown = picture(stamp(7), Rect { x_min: 0.1, y_min: 0.1, x_max: 0.3, y_max: 0.5 });
    // The same frame again and again, as of a camera that has stopped.
    let feeder = tokio::spawn(async move {
        loop {
            front.pictures.show(shown.clone());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    let get = async |held: Option<&str>| {
        let request = ask(&daemon, "GET", "/cameras/front/snapshot.jpg");
        let request = held.into_iter().fold(request, |request, tag| request.header("if-none-match", tag));
        request.send().await.unwrap()
    };
    let first = get(None).await;
    assert_eq!(first.status(), 200);
    let disposition = first.headers()["content-disposition"].to_str().unwrap();
    let name = disposition.strip_prefix("inline; filename=\"front-20").and_then(|rest| rest.strip_suffix("Z.jpg\""));
    assert!(name.is_some_and(|time| time.len() == "26-01-02T03-04-05-678".len()), "{disposition}");
    let tag = first.headers()["etag"].to_str().unwrap().to_owned();
    for held in [tag.clone(), format!("W/{tag}"), format!("\"other\", {tag}"), "*".into()] {
        let again = get(Some(&held)).await;
        assert_eq!((again.status().as_u16(), again.headers()["etag"].to_str().unwrap()), (304, tag.as_str()), "{held}");
        assert!(again.bytes().await.unwrap().is_empty());
    }
    assert_eq!(get(Some("\"other\"")).await.status(), 200);
    feeder.abort();
    daemon.stop().await;
}

#[tokio::test]
async fn only_what_gains_by_it_is_compressed() {
    let daemon = Daemon::start().await;
    let front = daemon.camera("front");
    let feeder = tokio::spawn({
        let front = front.clone();
        async move {
            for seq in 1.. {
                front.pictures.show(picture(stamp(seq), Rect { x_min: 0.1, y_min: 0.1, x_max: 0.3, y_max: 0.5 }));
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    });
    daemon.publish(&front, 1, vec![detection("person", 0.9, [0.1, 0.1, 0.2, 0.2]); 40]);
    for (path, compressed) in [
        ("/detections", true),
        ("/openapi.json", true),
        ("/metrics", true),
        ("/assets/main.js", true),
        ("/version", false), // smaller than what compressing it adds
        ("/cameras/front/snapshot.jpg", false),
        ("/cameras/front/live.mjpg", false),
        ("/detections/stream", false),
    ] {
        let response = ask(&daemon, "GET", path).header("accept-encoding", "gzip").send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        let encoding = response.headers().get("content-encoding").map(|value| value.to_str().unwrap());
        assert_eq!(encoding, compressed.then_some("gzip"), "{path}");
        let plain = ask(&daemon, "GET", path).send().await.unwrap();
        assert!(!plain.headers().contains_key("content-encoding"), "{path}");
    }
    feeder.abort();
    daemon.stop().await;
}

/// Time does not pass but is skipped when nothing else is left to do, so the limits need not be waited for.
#[tokio::test(start_paused = true)]
async fn who_dawdles_is_cut_off() {
    let daemon = Daemon::start().await;
    for sent in [
        "",
        "GET /healthz HT",
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: 1",
        "POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 9\r\n\r\nto",
        "POST /model HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{",
        "POST /detect HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/jpeg\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n",
        "POST /v1/vision/detection HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=x\r\nContent-Length: 9\r\n\r\n--x",
    ] {
        let mut client = TcpStream::connect(daemon.address).await.unwrap();
        client.write_all(sent.as_bytes()).await.unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        let is_body = sent.contains("\r\n\r\n");
        assert_eq!(answer.starts_with("HTTP/1.1 408 "), is_body, "{sent:?}: {answer}");
    }
    daemon.stop().await;
}
