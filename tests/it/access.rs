//! Who gets in: every route with every kind of token, other hosts and origins, and those who guess.

use crate::fake::{Daemon, detection};
use reqwest::{Client, Method, StatusCode, redirect::Policy};
use sightd::publish::http::Config;
use std::{
    io::Write,
    net::{IpAddr, UdpSocket},
    time::Instant,
};
use tempfile::NamedTempFile;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const READ: &str = "read-token-0123456789";
const ADMIN: &str = "admin-token-0123456789";

fn secret(text: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap(); // made with mode 0600
    writeln!(file, "{text}").unwrap();
    file
}

/// A daemon with both tokens, which are read at the start.
async fn guarded() -> Daemon {
    let (read, admin) = (secret(READ), secret(ADMIN));
    let config = Config {
        token_file: Some(read.path().into()),
        admin_token_file: Some(admin.path().into()),
        ..Config::default()
    };
    Daemon::start_with(&config).await
}

fn client() -> Client {
    Client::builder().redirect(Policy::none()).build().unwrap()
}

/// What a route answers to someone whom it lets in.
#[derive(Clone, Copy, PartialEq)]
enum For {
    Everyone,
    Readers,
    Admins,
}

#[tokio::test]
async fn every_route_asks_for_its_token() {
    let daemon = guarded().await;
    let front = daemon.camera("front");
    daemon.publish(&front, 1, vec![detection("person", 0.9, [0.1, 0.1, 0.2, 0.2])]);
    let routes = [
        ("GET", "/healthz", For::Everyone),
        ("GET", "/readyz", For::Everyone),
        ("GET", "/login", For::Everyone),
        ("GET", "/assets/style.css", For::Everyone),
        ("GET", "/assets/icon.svg", For::Everyone),
        ("GET", "/", For::Readers),
        ("GET", "/assets/main.js", For::Readers),
        ("GET", "/detections", For::Readers),
        ("GET", "/detections/stream", For::Readers),
        ("GET", "/ws", For::Readers),
        ("GET", "/cameras", For::Readers),
        ("GET", "/cameras/front", For::Readers),
        ("GET", "/cameras/front/live", For::Readers),
        ("GET", "/cameras/front/live.mjpg", For::Readers),
        ("GET", "/cameras/front/video", For::Readers),
        ("GET", "/cameras/nowhere/snapshot.jpg", For::Readers),
        ("GET", "/model", For::Readers),
        ("POST", "/model", For::Admins),
        ("GET", "/system", For::Readers),
        ("GET", "/metrics", For::Readers),
        ("GET", "/logs", For::Admins),
        ("GET", "/version", For::Readers),
        ("GET", "/session", For::Readers),
        ("GET", "/openapi.json", For::Readers),
        ("POST", "/detect", For::Readers),
        ("GET", "/detect", For::Readers),
        ("GET", "/detectors", For::Readers),
        ("POST", "/v1/vision/detection", For::Readers),
        ("POST", "/v1/vision/custom/list", For::Readers),
        ("POST", "/v1/vision/custom/front", For::Readers),
        ("GET", "/v1/server/status/ping", For::Readers),
        ("GET", "/v1/status/ping", For::Readers),
        ("GET", "/v1/status/updateavailable", For::Readers),
        ("PATCH", "/cameras/front", For::Admins),
        ("GET", "/config", For::Readers),
        ("POST", "/reload", For::Admins),
        ("POST", "/logout", For::Readers),
        ("GET", "/nowhere", For::Readers),
    ];
    let described = described_routes(&daemon).await;
    for (method, path) in &described {
        let tested = path.replace("{name}", "front");
        let snapshot = tested.replace("front", "nowhere");
        let is_it = |row: &(&str, &str, For)| row.0 == method && (row.1 == tested || row.1 == snapshot);
        assert!(routes.iter().any(is_it), "no row for {method} {path}");
    }
    for (method, path, whom) in routes {
        let answer = async |token: Option<&str>| {
            let mut request = client().request(Method::from_bytes(method.as_bytes()).unwrap(), daemon.url(path));
            if let Some(token) = token {
                request = request.bearer_auth(token);
            }
            request.send().await.unwrap().status()
        };
        let is = |status: StatusCode, refusal: u16, lets_in: bool| {
            assert_eq!(status.as_u16() != refusal, lets_in, "{method} {path}: {status}");
        };
        is(answer(None).await, 401, whom == For::Everyone);
        is(answer(Some(READ)).await, 403, whom != For::Admins);
        is(answer(Some(ADMIN)).await, 403, true);
        is(answer(Some(ADMIN)).await, 401, true);
    }
    daemon.stop().await;
    // Each with a wrong token, from a daemon that has not been guessed at: else the answer would be 429.
    for routes in routes.chunks(8) {
        let daemon = guarded().await;
        daemon.camera("front");
        for (method, path, whom) in routes {
            let request = client().request(Method::from_bytes(method.as_bytes()).unwrap(), daemon.url(path));
            let status = request.bearer_auth("wrong-token-0123456789").send().await.unwrap().status().as_u16();
            assert_eq!(status == 401, *whom != For::Everyone, "{method} {path}: {status}");
        }
        daemon.stop().await;
    }
}

