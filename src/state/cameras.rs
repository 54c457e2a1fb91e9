//! The cameras that the daemon has right now, each with what it shows to those who watch it.

use super::scenes::PublishedScene;
use crate::{
    camera::{CameraName, CameraStatus},
    channels::{pictures::Pictures, video::Video},
};
use detector::sync;
use std::{
    collections::BTreeMap,
    sync::{Arc, RwLock},
};
use tokio::sync::watch;

/// What one camera shows.
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

/// All cameras by name.
#[derive(Debug, Default)]
pub struct CameraRegistry {
    cameras: RwLock<BTreeMap<CameraName, Arc<CameraFeed>>>,
}

impl CameraRegistry {
    /// Adds a camera, or gives the feed it already has.
    pub fn add(&self, name: &CameraName, status: CameraStatus) -> Arc<CameraFeed> {
        let mut cameras = sync::write(&self.cameras);
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

    /// Removes a camera; those who watch it see its channels close.
    pub fn remove(&self, name: &CameraName) {
        sync::write(&self.cameras).remove(name);
    }

    /// The camera called `name`.
    pub fn get(&self, name: &str) -> Option<Arc<CameraFeed>> {
        sync::read(&self.cameras).get(name).cloned()
    }

    /// All cameras, by name.
    pub fn all(&self) -> Vec<Arc<CameraFeed>> {
        sync::read(&self.cameras).values().cloned().collect()
    }
}
