//! Changes the model while the daemon serves: on a client's request, or on SIGHUP when the configuration names another.

use super::{
    Reread,
    plan::{find_model, resolve},
};
use crate::{
    config::Config,
    geometry::Size,
    infer::Runtime,
    model::Model,
    pipeline::{HandOverError, LiveThresholds, Network, Succession},
    publish::{
        bus::Bus,
        http::{ModelControl, ModelRefusal},
    },
    status::EngineInfo,
};
use anyhow::Context;
use futures_util::future::{BoxFuture, FutureExt};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use tokio::{signal::unix::Signal, sync::watch, task::spawn_blocking};

/// The running engine's surroundings, once there is one.
pub(super) struct Running {
    pub(super) runtime: Runtime,
    pub(super) succession: Succession,
}

/// Changes the model. Shared by all who may ask for it.
pub(super) struct Swapper {
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

impl Swapper {
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
    pub(super) async fn obey(self: Arc<Self>, mut hangup: Signal) {
        while hangup.recv().await.is_some() {
            tracing::info!("SIGHUP: rereading the configuration");
            match self.clone().exclusively(|swapper| swapper.reload()).await {
                Ok(()) => {}
                Err(refusal) => tracing::error!("SIGHUP: {refusal}"),
            }
        }
    }

    /// Does `work` on a thread of its own, unless another change is under way.
    async fn exclusively<T: Send + 'static>(
        self: Arc<Self>,
        work: impl FnOnce(&Self) -> anyhow::Result<T> + Send + 'static,
    ) -> Result<T, ModelRefusal> {
        let guard = self.change.clone().try_lock_owned().map_err(|_| ModelRefusal::Busy)?;
        if self.running.get().is_none() {
            return Err(ModelRefusal::NotReady);
        }
        let done = spawn_blocking(move || {
            let _guard = guard; // released when the work ends, even if nobody waits for it any more
            work(&self)
        });
        match done.await {
            Ok(outcome) => outcome.map_err(|error| ModelRefusal::Unfit(format!("{error:#}"))),
            Err(error) => Err(ModelRefusal::Unfit(format!("the change of the model broke off: {error}"))),
        }
    }

    /// Applies what a new configuration says of the model and of what counts as a detection; its cameras are applied
    /// by those who watch [`Self::applied`].
    fn reload(&self) -> anyhow::Result<()> {
        let (old, model) = (self.config.borrow().clone(), self.locked().clone());
        let read = (self.reread)()?;
        let waiting = [
            ("runtime", old.runtime != read.runtime),
            ("http", old.http != read.http),
            ("board", old.board != read.board),
            ("log", old.log != read.log),
        ];
        for (table, _) in waiting.iter().filter(|(_, changed)| *changed) {
            tracing::warn!("changes of [{table}] wait for a restart");
        }
        let Config { camera, model: wanted, detection, .. } = read;
        let new = Config { camera, model: wanted, detection, ..old };
        let found = find_model(&new.model.name, &new)?;
        if found == model {
            self.thresholds.store(Arc::new(resolve(&new, &found.manifest)?));
            tracing::info!("what counts as a detection was read anew; the model is the same");
        } else {
            self.let_serve(&new, found)?;
        }
        self.config.send_replace(new);
        Ok(())
    }

    fn locked(&self) -> MutexGuard<'_, Model> {
        self.model.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the model `name` serve.
    fn change_to(&self, name: &str) -> anyhow::Result<Arc<EngineInfo>> {
        let config = self.config.borrow().clone();
        let found = find_model(name, &config)?;
        self.let_serve(&config, found)
    }

    /// Opens `found` beside the model that serves, and hands over.
    fn let_serve(&self, config: &Config, found: Model) -> anyhow::Result<Arc<EngineInfo>> {
        let Running { runtime, succession } = self.running.get().context("no model serves yet")?;
        let new = found.manifest.input.size();
        if new != self.size {
            return Err(HandOverError::OtherSize { running: self.size, new }.into());
        }
        let thresholds = resolve(config, &found.manifest)?;
        tracing::info!(model = found.manifest.name, "opening it beside the model that serves");
        let engine = runtime.open(&config.runtime, &found.path, &found.manifest, &|_| {})?;
        let info = Arc::new(EngineInfo { stands_in_for: found.stands_in_for.clone(), ..engine.info().clone() });
        succession.hand_over(Network::new(engine, &found.manifest)?, thresholds)?;
        self.bus.engine.send_replace(Some(info.clone()));
        *self.locked() = found;
        Ok(info)
    }
}

impl ModelControl for Arc<Swapper> {
    fn change(&self, name: String) -> BoxFuture<'_, Result<Arc<EngineInfo>, ModelRefusal>> {
        let change = self.clone().exclusively(move |swapper| swapper.change_to(&name));
        async move {
            let outcome = change.await;
            if let Err(refusal) = &outcome {
                tracing::error!("{refusal}");
            }
            outcome
        }
        .boxed()
    }
}