/// Method and path of every route of the description.
async fn described_routes(daemon: &Daemon) -> Vec<(String, String)> {
    let description = client().get(daemon.url("/openapi.json")).bearer_auth(READ).send().await.unwrap();
    let description: serde_json::Value = description.json().await.unwrap();
    let paths = description["paths"].as_object().unwrap().iter();
    let methods = |item: &serde_json::Value| item.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let routes = paths.flat_map(|(path, item)| methods(item).into_iter().map(|method| (method, path.clone())));
    routes.map(|(method, path)| (method.to_uppercase(), path)).collect()
}

#[tokio::test]
async fn a_login_gives_a_cookie_until_logout() {
    let daemon = guarded().await;
    let page = client().get(daemon.url("/")).header("accept", "text/html").send().await.unwrap();
    assert_eq!((page.status().as_u16(), &page.headers()["location"]), (303, &"/login".parse().unwrap()));

    let log_in =
        async |token: &str| client().post(daemon.url("/login")).form(&[("token", token)]).send().await.unwrap();
    let refused = log_in("wrong-token-0123456789").await;
    assert_eq!(refused.headers()["location"], "/login?answer=wrong");
    let welcome = log_in(READ).await;
    assert_eq!(welcome.headers()["location"], "/");
    let cookie = welcome.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(cookie.contains("HttpOnly; SameSite=Strict"), "{cookie}");
    assert!(!cookie.contains(READ));
    let cookie = cookie.split(';').next().unwrap();
    let with_cookie = client().get(daemon.url("/detections")).header("cookie", cookie).send().await.unwrap();
    assert_eq!(with_cookie.status(), 200);
    let changed = client().post(daemon.url("/model")).header("cookie", cookie).send().await.unwrap();
    assert_eq!(changed.status(), 403);
    let goodbye = client().post(daemon.url("/logout")).header("cookie", cookie).send().await.unwrap();
    assert!(goodbye.headers()["set-cookie"].to_str().unwrap().contains("Max-Age=0"));
    let after = client().get(daemon.url("/detections")).header("cookie", cookie).send().await.unwrap();
    assert_eq!(after.status(), 401, "the session has ended, whoever still holds the cookie");
    daemon.stop().await;
}

/// What the token file holds gives no cookie, and sessions end with the process that opened them.
#[tokio::test]
async fn no_cookie_can_be_made_from_the_token_file() {
    let daemon = guarded().await;
    let log_in = |token: &'static str| client().post(daemon.url("/login")).form(&[("token", token)]).send();
    let welcome = log_in(READ).await.unwrap();
    let cookie = welcome.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let id = cookie.split_once('=').unwrap().1;
    assert_eq!(id.len(), 43, "32 random bytes in base64: {id}");
    let again = log_in(READ).await.unwrap();
    assert!(!again.headers()["set-cookie"].to_str().unwrap().contains(id), "each login has a session of its own");
    let status = async |daemon: &Daemon| {
        client().get(daemon.url("/detections")).header("cookie", &cookie).send().await.unwrap().status()
    };
    assert_eq!(status(&daemon).await, 200);
    let restarted = guarded().await;
    assert_eq!(status(&restarted).await, 401, "the same tokens, another process");
    restarted.stop().await;
    daemon.stop().await;
}

#[tokio::test]
async fn a_trusted_proxy_may_name_its_path() {
    let read = secret(READ);
    for (network, prefix) in [("127.0.0.0/8", "/sightd"), ("192.0.2.0/24", "")] {
        let config = Config {
            token_file: Some(read.path().into()),
            trusted_proxies: vec![network.parse().unwrap()],
            ..Config::default()
        };
        let daemon = Daemon::start_with(&config).await;
        let send = async |request: reqwest::RequestBuilder| {
            let answer = request.header("x-forwarded-prefix", "/sightd/").send().await.unwrap();
            let cookie = answer.headers().get("set-cookie").map(|cookie| cookie.to_str().unwrap().to_owned());
            (answer.headers()["location"].to_str().unwrap().to_owned(), cookie.unwrap_or_default())
        };
        let page = send(client().get(daemon.url("/")).header("accept", "text/html")).await;
        assert_eq!(page.0, format!("{prefix}/login"));
        let wrong = send(client().post(daemon.url("/login")).form(&[("token", "wrong")])).await;
        assert_eq!(wrong.0, format!("{prefix}/login?answer=wrong"));
        let (place, cookie) = send(client().post(daemon.url("/login")).form(&[("token", READ)])).await;
        let path = if prefix.is_empty() { "/" } else { prefix };
        assert_eq!(place, format!("{prefix}/"));
        assert!(cookie.contains(&format!("; Path={path}; ")), "{cookie}");
        let session = cookie.split(';').next().unwrap();
        let (place, cookie) = send(client().post(daemon.url("/logout")).header("cookie", session)).await;
        assert_eq!(place, format!("{prefix}/login"));
        assert!(cookie.contains(&format!("; Path={path}; ")), "{cookie}");
        daemon.stop().await;
    }
}

