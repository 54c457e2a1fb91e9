//! The latest frame of each camera, between the cameras and the engine.
//!
//! There is never more than one frame of a camera. One that comes before the engine has taken the last replaces it, and
//! the replaced one is counted as dropped: lag cannot grow. The engine takes frames round robin, so that a fast camera
//! never starves a slow one. Single pictures have a place and a turn of their own; whoever puts one waits until the one
//! before is taken.

use crate::{camera::CameraName, channels::still::Still, frame::Frame};
use detector::sync;
use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// The reader's side: owned by the thread that owns the engine. Dropping every [`Sender`] does not close it;
/// [`FramesHandle::close`] does.
#[derive(Debug)]
pub struct LatestFrames {
    shared: Arc<Shared>,
    /// The index after the one served last; that of the single picture comes after those of the cameras.
    next: usize,
}

/// The writer's side of one camera.
#[derive(Clone, Debug)]
pub struct Sender {
    shared: Arc<Shared>,
    camera: CameraName,
}

/// Adds and removes cameras, and closes the whole; may be cloned and kept anywhere.
#[derive(Clone, Debug)]
pub struct FramesHandle {
    shared: Arc<Shared>,
}

/// What [`LatestFrames::next`] found.
#[derive(Debug)]
pub enum Next {
    /// A frame of this camera.
    Frame(CameraName, Frame),
    /// A single picture.
    Still(Still),
    /// Nothing came within the time given.
    Idle,
    /// It is closed: stop.
    Closed,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// A frame or picture was put, or all is closed: for the reader.
    filled: Condvar,
    /// One was taken: for the writers that would rather wait than replace a frame.
    emptied: Condvar,
}

#[derive(Debug, Default)]
struct State {
    cameras: Vec<CameraFrame>,
    still: Option<Still>,
    closed: bool,
}

#[derive(Debug)]
struct CameraFrame {
    camera: CameraName,
    frame: Option<Frame>,
    dropped: u64,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        sync::lock(&self.state)
    }
}

impl State {
    /// Takes what waits first, in turn from index `first` on: the index and the frame or picture.
    fn take(&mut self, first: usize) -> Option<(usize, Next)> {
        let count = self.cameras.len() + 1;
        (0..count).map(|step| (first + step) % count).find_map(|index| {
            let found = match self.cameras.get_mut(index) {
                Some(entry) => entry.frame.take().map(|frame| Next::Frame(entry.camera.clone(), frame)),
                None => self.still.take().map(Next::Still),
            };
            found.map(|found| (index, found))
        })
    }
}

impl LatestFrames {
    /// Open and without cameras; with the handle that adds them.
    pub fn new() -> (Self, FramesHandle) {
        let shared = Arc::new(Shared::default());
        (Self { shared: shared.clone(), next: 0 }, FramesHandle { shared })
    }

