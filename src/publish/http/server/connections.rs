//! The life of connections: HTTP/1.1 is spoken on each until its client leaves or dawdles, or the daemon stops.

use super::listener::{Connection, Listener, Peer};
use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, Request},
};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{pin::pin, sync::Arc, time::Duration};
use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt;

/// How long a client may take to send the head of a request, and to begin the next one.
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);
/// How many connections are open at most; more wait in the kernel's queue.
const MAX_CONNECTIONS: usize = 4096;

/// Answers with `app` until `stop` is cancelled; then ends when all open answers have ended.
pub(crate) async fn serve(mut listener: Listener, app: Router, stop: &CancellationToken) {
    let (connections, places) = (TaskTracker::new(), Arc::new(Semaphore::new(MAX_CONNECTIONS)));
    loop {
        let next = async {
            let permit = places.clone().acquire_owned().await;
            (permit, listener.accept().await)
        };
        let (permit, (connection, peer)) = tokio::select! {
            next = next => next,
            () = stop.cancelled() => break,
        };
        let (app, stop) = (app.clone(), stop.clone());
        connections.spawn(async move {
            converse(connection, peer, app, stop).await;
            drop(permit);
        });
    }
    connections.close();
    connections.wait().await;
}

/// Answers the requests that come over `connection`, one after the other.
async fn converse(connection: Connection, peer: Peer, app: Router, stop: CancellationToken) {
    let answer = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        app.clone().oneshot(request.map(Body::new))
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    let mut conversation = pin!(http.serve_connection(TokioIo::new(connection), answer).with_upgrades());
    let ended = tokio::select! {
        ended = conversation.as_mut() => ended,
        () = stop.cancelled() => {
            conversation.as_mut().graceful_shutdown();
            conversation.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(peer = %peer.0, "the connection broke off: {error}");
    }
}