#[tokio::test]
async fn the_token_is_a_basic_password_for_what_is_embedded_only() {
    let daemon = guarded().await;
    let ask = async |method: Method, path: &str, token: &str| {
        let request = client().request(method, daemon.url(path)).basic_auth("anybody", Some(token));
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(ask(Method::GET, "/detections", READ).await, 200);
    assert_eq!(ask(Method::GET, "/cameras/nowhere/snapshot.jpg", READ).await, 404, "let in");
    assert_eq!(ask(Method::GET, "/cameras/nowhere/live.mjpg", ADMIN).await, 404, "let in");
    for (method, path) in [
        (Method::GET, "/cameras"),
        (Method::GET, "/logs"),
        (Method::GET, "/cameras/front/live"),
        (Method::POST, "/reload"),
        (Method::PATCH, "/cameras/front"),
        (Method::POST, "/detections"),
    ] {
        assert_eq!(ask(method.clone(), path, ADMIN).await, 401, "{method} {path}");
    }
    for _ in 0..10 {
        assert_eq!(ask(Method::GET, "/detections", "wrong-token-0123456789").await, 401);
    }
    assert_eq!(ask(Method::GET, "/detections", READ).await, 429, "guesses are counted");
    daemon.stop().await;
}

#[tokio::test]
async fn a_token_counts_before_a_cookie() {
    let daemon = guarded().await;
    let welcome = client().post(daemon.url("/login")).form(&[("token", READ)]).send().await.unwrap();
    let cookie = welcome.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let role = async |token: &str| {
        let request = client().get(daemon.url("/session")).header("cookie", &cookie).bearer_auth(token);
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json::<serde_json::Value>().await.unwrap()["role"].clone())
    };
    assert_eq!(role(ADMIN).await, (200, "admin".into()));
    assert_eq!(role(READ).await, (200, "read".into()));
    assert_eq!(role("wrong-token-0123456789").await.0, 401);
    daemon.stop().await;
}

#[tokio::test]
async fn rebinding_and_foreign_pages_are_refused() {
    let daemon = Daemon::start().await;
    let get = async |name: &str, value: &str| {
        client().get(daemon.url("/detections")).header(name, value).send().await.unwrap().status()
    };
    assert_eq!(get("host", "evil.example").await, 403);
    assert_eq!(get("host", "localhost:1").await, 200);
    let post = async |origin: &str| {
        let request =
            client().post(daemon.url("/model")).json(&serde_json::json!({"name": "x"})).header("origin", origin);
        request.send().await.unwrap().status()
    };
    assert_eq!(post("http://evil.example").await, 403);
    assert_eq!(post("null").await, 403);
    assert_eq!(post(daemon.url("").as_str()).await, 404); // let in; this daemon's models cannot be changed
    let upgrade = client()
        .get(daemon.url("/ws"))
        .header("origin", "http://evil.example")
        .header("connection", "upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    assert_eq!(upgrade.send().await.unwrap().status(), 403);
    daemon.stop().await;
}

#[tokio::test]
async fn pages_elsewhere_may_ask_only_from_named_origins() {
    let preflight = async |daemon: &Daemon, origin: &str| {
        let request = client().request(Method::OPTIONS, daemon.url("/cameras/front")).header("origin", origin);
        let request = request.header("access-control-request-method", "PATCH");
        request.header("access-control-request-headers", "authorization,content-type").send().await.unwrap()
    };
    let open = Daemon::start().await;
    let config = Config { origins: vec!["https://home.example".into()], ..Config::default() };
    let named = Daemon::start_with(&config).await;
    for (daemon, origin) in [
        (&open, "https://home.example"),
        (&open, "null"),
        (&named, "https://evil.example"),
        (&named, "https://home.example.evil.example"),
        (&named, "http://home.example"),
        (&named, "null"),
    ] {
        let answer = preflight(daemon, origin).await;
        assert!(!answer.headers().contains_key("access-control-allow-origin"), "{origin}: {answer:?}");
        let read = client().get(daemon.url("/detections")).header("origin", origin).send().await.unwrap();
        assert!(!read.headers().contains_key("access-control-allow-origin"), "{origin}: {read:?}");
    }
    let answer = preflight(&named, "https://home.example").await;
    assert_eq!(answer.headers()["access-control-allow-origin"], "https://home.example");
    assert_eq!(answer.headers()["access-control-allow-methods"], "GET,POST,PATCH");
    assert_eq!(answer.headers()["access-control-allow-headers"], "authorization,content-type");
    assert!(!answer.headers().contains_key("access-control-allow-credentials"), "the cookie stays with our own page");
    open.stop().await;
    named.stop().await;
}

/// An address of this machine that is not loopback, by which a test can come from elsewhere.
fn own_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?; // sends nothing, only finds the way
    socket.local_addr().ok().map(|address| address.ip()).filter(|address| !address.is_loopback())
}

