//! Changes the model and the configuration while the daemon serves: on a client's request, or on SIGHUP.
//!
//! ```text
//!  POST /model, PATCH /cameras/{name}, POST /reload, SIGHUP
//!    └─▶ Reloader (one change at a time) ─┬─ model, thresholds ──▶ ModelSwap ─▶ the inference loop
//!                                         └─ Applied ─▶ the main loop: cameras are started and stopped
//! ```

use super::{
    camera_change,
    plan::{find_model, resolve, wanted_cameras},
};
use crate::{
    camera::CameraName,
    config::{CameraConfig, Config, Mistakes, ModelConfig},
    pipeline::{LiveThresholds, ModelSwap, SwapError},
    publish::http::{CameraChange, CameraSettings, Control, Refused, Reloaded},
    state::DaemonState,
};
use anyhow::Context;
use detector::{Detector, geometry::Size, infer::Runtime, manifest::Model, status::EngineInfo, sync};
use futures_util::future::{BoxFuture, FutureExt};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard},
};
use tokio::{
    signal::unix::Signal,
    sync::{OwnedMutexGuard, mpsc, oneshot, watch},
    task::spawn_blocking,
};

/// Reads the configuration again, from where it was read first.
pub type Reread = Arc<dyn Fn() -> Result<Config, Mistakes> + Send + Sync>;

/// The engine that runs, once there is one.
#[derive(Clone)]
pub(super) struct Running {
    pub(super) runtime: Runtime,
    pub(super) model_swap: ModelSwap,
}

/// A configuration that counts from now on; `done` is told once its cameras are started and the others stopped.
pub(super) struct Applied {
    pub(super) config: Config,
    pub(super) done: oneshot::Sender<()>,
}

/// Changes model and configuration. May be cloned and kept anywhere.
#[derive(Clone)]
pub(super) struct Reloader(Arc<Inner>);

struct Inner {
    /// What was applied last.
    config: Mutex<Config>,
    applied: mpsc::Sender<Applied>,
    /// The model that serves, or will once the engine runs.
    model: Mutex<Model>,
    reread: Reread,
    /// The size of the pixels that the cameras deliver.
    size: Size,
    thresholds: Arc<LiveThresholds>,
    state: Arc<DaemonState>,
    running: watch::Sender<Option<Running>>,
    /// Held by a change under way.
    change: Arc<tokio::sync::Mutex<()>>,
}

impl Reloader {
    /// A reloader, and what it applies, for the one who starts and stops cameras.
    pub(super) fn new(
        config: &Config,
        reread: Reread,
        model: Model,
        thresholds: Arc<LiveThresholds>,
        state: Arc<DaemonState>,
    ) -> (Self, mpsc::Receiver<Applied>) {
        let (applied, changes) = mpsc::channel(1);
        let inner = Inner {
            config: Mutex::new(config.clone()),
            applied,
            reread,
            size: model.manifest.input.size(),
            model: Mutex::new(model),
            thresholds,
            state,
            running: watch::channel(None).0,
            change: Arc::default(),
        };
        (Self(Arc::new(inner)), changes)
    }

    /// From now on changes are possible.
    pub(super) fn engine_runs(&self, running: Running) {
        self.0.running.send_replace(Some(running));
    }

    /// Rereads the configuration at each signal, once the engine runs and no other change is under way.
    pub(super) async fn on_sighup(self, mut hangup: Signal) {
        let mut running = self.0.running.subscribe();
        while hangup.recv().await.is_some() {
            tracing::info!("SIGHUP: rereading the configuration");
            if running.wait_for(Option::is_some).await.is_err() {
                return;
            }
            let guard = self.0.change.clone().lock_owned().await;
            match self.run(guard, Inner::reload).await {
                Ok(Reloaded { applied, needs_restart }) => {
                    tracing::info!("applied: {}", listed(&applied));
                    if !needs_restart.is_empty() {
                        tracing::warn!("changed, and waiting for a restart: {}", listed(&needs_restart));
                    }
                }
                Err(refusal) => tracing::error!("SIGHUP: {refusal}"),
            }
        }
    }

    /// Does `work` unless another change is under way; what fails is logged.
    fn with_lock<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> anyhow::Result<T> + Send + 'static,
    ) -> BoxFuture<'_, Result<T, Refused>> {
        let start = async {
            let guard = self.0.change.clone().try_lock_owned().map_err(|_| Refused::Busy)?;
            if self.0.running.borrow().is_none() {
                return Err(Refused::NotReady);
            }
            self.run(guard, work).await
        };
        start.map(|done| done.inspect_err(|refused| tracing::error!("{refused}"))).boxed()
    }

    /// Does `work` on a thread of its own; `guard` is released when it ends, even if nobody waits for it any more.
    async fn run<T: Send + 'static>(
        &self,
        guard: OwnedMutexGuard<()>,
        work: impl FnOnce(&Inner) -> anyhow::Result<T> + Send + 'static,
    ) -> Result<T, Refused> {
        let inner = self.0.clone();
        let done = spawn_blocking(move || {
            let _guard = guard;
            work(&inner)
        });
        match done.await {
            Ok(outcome) => outcome.map_err(|error| Refused::Unfit(format!("{error:#}"))),
            Err(error) => Err(Refused::Unfit(format!("the change broke off: {error}"))),
        }
    }
}