    /// The next camera's latest frame, round robin; waits up to `timeout` for one.
    pub fn next(&mut self, timeout: Duration) -> Next {
        let deadline = Instant::now() + timeout;
        let mut state = self.shared.lock();
        loop {
            if state.closed {
                return Next::Closed;
            }
            if let Some((index, found)) = state.take(self.next) {
                self.next = index + 1;
                self.shared.emptied.notify_all();
                return found;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Next::Idle;
            }
            state = self.shared.filled.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits for `time` without taking a frame, or until all is closed.
    pub fn rest(&self, time: Duration) {
        if !time.is_zero() {
            let open = |state: &mut State| !state.closed;
            // Poisoned or not, timed out or closed: the wait is over.
            drop(self.shared.filled.wait_timeout_while(self.shared.lock(), time, open));
        }
    }
}

impl FramesHandle {
    /// Where `camera`'s frames are put; asking again for the same camera gives the same place.
    pub fn open(&self, camera: &CameraName) -> Sender {
        let mut state = self.shared.lock();
        if !state.cameras.iter().any(|entry| entry.camera == *camera) {
            state.cameras.push(CameraFrame { camera: camera.clone(), frame: None, dropped: 0 });
        }
        Sender { shared: self.shared.clone(), camera: camera.clone() }
    }

    /// Removes `camera` and its frame; frames that its senders still put are ignored.
    pub fn remove(&self, camera: &CameraName) {
        self.shared.lock().cameras.retain(|entry| entry.camera != *camera);
    }

    /// Puts a single picture once the one before is taken. Once closed, `still` is dropped instead.
    pub fn put_still(&self, still: Still) {
        let taken = |state: &mut State| !state.closed && state.still.is_some();
        let state = self.shared.lock();
        let mut state = self.shared.emptied.wait_while(state, taken).unwrap_or_else(PoisonError::into_inner);
        if !state.closed {
            state.still = Some(still);
            self.shared.filled.notify_one();
        }
    }

    /// How many frames of `camera` were replaced before the engine came to them.
    pub fn dropped(&self, camera: &CameraName) -> u64 {
        self.shared.lock().cameras.iter().find(|entry| entry.camera == *camera).map_or(0, |entry| entry.dropped)
    }

    /// Closes the whole: the reader gets [`Next::Closed`] at once.
    pub fn close(&self) {
        let mut state = self.shared.lock();
        state.closed = true;
        state.still = None;
        drop(state);
        self.shared.filled.notify_all();
        self.shared.emptied.notify_all();
    }
}

impl Sender {
    /// Puts `frame`, in place of one that was not taken yet. Never waits for the reader.
    pub fn put(&self, frame: Frame) {
        let mut state = self.shared.lock();
        if let Some(entry) = state.cameras.iter_mut().find(|entry| entry.camera == self.camera)
            && entry.frame.replace(frame).is_some()
        {
            entry.dropped += 1;
        }
        drop(state);
        self.shared.filled.notify_one();
    }

    /// Waits up to `timeout` until the engine has taken the camera's frame; says whether a frame that is put now
    /// replaces none.
    pub fn wait_until_taken(&self, timeout: Duration) -> bool {
        let full = |state: &mut State| {
            !state.closed && state.cameras.iter().any(|entry| entry.camera == self.camera && entry.frame.is_some())
        };
        let state = self.shared.lock();
        let waited = self.shared.emptied.wait_timeout_while(state, timeout, full);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{Motion, Stamp};
    use detector::{geometry::Size, pixels::Pixels};
    use tokio::sync::oneshot;

    fn frame() -> Frame {
        let now = Instant::now();
        Frame {
            stamp: Stamp { seq: 1, captured_at: jiff::Timestamp::UNIX_EPOCH, captured: now },
            source_size: Size::new(1, 1),
            pixels: Pixels { size: Size::new(1, 1), stride_bytes: 4, data: vec![0; 4].into() },
            motion: Motion::Unmeasured,
            is_damaged: false,
            arrived: now,
        }
    }

    fn still() -> Still {
        let (decoding, arrived) = (Duration::ZERO, Instant::now());
        Still { picture: image::RgbImage::new(1, 1), score: None, decoding, arrived, answer: oneshot::channel().0 }
    }

    #[test]
    fn single_pictures_have_one_turn_among_the_cameras() {
        let (mut latest_frames, handle) = LatestFrames::new();
        let senders = ["a", "b"].map(|name| handle.open(&name.parse().unwrap()));
        let mut turns = Vec::new();
        for _ in 0..6 {
            senders.iter().for_each(|sender| sender.put(frame()));
            if latest_frames.shared.lock().still.is_none() {
                handle.put_still(still());
            }
            turns.push(match latest_frames.next(Duration::ZERO) {
                Next::Frame(camera, _) => camera.to_string(),
                Next::Still(_) => "still".into(),
                other => panic!("{other:?}"),
            });
        }
        assert_eq!(turns, ["a", "b", "still", "a", "b", "still"]);
        handle.put_still(still());
        handle.close();
        handle.put_still(still()); // would wait for ever if it were open
        assert!(matches!(latest_frames.next(Duration::ZERO), Next::Closed));
    }
}
