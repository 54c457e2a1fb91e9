//! The API over real HTTP, with scenes and pictures made by the test.

use crate::fake::{Daemon, detection, picture, running, scene, stamp};
use detector::{geometry::Rect, status::EnginePhase};
use futures_util::StreamExt;
use reqwest::StatusCode;
use serde_json::{Value, json};
use sightd::{
    camera::{CameraState, CameraStatus},
    publish::http::Config,
};
use std::time::{Duration, Instant};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_tungstenite::{connect_async, tungstenite::Message};

const BOX: [f32; 4] = [0.1, 0.2, 0.4, 0.6];

async fn get(daemon: &Daemon, path: &str) -> (StatusCode, Value) {
    let response = reqwest::get(daemon.url(path)).await.unwrap();
    let status = response.status();
    if !status.is_success() && path != "/readyz" {
        assert_eq!(response.headers()["content-type"], "application/problem+json", "{path}");
    }
    (status, response.json().await.unwrap())
}

#[tokio::test]
async fn the_latest_scene_of_every_camera() {
    let daemon = Daemon::start().await;
    let (front, back) = (daemon.camera("front"), daemon.camera("back"));
    daemon.publish(&front, 1, vec![]);
    daemon.publish(&front, 2, vec![detection("person", 0.9, BOX), detection("dog", 0.6, BOX)]);
    daemon.publish(&back, 7, vec![]);

    let (status, all) = get(&daemon, "/detections").await;
    assert_eq!(status, 200);
    let seqs: Vec<_> =
        all["scenes"].as_array().unwrap().iter().map(|scene| (&scene["camera"], &scene["seq"])).collect();
    assert_eq!(seqs, [(&json!("back"), &json!(7)), (&json!("front"), &json!(2))]);
    let person = &all["scenes"][1]["detections"][0];
    assert_eq!((&person["label"], &person["class_id"]), (&json!("person"), &json!(1)));
    assert!((person["box"]["w"].as_f64().unwrap() - 0.3).abs() < 1e-6);
    assert_eq!(all["scenes"][1]["timings_ms"]["infer"], 18.0);
    assert!(all["scenes"][1]["age_ms"].as_f64().unwrap() > 0.0);

    for (query, want) in [
        ("camera=front&label=person", 1),
        ("camera=front&label=dog,person", 2),
        ("camera=front&min_score=0.7", 1),
        ("camera=front&label=bicycle", 0),
    ] {
        let (_, found) = get(&daemon, &format!("/detections?{query}")).await;
        assert_eq!(found["scenes"][0]["detections"].as_array().unwrap().len(), want, "{query}");
    }
    daemon.stop().await;
}

#[tokio::test]
async fn mistakes_are_problem_documents() {
    let daemon = Daemon::start().await;
    daemon.camera("front");
    for (path, want, words) in [
        ("/nowhere", 404, "nothing at this path"),
        ("/detections?camera=side", 404, "no camera called \"side\""),
        ("/detections?min_score=2", 400, "between 0 and 1"),
        ("/detections?min_scroe=0.2", 400, "min_scroe"),
        ("/detections?since_seq=4", 400, "exactly one camera"),
        ("/detections?wait_ms=60001", 400, "at most 60000"),
        ("/cameras/side", 404, "no camera"),
        ("/cameras/side/snapshot.jpg", 404, "no camera"),
        ("/cameras/side/live.mjpg", 404, "no camera"),
        ("/ws", 426, "WebSocket"),
        ("/cameras/front/live", 426, "WebSocket"),
    ] {
        let (status, problem) = get(&daemon, path).await;
        assert_eq!((status.as_u16(), &problem["status"]), (want, &json!(want)), "{path}");
        assert!(problem["detail"].as_str().unwrap().contains(words), "{path}: {problem}");
    }
    let response = reqwest::Client::new().post(daemon.url("/detections")).send().await.unwrap();
    assert_eq!(response.status(), 405);
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    daemon.stop().await;
}