impl Control for Reloader {
    fn change_model(&self, name: String) -> BoxFuture<'_, Result<Arc<EngineInfo>, Refused>> {
        self.with_lock(move |inner| {
            let config = inner.applied_now();
            let model = ModelConfig { name, ..config.model.clone() };
            inner.apply(Config { model, ..config })?;
            inner.state.status.engine.borrow().clone().context("no model serves yet")
        })
    }

    fn change_camera(&self, name: String, change: CameraChange) -> BoxFuture<'_, Result<CameraSettings, Refused>> {
        self.with_lock(move |inner| {
            let config = inner.applied_now();
            let mut cameras = wanted_cameras(&config);
            let name: CameraName = name.parse()?;
            let camera = cameras.get_mut(&name).with_context(|| format!("there is no camera called {name}"))?;
            *camera = camera_change::changed(camera, change)?;
            let settings = camera_change::settings(camera)?;
            inner.apply(Config { camera: cameras, ..config })?;
            tracing::info!(camera = %name, "changed by an admin: enabled = {}, {}", settings.enabled, settings.detection);
            Ok(settings)
        })
    }

    fn reload(&self) -> BoxFuture<'_, Result<Reloaded, Refused>> {
        self.with_lock(Inner::reload)
    }

    fn config(&self) -> Value {
        let config = self.0.applied_now();
        serde_json::to_value(Config { camera: wanted_cameras(&config), ..config }).unwrap_or_default()
    }
}

impl Inner {
    /// Reads the configuration again and applies what can be applied.
    fn reload(&self) -> anyhow::Result<Reloaded> {
        let (new, reloaded) = classify(&self.applied_now(), (self.reread)()?);
        self.apply(new)?;
        Ok(reloaded)
    }

    /// The configuration that was applied last.
    fn applied_now(&self) -> Config {
        sync::lock(&self.config).clone()
    }

    /// Applies `new`, and waits until its cameras are started and the others stopped.
    fn apply(&self, new: Config) -> anyhow::Result<()> {
        let model = self.locked_model().clone();
        let found = find_model(&new.model.name, &new)?;
        if found == model {
            self.thresholds.store(Arc::new(resolve(&new, &found.manifest)?));
        } else {
            self.activate_model(&new, found)?;
        }
        *sync::lock(&self.config) = new.clone();
        let (done, applied) = oneshot::channel();
        let sent = self.applied.blocking_send(Applied { config: new, done });
        sent.ok().and_then(|()| applied.blocking_recv().ok()).context("the daemon is stopping")
    }

    fn locked_model(&self) -> MutexGuard<'_, Model> {
        sync::lock(&self.model)
    }

    /// Opens `found` beside the model that serves, and puts it in its place between two frames.
    fn activate_model(&self, config: &Config, found: Model) -> anyhow::Result<()> {
        let running = self.running.borrow().clone();
        let Running { runtime, model_swap } = running.context("no model serves yet")?;
        let new = found.manifest.input.size();
        if new != self.size {
            return Err(SwapError::OtherSize { running: self.size, new }.into());
        }
        let thresholds = resolve(config, &found.manifest)?;
        tracing::info!(model = found.manifest.name, "opening it beside the model that serves");
        let engine = runtime.open(&config.runtime, &found, &|_| {})?;
        let info = Arc::new(engine.info().clone());
        model_swap.swap(Detector::new(engine, &found.manifest)?, thresholds)?;
        self.state.status.engine.send_replace(Some(info));
        *self.locked_model() = found;
        Ok(())
    }
}

/// The configuration that counts after `read` was read, and what becomes of each table that has changed. Every table is
/// named here: a new one does not compile until somebody says whether it applies live.
fn classify(old: &Config, read: Config) -> (Config, Reloaded) {
    let Config { camera, model, detection, runtime, http, board, log } = read;
    let live = [("model", old.model != model), ("detection", old.detection != detection)];
    let restart = [
        ("runtime", old.runtime != runtime),
        ("http", old.http != http),
        ("board", old.board != board),
        ("log", old.log != log),
    ];
    let new = Config {
        camera,
        model,
        detection,
        runtime: old.runtime.clone(),
        http: old.http.clone(),
        board: old.board.clone(),
        log: old.log.clone(),
    };
    let cameras = changed_cameras(&wanted_cameras(old), &wanted_cameras(&new));
    let applied = changed(&live).chain(cameras).collect();
    (new, Reloaded { applied, needs_restart: changed(&restart).collect() })
}

fn changed(tables: &[(&str, bool)]) -> impl Iterator<Item = String> {
    tables.iter().filter(|(_, changed)| *changed).map(|(table, _)| (*table).to_owned())
}

fn changed_cameras(
    before: &BTreeMap<CameraName, CameraConfig>,
    after: &BTreeMap<CameraName, CameraConfig>,
) -> Vec<String> {
    let names: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    let changed = names.into_iter().filter(|name| before.get(*name) != after.get(*name));
    changed.map(|name| format!("camera.{name}")).collect()
}

fn listed(tables: &[String]) -> String {
    if tables.is_empty() { "nothing new".into() } else { tables.join(", ") }
}
