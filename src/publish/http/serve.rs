//! The HTTP server's life: from the listener to the last answer.

use crate::publish::http::{
    api::Api,
    routes::router,
    server::{connections, http_metrics::HttpMetrics, limits::Limits, listener::Listener},
    shared::Shared,
    status::metrics,
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// How long open answers may take to end once the daemon stops.
const STOP_TIMEOUT: Duration = Duration::from_secs(1);

/// Answers on `listener` until `stop` is cancelled; then closes streams and gives open answers a moment to end.
pub async fn serve(listener: TcpListener, api: Api, stop: CancellationToken) {
    let Api { state, detect_queue, control, frames_handle, log_buffer, access, certificate, origins } = api;
    let http_metrics = HttpMetrics::default();
    let limits = Limits::default();
    let metrics = metrics::registry(state.clone(), frames_handle, &http_metrics, &limits);
    let started = Instant::now();
    let shared = Arc::new(Shared {
        state,
        detect_queue,
        control,
        metrics,
        http_metrics,
        limits,
        log_buffer,
        access,
        stop: stop.clone(),
        started,
    });
    let server = connections::serve(Listener::new(listener, certificate.clone()), router(shared, origins), &stop);
    let overdue = async {
        stop.cancelled().await;
        tokio::time::sleep(STOP_TIMEOUT).await;
    };
    let renewal = async {
        match &certificate {
            Some(certificate) => certificate.follow().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = server => {}
        () = overdue => {}
        never = renewal => match never {},
    }
}
