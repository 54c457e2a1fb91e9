//! The live pictures of one camera: encoded once, seen by many, and only while someone watches.
//!
//! Holds the latest picture only: a slow viewer misses pictures and holds nobody up.

use crate::frame::Picture;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use tokio::sync::watch;

/// The writer's side and the place where viewers come in.
#[derive(Debug)]
pub struct Pictures {
    viewers: AtomicUsize,
    latest: watch::Sender<Option<Arc<Picture>>>,
}

/// Someone who watches. While it lives, the source encodes pictures.
#[derive(Debug)]
pub struct Viewer {
    pictures: Arc<Pictures>,
    latest: watch::Receiver<Option<Arc<Picture>>>,
}

impl Default for Pictures {
    fn default() -> Self {
        Self { viewers: AtomicUsize::new(0), latest: watch::channel(None).0 }
    }
}

impl Pictures {
    /// Whether anyone watches: the source asks before it encodes.
    pub fn wanted(&self) -> bool {
        self.viewers.load(Ordering::Relaxed) > 0
    }

    /// How many watch.
    pub fn viewers(&self) -> usize {
        self.viewers.load(Ordering::Relaxed)
    }

    /// Shows `picture` to all who watch.
    pub fn show(&self, picture: Picture) {
        self.latest.send_replace(Some(Arc::new(picture)));
    }

    /// Comes in to watch.
    pub fn watch(self: &Arc<Self>) -> Viewer {
        self.viewers.fetch_add(1, Ordering::Relaxed);
        let mut latest = self.latest.subscribe();
        latest.mark_unchanged(); // a picture from before belongs to the past
        Viewer { pictures: self.clone(), latest }
    }
}

impl Viewer {
    /// The next new picture; never returns while none comes, so give it a deadline.
    pub async fn next(&mut self) -> Arc<Picture> {
        loop {
            // The sender lives in `self.pictures`, so the channel cannot close under us.
            if self.latest.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
            if let Some(picture) = self.latest.borrow_and_update().clone() {
                return picture;
            }
        }
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        if self.pictures.viewers.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.pictures.latest.send_replace(None); // nobody watches: keep no old picture
        }
    }
}
