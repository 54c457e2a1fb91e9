//! What the daemon knows right now: written by the stages and the parts beside them, read by those who publish it.
//!
//! Nothing here waits, and nothing knows in which form, or to whom, it is published.

mod cameras;
mod metrics;
mod scenes;

pub use cameras::{CameraFeed, CameraRegistry};
pub use metrics::{PipelineMetrics, seconds};
pub use scenes::{BACKLOG, PublishedScene, SceneBus};

use crate::{
    board::{BoardNote, BoardStatus},
    scene::Scene,
};
use detector::status::{EngineInfo, EnginePhase};
use std::sync::Arc;
use tokio::sync::watch;

/// Everything that is known. Shared behind an `Arc`.
#[derive(Debug, Default)]
pub struct DaemonState {
    /// The cameras.
    pub cameras: CameraRegistry,
    /// Every scene as it is published.
    pub scenes: SceneBus,
    /// Engine and machine.
    pub status: DaemonStatus,
    /// What has been counted and measured since the start.
    pub metrics: PipelineMetrics,
}

/// How engine and machine are.
#[derive(Debug)]
pub struct DaemonStatus {
    /// How far the engine is.
    pub phase: watch::Sender<EnginePhase>,
    /// The engine that serves, once there is one.
    pub engine: watch::Sender<Option<Arc<EngineInfo>>>,
    /// The latest reading of the machine.
    pub board: watch::Sender<Option<Arc<BoardStatus>>>,
    /// How many frames per second the engine may take, all cameras together; none for as many as come.
    pub limit_fps: watch::Sender<Option<f32>>,
}

impl Default for DaemonStatus {
    fn default() -> Self {
        Self {
            phase: watch::channel(EnginePhase::LoadingRuntime).0,
            engine: watch::channel(None).0,
            board: watch::channel(None).0,
            limit_fps: watch::channel(None).0,
        }
    }
}

impl DaemonStatus {
    /// What holds the machine back right now.
    pub fn notes(&self) -> Vec<BoardNote> {
        self.board.borrow().as_ref().map_or_else(Vec::new, |board| board.notes.clone())
    }
}

impl DaemonState {
    /// Publishes a scene: its camera's latest, and one more for every subscriber. Scenes of unknown cameras (just
    /// removed) are ignored.
    pub fn publish(&self, scene: Scene) {
        let Some(feed) = self.cameras.get(scene.camera.as_str()) else { return };
        self.metrics.scene(&scene);
        let published = PublishedScene::new(scene);
        feed.scene.send_replace(Some(published.clone()));
        self.scenes.publish(published);
    }
}