#[tokio::test]
async fn without_tokens_only_this_machine_itself_may_change_things() {
    let config = Config { listen: "0.0.0.0:0".parse().unwrap(), allow_anonymous: true, ..Config::default() };
    let daemon = Daemon::start_with(&config).await;
    daemon.camera("front");
    let port = daemon.address.port();
    let role = async |host: IpAddr, headers: &[(&str, &str)]| {
        let request = client().get(format!("http://{host}:{port}/session"));
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let session: serde_json::Value = answer.json().await.unwrap();
        (status, session["role"].as_str().unwrap_or_default().to_owned())
    };
    let loopback: IpAddr = "127.0.0.1".parse().unwrap();
    assert_eq!(role(loopback, &[]).await, (200, "admin".into()));
    for claim in [
        ("x-forwarded-for", "127.0.0.1"),
        ("x-forwarded-for", ""),
        ("X-Real-IP", "::1"),
        ("forwarded", "for=127.0.0.1"),
        ("via", "1.1 proxy"),
    ] {
        assert_eq!(role(loopback, &[claim]).await, (200, "read".into()), "{claim:?}");
    }
    if let Some(other) = own_address() {
        assert_eq!(role(other, &[]).await, (200, "read".into()));
        for claim in [("host", "localhost"), ("x-forwarded-for", "127.0.0.1"), ("origin", "http://localhost")] {
            assert_eq!(role(other, &[claim]).await, (200, "read".into()), "{claim:?}");
        }
        let change = client().patch(format!("http://{other}:{port}/cameras/front")).header("host", "localhost");
        assert_eq!(change.json(&serde_json::json!({})).send().await.unwrap().status(), 403);
    }
    daemon.stop().await;
}

#[tokio::test]
async fn no_form_of_a_path_gets_round_the_token() {
    let daemon = guarded().await;
    for path in [
        "/config",
        "//config",
        "/Config",
        "/config/",
        "/%63onfig",
        "/login/../config",
        "/assets/style.css/../../config",
        "/login%2f..%2fconfig",
        "/healthz;/config",
        "/login?/config",
        "/v1/vision/../../config",
        "/v1/vision/..%2f..%2fconfig",
        "/LOGIN",
        "/healthz/",
        "http://localhost/config",
    ] {
        let mut stream = TcpStream::connect(daemon.address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let status = answer.split(' ').nth(1).unwrap();
        let shows_login = path.starts_with("/login?");
        assert!(if shows_login { status == "200" } else { ["401", "404"].contains(&status) }, "{path}: {answer}");
        assert!(!answer.contains("listen"), "{path}: {answer}");
    }
    daemon.stop().await;
}

#[tokio::test]
async fn who_guesses_is_slowed_down() {
    let daemon = guarded().await;
    let client = client();
    let start = Instant::now();
    let mut checked = 0;
    for guess in 0..1000 {
        let token = format!("guess-{guess:020}");
        let response = client.get(daemon.url("/detections")).bearer_auth(token).send().await.unwrap();
        match response.status().as_u16() {
            401 => checked += 1,
            429 => assert!(response.headers().contains_key("retry-after")),
            other => panic!("{other}"),
        }
    }
    let forgiven = start.elapsed().as_secs() / 2 + 1;
    assert!(checked <= 10 + forgiven, "{checked} of 1000 guesses were checked");
    // Even the right token has to wait now, else guessing would go on at full speed.
    assert_eq!(client.get(daemon.url("/detections")).bearer_auth(READ).send().await.unwrap().status(), 429);
    daemon.stop().await;
}

#[tokio::test]
async fn an_open_network_needs_a_word() {
    let config = Config { listen: "0.0.0.0:0".parse().unwrap(), ..Config::default() };
    let state = std::sync::Arc::default();
    let refusal = sightd::publish::http::Api::new(state, Default::default(), &config).err().unwrap().to_string();
    assert!(refusal.contains("http.token_file") && refusal.contains("http.allow_anonymous"), "{refusal}");
}
