//! The daemon from start to stop.

use super::{
    cameras::{Cameras, STOP_DEADLINE},
    engine::{EngineThread, Work},
    failure::Failure,
    last_good::LastGood,
    plan::{Plan, PlannedCamera, data_folder, planned_cameras},
    reload::{Applied, Reloader, Reread},
    signals::{self, Signals},
    watchdog,
};
use crate::{
    channels::{
        detect_queue::DetectQueue,
        latest_frames::{FramesHandle, LatestFrames},
        log_buffer::LogBuffer,
    },
    config::Config,
    ops::{
        systemd,
        telemetry::{self, Ports, Sampler},
    },
    pipeline::LiveThresholds,
    publish::http,
    source,
    state::DaemonState,
};
use std::{io, sync::Arc, thread, time::Instant};
use tokio::{net::TcpListener, task::JoinHandle, time::timeout};
use tokio_util::sync::CancellationToken;

/// Says whether the daemon could run with `config`: the model is there and whole, its classes have the names that the
/// cameras ask for, tokens and certificate can be used, the sources make sense: all that [`run`] does before it listens.
/// Gives the reasons of cameras that cannot start while others can.
///
/// # Errors
/// The first thing that cannot work, or every camera's reason where none can.
pub fn check(config: &Config) -> Result<Vec<String>, Failure> {
    let plan = Plan::new(config)?;
    http::Api::new(Arc::default(), DetectQueue::default(), &config.http)
        .map_err(|error| Failure::Config(error.into()))?;
    let wanted: Vec<_> = plan.cameras.into_iter().filter(|camera| camera.enabled).collect();
    let cameras = wanted.len();
    let complaint = |camera: PlannedCamera| {
        let shown = camera.source.uri.to_string();
        let error = source::check(camera.source).err()?;
        Some(format!("camera {} ({shown}): {error}", camera.name))
    };
    let faults: Vec<_> = wanted.into_iter().filter_map(complaint).collect();
    if cameras > 0 && faults.len() == cameras {
        return Err(Failure::Config(anyhow::anyhow!(faults.join("\n"))));
    }
    Ok(faults)
}

/// Runs the daemon until it is asked to stop; threads that did not end in time then still run. On SIGHUP the
/// configuration is read again through `reread`; once the run has proved itself, `keep` keeps what it began with.
///
/// # Errors
/// When it cannot start or has to give up; the exit code tells systemd what to do.
pub fn run(config: &Config, reread: Reread, log_buffer: Arc<LogBuffer>, keep: Option<LastGood>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("http")
        .enable_all()
        .build()
        .map_err(|error| Failure::Other(error.into()))?;
    let outcome = runtime.block_on(life(config, reread, log_buffer, keep));
    runtime.shutdown_background(); // what has not stopped by now is not waited for
    outcome
}

