//! Changes the model and the configuration while the daemon serves: on a client's request, or on SIGHUP.

use super::{
    Reread,
    plan::{find_model, resolve, wanted_cameras},
};
use crate::{
    config::Config,
    pipeline::{LiveThresholds, ModelSwap, SwapError},
    publish::{
        bus::Bus,
        http::{Refused, Reloaded},
    },
};
use anyhow::Context;
use detector::{Detector, geometry::Size, infer::Runtime, manifest::Model, status::EngineInfo};
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};
use tokio::{signal::unix::Signal, sync::watch, task::spawn_blocking};

/// The running engine's surroundings, once there is one.
pub(super) struct Running {
    pub(super) runtime: Runtime,
    pub(super) model_swap: ModelSwap,
}

/// Changes model and configuration. Shared by all who may ask for it.
pub(super) struct Reloader {
    /// What was applied last.
    config: watch::Sender<Config>,
    /// The model that serves, or will once the engine runs.
    model: Mutex<Model>,
    reread: Reread,
    /// The size of the pixels that the cameras deliver.
    size: Size,
    thresholds: Arc<LiveThresholds>,
    bus: Arc<Bus>,
    running: OnceLock<Running>,
    /// Held by a change under way.
    change: Arc<tokio::sync::Mutex<()>>,
}

impl Reloader {
    pub(super) fn new(
        config: &Config,
        reread: Reread,
        model: Model,
        thresholds: Arc<LiveThresholds>,
        bus: Arc<Bus>,
    ) -> Arc<Self> {
        Arc::new(Self {
            config: watch::channel(config.clone()).0,
            reread,
            size: model.manifest.input.size(),
            model: Mutex::new(model),
            thresholds,
            bus,
            running: OnceLock::new(),
            change: Arc::default(),
        })
    }

    /// Every configuration that is applied from now on.
    pub(super) fn applied(&self) -> watch::Receiver<Config> {
        self.config.subscribe()
    }

    /// From now on the model can be changed.
    pub(super) fn engine_runs(&self, running: Running) {
        // There is one engine thread, which calls this once.
        let _ = self.running.set(running);
    }

    /// Rereads the configuration at each signal.
    pub(super) async fn on_sighup(self: Arc<Self>, mut hangup: Signal) {
        while hangup.recv().await.is_some() {
            tracing::info!("SIGHUP: rereading the configuration");
            match self.clone().with_lock(|reloader| reloader.reload()).await {
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

    /// Does `work` on a thread of its own, unless another change is under way.
    pub(super) async fn with_lock<T: Send + 'static>(
        self: Arc<Self>,
        work: impl FnOnce(&Self) -> anyhow::Result<T> + Send + 'static,
    ) -> Result<T, Refused> {
        let guard = self.change.clone().try_lock_owned().map_err(|_| Refused::Busy)?;
        if self.running.get().is_none() {
            return Err(Refused::NotReady);
        }
        let done = spawn_blocking(move || {
            let _guard = guard; // released when the work ends, even if nobody waits for it any more
            work(&self)
        });
        match done.await {
            Ok(outcome) => outcome.map_err(|error| Refused::Unfit(format!("{error:#}"))),
            Err(error) => Err(Refused::Unfit(format!("the change broke off: {error}"))),
        }
    }

    /// Applies what a new configuration says of the model, of cameras and of what counts as a detection.
    pub(super) fn reload(&self) -> anyhow::Result<Reloaded> {
        let (old, read) = (self.applied_now(), (self.reread)()?);
        let waiting = [
            ("runtime", old.runtime != read.runtime),
            ("http", old.http != read.http),
            ("board", old.board != read.board),
            ("log", old.log != read.log),
        ];
        let needs_restart = waiting.iter().filter(|(_, changed)| *changed).map(|(table, _)| (*table).into()).collect();
        let Config { camera, model, detection, .. } = read;
        let new = Config { camera, model, detection, ..old.clone() };
        let applied = changes(&old, &new);
        self.apply(new)?;
        Ok(Reloaded { applied, needs_restart })
    }

    /// The configuration that was applied last.
    pub(super) fn applied_now(&self) -> Config {
        self.config.borrow().clone()
    }

    /// Lets `new` count; its cameras are started and stopped by those who watch [`Self::applied`].
    pub(super) fn apply(&self, new: Config) -> anyhow::Result<()> {
        let model = self.locked().clone();
        let found = find_model(&new.model.name, &new)?;
        if found == model {
            self.thresholds.store(Arc::new(resolve(&new, &found.manifest)?));
        } else {
            self.activate_model(&new, found)?;
        }
        self.config.send_replace(new);
        Ok(())
    }

    fn locked(&self) -> MutexGuard<'_, Model> {
        self.model.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the model `name` serve.
    pub(super) fn change_to(&self, name: &str) -> anyhow::Result<Arc<EngineInfo>> {
        let config = self.config.borrow().clone();
        let found = find_model(name, &config)?;
        self.activate_model(&config, found)
    }

    /// Opens `found` beside the model that serves, and hands over.
    fn activate_model(&self, config: &Config, found: Model) -> anyhow::Result<Arc<EngineInfo>> {
        let Running { runtime, model_swap } = self.running.get().context("no model serves yet")?;
        let new = found.manifest.input.size();
        if new != self.size {
            return Err(SwapError::OtherSize { running: self.size, new }.into());
        }
        let thresholds = resolve(config, &found.manifest)?;
        tracing::info!(model = found.manifest.name, "opening it beside the model that serves");
        let engine = runtime.open(&config.runtime, &found, &|_| {})?;
        let info = Arc::new(engine.info().clone());
        model_swap.swap(Detector::new(engine, &found.manifest)?, thresholds)?;
        self.bus.engine.send_replace(Some(info.clone()));
        *self.locked() = found;
        Ok(info)
    }
}

/// Which tables differ, of those that are applied live.
fn changes(old: &Config, new: &Config) -> Vec<String> {
    let (before, after) = (wanted_cameras(old), wanted_cameras(new));
    let names: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    let cameras = names.into_iter().filter(|name| before.get(*name) != after.get(*name));
    let tables = [("model", old.model != new.model), ("detection", old.detection != new.detection)];
    let tables = tables.iter().filter(|(_, changed)| *changed).map(|(table, _)| (*table).to_owned());
    tables.chain(cameras.map(|name| format!("camera.{name}"))).collect()
}

fn listed(tables: &[String]) -> String {
    if tables.is_empty() { "nothing new".into() } else { tables.join(", ") }
}