#[tokio::test]
async fn a_long_poll_waits_for_the_next_scene() {
    let daemon = Daemon::start().await;
    let front = daemon.camera("front");
    daemon.publish(&front, 5, vec![]);
    let path = "/detections?camera=front&since_seq=5";
    assert_eq!(get(&daemon, path).await.1, json!({"scenes": []}));
    assert_eq!(get(&daemon, &format!("{path}&wait_ms=50")).await.1, json!({"scenes": []}));

    let patient = format!("{path}&wait_ms=30000");
    let (answer, ()) = tokio::join!(get(&daemon, &patient), async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        daemon.publish(&front, 6, vec![]);
    });
    assert_eq!(answer.1["scenes"][0]["seq"], 6);
    // A number from before a restart.
    let ahead = get(&daemon, "/detections?camera=front&since_seq=70000&wait_ms=60000");
    let answer = tokio::time::timeout(Duration::from_secs(30), ahead).await.expect("answered at once");
    assert_eq!(answer.1["scenes"][0]["seq"], 6);
    daemon.stop().await;
}

#[tokio::test]
async fn a_websocket_gets_every_scene_in_order() {
    let daemon = Daemon::start().await;
    let (front, back) = (daemon.camera("front"), daemon.camera("back"));
    let (mut socket, _) = connect_async(daemon.ws_url("/ws?camera=front&min_score=0.5")).await.unwrap();
    let (mut plain, _) = connect_async(daemon.ws_url("/ws")).await.unwrap();
    let writer = async {
        for seq in 1..=500 {
            daemon.publish(&front, seq, vec![detection("person", 0.4, BOX), detection("dog", 0.8, BOX)]);
            daemon.publish(&back, seq, vec![]);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let reader = async {
        for seq in 1..=500_u64 {
            let scene = next_json(&mut socket).await;
            assert_eq!((&scene["type"], &scene["seq"]), (&json!("scene"), &json!(seq)));
            assert_eq!(scene["detections"].as_array().unwrap().len(), 1);
            for camera in ["front", "back"] {
                let scene = next_json(&mut plain).await;
                assert_eq!((&scene["camera"], &scene["seq"]), (&json!(camera), &json!(seq)));
            }
        }
    };
    tokio::join!(writer, reader);
    daemon.stop().await;
}

#[tokio::test]
async fn a_slow_client_is_told_what_it_lost() {
    let daemon = Daemon::start().await;
    let front = daemon.camera("front");
    let (mut socket, _) = connect_async(daemon.ws_url("/ws")).await.unwrap();
    daemon.publish(&front, 1, vec![]);
    assert_eq!(next_json(&mut socket).await["seq"], 1);
    for seq in 2..=1001 {
        daemon.publish(&front, seq, vec![]); // all at once: far more than the state holds
    }
    let lost = next_json(&mut socket).await;
    assert_eq!(lost["type"], "lost");
    let next = next_json(&mut socket).await;
    assert_eq!(next["seq"].as_u64().unwrap(), lost["count"].as_u64().unwrap() + 2);
    daemon.stop().await;
}

async fn next_json<S>(socket: &mut tokio_tungstenite::WebSocketStream<S>) -> Value
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    loop {
        if let Message::Text(text) = socket.next().await.unwrap().unwrap() {
            return serde_json::from_str(&text).unwrap();
        }
    }
}

#[tokio::test]
async fn server_sent_events_carry_the_same_scenes() {
    let daemon = Daemon::start().await;
    let front = daemon.camera("front");
    let response = reqwest::get(daemon.url("/detections/stream")).await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut chunks = response.bytes_stream();
    daemon.publish(&front, 3, vec![]);
    let text = String::from_utf8(chunks.next().await.unwrap().unwrap().to_vec()).unwrap();
    assert!(text.starts_with("event: scene\ndata: {\"type\":\"scene\",\"camera\":\"front\",\"seq\":3,"), "{text}");
    daemon.stop().await;
}

#[tokio::test]
async fn pictures_flow_while_someone_watches() {
    let daemon = Daemon::start().await;
    let front = daemon.camera("front");
    let bright = Rect { x_min: 0.1, y_min: 0.1, x_max: 0.3, y_max: 0.5 };
    let feeder = {
        let front = front.clone();
        tokio::spawn(async move {
            for seq in 1.. {
                if front.pictures.wanted() {
                    front.pictures.show(picture(stamp(seq), bright));
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
    };
    let response = reqwest::get(daemon.url("/cameras/front/snapshot.jpg")).await.unwrap();
    assert_eq!(response.headers()["content-type"], "image/jpeg");
    assert!(response.headers()["x-seq"].to_str().unwrap().parse::<u64>().unwrap() > 0);
    let image = image::load_from_memory(&response.bytes().await.unwrap()).unwrap();
    assert_eq!((image.width(), image.height()), (640, 360));

    let (mut socket, _) = connect_async(daemon.ws_url("/cameras/front/live")).await.unwrap();
    let message = loop {
        if let Message::Binary(bytes) = socket.next().await.unwrap().unwrap() {
            break bytes;
        }
    };
    assert!(u64::from_be_bytes(message[..8].try_into().unwrap()) > 1);
    assert_eq!(&message[16..18], b"\xff\xd8");

    let mut mjpeg = reqwest::get(daemon.url("/cameras/front/live.mjpg")).await.unwrap();
    let mut seen = Vec::new();
    while seen.windows(7).filter(|window| window == b"x-seq: ").count() < 2 {
        seen.extend_from_slice(&mjpeg.chunk().await.unwrap().unwrap());
    }
    assert_eq!(front.pictures.viewers(), 2);
    drop((socket, mjpeg));
    let timeout = Instant::now() + Duration::from_secs(20);
    while front.pictures.wanted() {
        assert!(Instant::now() < timeout, "viewers that have gone are still counted");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    feeder.abort();
    daemon.stop().await;
}

#[tokio::test]
async fn readiness_says_what_it_waits_for() {
    let daemon = Daemon::start().await;
    daemon.state.status.phase.send_replace(EnginePhase::Building {
        since: Instant::now().checked_sub(Duration::from_secs(3)).unwrap(),
        usual: Some(Duration::from_secs(300)),
    });
    let front = daemon.camera("front");
    let starting =
        CameraStatus { state: CameraState::Starting, last_error: Some("no such device".into()), ..running() };
    front.status.send_replace(starting);
    let (status, waiting) = get(&daemon, "/readyz").await;
    assert_eq!((status.as_u16(), &waiting["ready"]), (503, &json!(false)));
    assert_eq!(waiting["phase"]["name"], "building");
    assert!(waiting["phase"]["elapsed_s"].as_f64().unwrap() >= 3.0);
    assert_eq!(waiting["phase"]["usual_s"], 300.0);
    let want = json!([{"name": "front", "state": "starting"}]);
    assert_eq!(waiting["cameras_waiting"], want);
    daemon.state.status.phase.send_replace(EnginePhase::Failed { reason: "token=abc".into() });
    let (_, failed) = get(&daemon, "/readyz").await;
    assert_eq!((&failed["phase"]["name"], &failed["phase"]["reason"]), (&json!("failed"), &Value::Null));

    daemon.state.status.phase.send_replace(EnginePhase::Ready);
    front.status.send_replace(running());
    assert_eq!(get(&daemon, "/readyz").await.0, 503);
    daemon.publish(&front, 1, vec![]);
    assert_eq!(get(&daemon, "/readyz").await.0, 200);
    assert_eq!(get(&daemon, "/healthz").await.1["status"], "ok");
    daemon.stop().await;
}

#[tokio::test]
async fn open_streams_end_when_the_daemon_stops() {
    let daemon = Daemon::start().await;
    daemon.camera("front");
    let (mut scenes, _) = connect_async(daemon.ws_url("/ws")).await.unwrap();
    let (mut pictures, _) = connect_async(daemon.ws_url("/cameras/front/live")).await.unwrap();
    let mut mjpeg = reqwest::get(daemon.url("/cameras/front/live.mjpg")).await.unwrap();
    let mut events = reqwest::get(daemon.url("/detections/stream")).await.unwrap();
    daemon.stop().await;
    assert!(mjpeg.chunk().await.unwrap().is_none());
    while events.chunk().await.unwrap().is_some() {}
    for socket in [&mut scenes, &mut pictures] {
        while let Some(Ok(message)) = socket.next().await {
            assert!(message.is_close() || message.is_ping(), "{message:?}");
        }
    }
}

#[tokio::test]
async fn the_page_and_the_description_are_served() {
    let daemon = Daemon::start().await;
    let response = reqwest::get(daemon.url("/")).await.unwrap();
    let headers = response.headers();
    assert!(headers["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
    let etag = headers["etag"].clone();
    let again = reqwest::Client::new().get(daemon.url("/")).header("if-none-match", etag).send().await.unwrap();
    assert_eq!(again.status(), 304);
    let (_, description) = get(&daemon, "/openapi.json").await;
    assert!(description["paths"]["/detections"]["get"].is_object());
    assert_eq!(get(&daemon, "/version").await.1["name"], "sightd");
    assert_eq!(get(&daemon, "/model").await.1["engine"]["library"], "libonnxruntime.so");
    assert_eq!(get(&daemon, "/cameras").await.1, json!({"cameras": []}));
    daemon.stop().await;
}

#[tokio::test]
async fn a_snapshot_with_boxes_is_that_of_one_frame() {
    let daemon = Daemon::start().await;
    let front = daemon.camera("front");
    let feeder = tokio::spawn({
        let (state, front) = (daemon.state.clone(), front.clone());
        async move {
            for seq in 1.. {
                front.pictures.show(picture(stamp(seq), Rect { x_min: 0.0, y_min: 0.0, x_max: 0.1, y_max: 0.1 }));
                // Inference comes later than the picture, and only to every second frame.
                if seq % 2 == 0 {
                    state.publish(scene(
                        &front.name,
                        stamp(seq),
                        vec![detection("person", 0.9, [0.25, 0.25, 0.75, 0.75])],
                    ));
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    });
    let plain = reqwest::get(daemon.url("/cameras/front/snapshot.jpg")).await.unwrap();
    assert!(plain.headers()["etag"].to_str().unwrap().starts_with('"'));
    let drawn = reqwest::get(daemon.url("/cameras/front/snapshot.jpg?boxes=1")).await.unwrap();
    assert_eq!(drawn.headers()["x-seq"].to_str().unwrap().parse::<u64>().unwrap() % 2, 0);
    let pixels = |bytes: &[u8]| image::load_from_memory(bytes).unwrap().into_rgb8();
    let (plain, drawn) = (pixels(&plain.bytes().await.unwrap()), pixels(&drawn.bytes().await.unwrap()));
    let on_the_frame = |pixels: &image::RgbImage| *pixels.get_pixel(161, 200);
    let [red, green, blue] = sightd::draw::colour(1).0.map(i32::from);
    let near = |pixel: image::Rgb<u8>| {
        let [r, g, b] = pixel.0.map(i32::from);
        (r - red).abs() + (g - green).abs() + (b - blue).abs() < 120
    };
    assert!(near(on_the_frame(&drawn)) && !near(on_the_frame(&plain)));
    assert_eq!(reqwest::get(daemon.url("/cameras/front/snapshot.jpg?boxes=2")).await.unwrap().status(), 400);
    feeder.abort();
    daemon.stop().await;
}

#[tokio::test]
async fn a_trace_comes_back() {
    let daemon = Daemon::start().await;
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let request = reqwest::Client::new().get(daemon.url("/healthz")).header("traceparent", trace);
    assert_eq!(request.send().await.unwrap().headers()["traceparent"], trace);
    daemon.stop().await;
}

#[tokio::test]
async fn a_misspelt_label_is_an_error_with_the_nearest_name() {
    let daemon = Daemon::start().await;
    for path in ["/detections?label=dog,persn", "/detections/stream?label=persn"] {
        let response = reqwest::get(daemon.url(path)).await.unwrap();
        assert_eq!(response.status(), 400, "{path}");
        let problem: Value = response.json().await.unwrap();
        let want = "label=persn: the model fake-ssd has no such class; did you mean \"person\"?";
        assert_eq!(problem["detail"], want, "{path}");
    }
    daemon.stop().await;
}

#[tokio::test]
async fn a_websocket_close_is_answered() {
    let daemon = Daemon::start().await;
    daemon.camera("front");
    for path in ["/ws", "/cameras/front/live", "/detect"] {
        let (mut socket, _) = connect_async(daemon.ws_url(path)).await.unwrap();
        socket.close(None).await.unwrap();
        let mut closed = false;
        while let Some(Ok(message)) = socket.next().await {
            closed |= message.is_close();
        }
        assert!(closed, "{path}: the connection ended without a Close frame");
    }
    daemon.stop().await;
}

/// Pings are answered at a bounded rate: whoever sends them faster finds the connection full, and no answers pile up.
#[tokio::test]
async fn pings_of_a_client_that_reads_nothing_take_no_memory() {
    const FLOOD: usize = 64 << 20;
    let daemon = Daemon::start().await;
    daemon.camera("front");
    for path in ["/ws", "/cameras/front/live", "/detect"] {
        let mut client = TcpStream::connect(daemon.address).await.unwrap();
        let head = format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        client.write_all(head.as_bytes()).await.unwrap();
        let mut answer = [0; 12];
        client.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 101", "{path}");
        // A masked ping of 125 bytes.
        let ping = [&[0x89, 0x80 | 125, 0, 0, 0, 0][..], &[b'x'; 125]].concat();
        let pings = ping.repeat(500);
        let mut written = 0;
        while written < FLOOD {
            match tokio::time::timeout(Duration::from_secs(2), client.write(&pings)).await {
                Ok(Ok(bytes)) => written += bytes,
                Ok(Err(_)) | Err(_) => break, // refused, or full
            }
        }
        assert!(written < FLOOD, "{path}: {written} bytes of pings were read");
    }
    daemon.stop().await;
}

#[tokio::test]
async fn websockets_for_pictures_are_few_and_end_without_a_message() {
    let daemon = Daemon::start().await;
    let mut open = Vec::new();
    for _ in 0..4 {
        open.push(connect_async(daemon.ws_url("/detect")).await.unwrap().0);
    }
    let refused = connect_async(daemon.ws_url("/detect")).await.unwrap_err().to_string();
    assert!(refused.contains("503"), "{refused}");
    let metrics = reqwest::get(daemon.url("/metrics")).await.unwrap().text().await.unwrap();
    let counted = "sightd_http_limit_hits_total{limit=\"detect_websockets\"} 1";
    assert!(metrics.contains(counted), "{metrics}");
    tokio::time::pause(); // from here on time is skipped where nothing else is left to do
    for socket in &mut open {
        while let Some(Ok(message)) = socket.next().await {
            assert!(message.is_close() || message.is_ping(), "{message:?}");
        }
    }
    tokio::time::resume();
    let metrics = reqwest::get(daemon.url("/metrics")).await.unwrap().text().await.unwrap();
    let counted = "sightd_http_limit_hits_total{limit=\"message_time\"} 4";
    assert!(metrics.contains(counted), "{metrics}");
    connect_async(daemon.ws_url("/detect")).await.unwrap();
    daemon.stop().await;
}

#[tokio::test]
async fn a_request_names_one_host() {
    let daemon = Daemon::start().await;
    for (head, status) in [
        ("GET /healthz HTTP/1.1\r\n", "400"),
        ("GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n", "400"),
        ("GET /healthz HTTP/1.0\r\nHost: localhost\r\nHost: evil.example\r\n", "400"),
        ("GET /healthz HTTP/1.0\r\n", "200"),
        ("GET /healthz HTTP/1.1\r\nHost: localhost\r\n", "200"),
    ] {
        let mut client = TcpStream::connect(daemon.address).await.unwrap();
        client.write_all(format!("{head}Connection: close\r\n\r\n").as_bytes()).await.unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert_eq!(answer.split(' ').nth(1), Some(status), "{head:?}: {answer}");
    }
    daemon.stop().await;
}

#[tokio::test]
async fn pages_elsewhere_embed_pictures_only_where_some_are_named() {
    for (origins, policy) in [(vec![], "same-origin"), (vec!["https://home.example".to_owned()], "cross-origin")] {
        let daemon = Daemon::start_with(&Config { origins, ..Config::default() }).await;
        let answer = reqwest::get(daemon.url("/healthz")).await.unwrap();
        assert_eq!(answer.headers()["cross-origin-resource-policy"], policy);
        daemon.stop().await;
    }
}
