//! Every scene once, to everyone who subscribes.
//!
//! All scenes go into one `broadcast` of [`BACKLOG`] scenes; a reader that falls further behind is told how many it
//! lost and goes on with the oldest that is left. The writer never waits for a reader.

use crate::scene::Scene;
use bytes::Bytes;
use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicU64, Ordering},
};
use tokio::sync::broadcast;

/// How many scenes a slow reader may lag behind before it loses some.
pub const BACKLOG: usize = 64;

/// A scene, and the form in which it goes to clients, which is made at most once however many there are.
#[derive(Debug)]
pub struct PublishedScene {
    /// The scene.
    pub scene: Scene,
    encoded: OnceLock<Bytes>,
}

impl PublishedScene {
    pub(super) fn new(scene: Scene) -> Arc<Self> {
        Arc::new(Self { scene, encoded: OnceLock::new() })
    }

    /// The scene as `encode` makes it, which is called the first time only: there is one wire form.
    pub fn encoded(&self, encode: impl FnOnce(&Scene) -> Bytes) -> Bytes {
        self.encoded.get_or_init(|| encode(&self.scene)).clone()
    }
}

/// Carries every scene to its subscribers.
#[derive(Debug)]
pub struct SceneBus {
    scenes: broadcast::Sender<Arc<PublishedScene>>,
    published: AtomicU64,
}

impl Default for SceneBus {
    fn default() -> Self {
        Self { scenes: broadcast::channel(BACKLOG).0, published: AtomicU64::new(0) }
    }
}

impl SceneBus {
    /// One more scene for every subscriber.
    pub(super) fn publish(&self, scene: Arc<PublishedScene>) {
        self.published.fetch_add(1, Ordering::Relaxed);
        let _ = self.scenes.send(scene); // an error means that nobody subscribes
    }

    /// How many scenes have been published since the start, all cameras together.
    pub fn published(&self) -> u64 {
        self.published.load(Ordering::Relaxed)
    }

    /// How many read every scene as it is published.
    pub fn subscribers(&self) -> usize {
        self.scenes.receiver_count()
    }

    /// Every scene from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<PublishedScene>> {
        self.scenes.subscribe()
    }
}