/// From the listener to the last join.
async fn life(
    config: &Config,
    reread: Reread,
    log_buffer: Arc<LogBuffer>,
    keep: Option<LastGood>,
) -> Result<(), Failure> {
    let mut signals = Signals::new()?;
    let plan = Plan::new(config)?;
    let state = Arc::new(DaemonState::default());
    let thresholds = Arc::new(LiveThresholds::from_pointee(plan.thresholds));
    let (reloader, mut changes) = Reloader::new(config, reread, plan.model.clone(), thresholds.clone(), state.clone());
    let (latest_frames, frames_handle) = LatestFrames::new();
    let detect_queue = serve_stills(&frames_handle)?;
    tokio::spawn(reloader.clone().on_sighup(signals::hangup()?));
    let api = http::Api::new(state.clone(), detect_queue.clone(), &config.http)
        .map_err(|error| Failure::Config(error.into()))?;
    let api =
        api.with_control(Arc::new(reloader.clone())).with_frames(frames_handle.clone()).with_log_buffer(log_buffer);
    let listener = listen(&config.http).await?;
    let stop = CancellationToken::new();
    let server = tokio::spawn(http::serve(listener, api, stop.clone()));
    let _sampler = watch_board(&config.board, &state)?;

    let input = plan.model.manifest.input.size();
    let mut cameras = Cameras::new(state.clone(), frames_handle.clone());
    cameras.apply(plan.cameras).await;
    if let Some(last_good) = keep {
        tokio::spawn(last_good.keep(state.clone(), config.runtime.clone(), plan.model.clone()));
    }
    let mut engine = EngineThread::start(Work {
        config: config.runtime.clone(),
        model: plan.model,
        thresholds,
        latest_frames,
        state: state.clone(),
        reloader,
    })?;

    systemd::ready();
    let watchdog = tokio::spawn(watchdog::run(state, config.runtime.clone()));
    let outcome = loop {
        tokio::select! {
            () = signals.next() => break Ok(()),
            ended = engine.ended() => break ended,
            failure = cameras.given_up() => break Err(failure),
            Some(Applied { config, done }) = changes.recv() => tokio::select! {
                () = cameras.apply(planned_cameras(&config, input)) => drop(done.send(())), // nobody may wait any more
                () = signals.next() => break Ok(()),
            },
        }
    };
    match &outcome {
        Ok(()) => tracing::info!("stopping"),
        Err(failure) => tracing::error!("stopping: {failure}"),
    }
    systemd::stopping();
    watchdog.abort();
    tokio::spawn(signals.end_at_once());
    stop_in_order(cameras, &detect_queue, &frames_handle, engine, &stop, server).await;
    outcome
}

/// The queue of single pictures, and a thread that decodes them until it is closed.
fn serve_stills(frames_handle: &FramesHandle) -> Result<DetectQueue, Failure> {
    let (detect_queue, frames_handle) = (DetectQueue::default(), frames_handle.clone());
    let thread = thread::Builder::new().name("stills".into());
    let serve = {
        let detect_queue = detect_queue.clone();
        move || detect_queue.serve(&frames_handle)
    };
    thread.spawn(serve).map_err(|error| Failure::Other(error.into()))?;
    Ok(detect_queue)
}

/// Reads the machine once a second, onto `state`, until the sampler is dropped.
fn watch_board(config: &telemetry::Config, state: &Arc<DaemonState>) -> Result<Sampler, Failure> {
    let counting = state.clone();
    let ports = Ports {
        board: state.status.board.clone(),
        limit_fps: state.status.limit_fps.clone(),
        scenes: Box::new(move || counting.scenes.published()),
    };
    Sampler::start(config, data_folder(), ports).map_err(|error| Failure::Other(error.into()))
}

async fn listen(config: &http::Config) -> Result<TcpListener, Failure> {
    let address = config.listen;
    let listener = TcpListener::bind(address).await.map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => Failure::Other(anyhow::anyhow!(
            "{address} is in use by another program: stop it (`ss -ltnp` shows which it is), or choose another \
             address with --listen or http.listen"
        )),
        _ => Failure::Other(anyhow::anyhow!("cannot listen on {address}: {error}")),
    })?;
    let address = listener.local_addr().map_err(|error| Failure::Other(error.into()))?;
    let scheme = if config.tls.is_some() { "https" } else { "http" };
    tracing::info!("the API and the page are at {scheme}://{address}/");
    Ok(listener)
}

/// Cameras first, so that nothing new comes; then inference, then those who read.
async fn stop_in_order(
    cameras: Cameras,
    detect_queue: &DetectQueue,
    frames_handle: &FramesHandle,
    engine: EngineThread,
    stop: &CancellationToken,
    server: JoinHandle<()>,
) {
    cameras.stop(Instant::now() + STOP_DEADLINE).await;
    detect_queue.close();
    frames_handle.close();
    engine.join(STOP_DEADLINE).await;
    stop.cancel();
    match timeout(STOP_DEADLINE, server).await {
        Ok(Ok(())) => tracing::info!("stopped"),
        Ok(Err(error)) => tracing::warn!("the HTTP server ended with: {error}"),
        Err(_) => tracing::warn!("some HTTP connections did not end in time"),
    }
}
