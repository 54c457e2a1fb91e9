//! The bus: every scene once, to everyone.
//!
//! For each camera the latest scene lies in a `watch` (GET, long poll). Every scene also goes into one `broadcast`
//! of [`BACKLOG`] scenes; a reader that falls further behind is told how many it lost and goes on with the oldest
//! that is left. The writer never waits for a reader.

use super::{counts::Counts, wire};
use crate::{
    board::{BoardNote, BoardStatus},
    camera::{CameraName, CameraStatus},
    pictures::Pictures,
    scene::Scene,
    video::Video,
};
use axum::extract::ws::Utf8Bytes;
use detector::status::{EngineInfo, EnginePhase};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, OnceLock, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::sync::{broadcast, watch};

/// How many scenes a slow reader may lag behind before it loses some.
pub const BACKLOG: usize = 64;

/// A scene and its JSON, made at most once however many clients read it.
#[derive(Debug)]
pub struct PublishedScene {
    /// The scene.
    pub scene: Scene,
    json: OnceLock<Utf8Bytes>,
}

impl PublishedScene {
    /// The scene as a stream message, JSON text with the age it had when it was published; cheap to clone.
    pub fn json(&self) -> Utf8Bytes {
        let make = || wire::StreamMessage::Scene(wire::SceneDto::new(&self.scene, self.scene.published)).json().into();
        self.json.get_or_init(make).clone()
    }
}

/// What the bus knows of one camera.
#[derive(Debug)]
pub struct CameraFeed {
    /// The camera.
    pub name: CameraName,
    /// Its latest scene.
    pub scene: watch::Sender<Option<Arc<PublishedScene>>>,
    /// Its live pictures.
    pub pictures: Arc<Pictures>,
    /// Its live video.
    pub video: Arc<Video>,
    /// Its state, kept by the source's supervisor.
    pub status: watch::Sender<CameraStatus>,
}

/// The hub between the pipeline and the ways out. Shared behind an `Arc`.
#[derive(Debug)]
pub struct Bus {
    scenes: broadcast::Sender<Arc<PublishedScene>>,
    cameras: RwLock<BTreeMap<CameraName, Arc<CameraFeed>>>,
    /// How far the engine is.
    pub phase: watch::Sender<EnginePhase>,
    /// The engine that serves, once there is one.
    pub engine: watch::Sender<Option<Arc<EngineInfo>>>,
    /// The latest reading of the machine.
    pub board: watch::Sender<Option<Arc<BoardStatus>>>,
    /// How many frames per second the engine may take, all cameras together; none for as many as come.
    pub limit_fps: watch::Sender<Option<f32>>,
    /// What has been counted and measured since the start.
    pub counts: Counts,
    published: AtomicU64,
}

impl Default for Bus {
    fn default() -> Self {
        Self {
            scenes: broadcast::channel(BACKLOG).0,
            cameras: RwLock::default(),
            phase: watch::channel(EnginePhase::LoadingRuntime).0,
            engine: watch::channel(None).0,
            board: watch::channel(None).0,
            limit_fps: watch::channel(None).0,
            counts: Counts::default(),
            published: AtomicU64::new(0),
        }
    }
}

impl Bus {
    /// Adds a camera, or gives the feed it already has.
    pub fn add_camera(&self, name: &CameraName, status: CameraStatus) -> Arc<CameraFeed> {
        let mut cameras = self.cameras.write().unwrap_or_else(PoisonError::into_inner);
        cameras
            .entry(name.clone())
            .or_insert_with(|| {
                Arc::new(CameraFeed {
                    name: name.clone(),
                    scene: watch::channel(None).0,
                    pictures: Arc::default(),
                    video: Arc::default(),
                    status: watch::channel(status).0,
                })
            })
            .clone()
    }

    /// Takes a camera away; those who watch it see its channels close.
    pub fn remove_camera(&self, name: &CameraName) {
        self.cameras.write().unwrap_or_else(PoisonError::into_inner).remove(name);
    }

    /// The camera called `name`.
    pub fn camera(&self, name: &str) -> Option<Arc<CameraFeed>> {
        self.cameras().into_iter().find(|feed| feed.name.as_str() == name)
    }

    /// All cameras, by name.
    pub fn cameras(&self) -> Vec<Arc<CameraFeed>> {
        self.cameras.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Publishes a scene: its camera's latest, and one more for every subscriber. Scenes of unknown cameras (just
    /// removed) are ignored.
    pub fn publish(&self, scene: Scene) {
        let Some(feed) = self.cameras.read().unwrap_or_else(PoisonError::into_inner).get(&scene.camera).cloned() else {
            return;
        };
        self.counts.scene(&scene);
        let published = Arc::new(PublishedScene { scene, json: OnceLock::new() });
        feed.scene.send_replace(Some(published.clone()));
        self.published.fetch_add(1, Ordering::Relaxed);
        let _ = self.scenes.send(published); // an error means that nobody listens
    }

    /// How many scenes have been published since the start, all cameras together.
    pub fn published(&self) -> u64 {
        self.published.load(Ordering::Relaxed)
    }

    /// What holds the machine back right now.
    pub fn notes(&self) -> Vec<BoardNote> {
        self.board.borrow().as_ref().map_or_else(Vec::new, |board| board.notes.clone())
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
