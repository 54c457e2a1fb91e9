//! The API over TLS, with a certificate made for the test.

use crate::fake::Daemon;
use sightd::publish::http::{Config, TlsConfig};
use std::{fs, io::Write, sync::Arc};
use tempfile::NamedTempFile;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{ClientConfig, RootCertStore, crypto::ring, pki_types::CertificateDer},
};

const TOKEN: &str = "read-token-0123456789";

/// What the daemon answers to `request`, over a connection that trusts only `certificate`.
async fn ask(daemon: &Daemon, certificate: &CertificateDer<'static>, request: &str) -> std::io::Result<String> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(daemon.address).await?;
    let mut stream = TlsConnector::from(Arc::new(config)).connect("localhost".try_into().unwrap(), stream).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[tokio::test]
async fn the_api_speaks_tls_and_its_cookie_stays_there() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let tls = TlsConfig { cert: folder.path().join("cert.pem"), key: folder.path().join("key.pem") };
    fs::write(&tls.cert, made.cert.pem()).unwrap();
    fs::write(&tls.key, made.signing_key.serialize_pem()).unwrap();
    let mut token = NamedTempFile::new().unwrap();
    writeln!(token, "{TOKEN}").unwrap();
    let config = Config { tls: Some(tls), token_file: Some(token.path().into()), ..Config::default() };
    let daemon = Daemon::start_with(&config).await;
    let certificate = made.cert.der();

    // One that says nothing holds nobody up.
    let silent = TcpStream::connect(daemon.address).await.unwrap();
    let health = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let answer = ask(&daemon, certificate, health).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    let form = format!("token={TOKEN}");
    let login = format!(
        "POST /login HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
        form.len()
    );
    let answer = ask(&daemon, certificate, &login).await.unwrap();
    assert!(answer.contains("HttpOnly; SameSite=Strict; Secure"), "{answer}");

    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    assert!(ask(&daemon, other.cert.der(), health).await.is_err());
    assert!(reqwest::get(daemon.url("/healthz")).await.is_err(), "plain HTTP must not be answered");
    drop(silent);
    daemon.stop().await;
}

#[test]
fn a_certificate_that_is_not_there_is_a_mistake() {
    let tls = TlsConfig { cert: "/nowhere/cert.pem".into(), key: "/nowhere/key.pem".into() };
    let config = Config { tls: Some(tls), ..Config::default() };
    let refusal = sightd::publish::http::Api::new(Arc::default(), Default::default(), &config).err().unwrap();
    assert!(refusal.to_string().starts_with("cannot read /nowhere/cert.pem"), "{refusal}");
}
