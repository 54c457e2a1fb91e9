//! The mailroom between the cameras and the engine: one slot for each camera, the latest frame wins.
//!
//! A slot never holds more than one frame. A frame that comes while the slot is full replaces the old one, which is
//! counted as dropped: lag can not grow. The engine takes frames round robin, so that a fast camera never starves a
//! slow one. One more slot, with its own turn, is for single pictures; who brings one waits until it is empty.

use crate::{camera::CameraName, frame::Frame, still::Still};
use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// The reader's side: owned by the thread that owns the engine. Dropping every [`Sender`] does not close it;
/// [`Desk::close`] does.
#[derive(Debug)]
pub struct Mailroom {
    shared: Arc<Shared>,
    /// The slot after the one served last; the slot for single pictures comes after those of the cameras.
    next: usize,
}

/// The writer's side of one camera's slot.
#[derive(Clone, Debug)]
pub struct Sender {
    shared: Arc<Shared>,
    camera: CameraName,
}

/// Opens slots and closes the mailroom; may be cloned and kept anywhere.
#[derive(Clone, Debug)]
pub struct Desk {
    shared: Arc<Shared>,
}

/// What [`Mailroom::next`] found.
#[derive(Debug)]
pub enum Next {
    /// A frame of this camera.
    Frame(CameraName, Frame),
    /// A single picture.
    Still(Still),
    /// Nothing came within the time given.
    Idle,
    /// The mailroom is closed: stop.
    Closed,
}

/// What [`Sender::wait_for_room`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// The slot is empty, or gone: a frame that is put now replaces none.
    Free,
    /// The engine has not come to the frame in the slot yet.
    None,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// A slot was filled, or the mailroom closed: for the reader.
    filled: Condvar,
    /// A slot was emptied: for the writers that would rather wait than replace a frame.
    emptied: Condvar,
}

#[derive(Debug, Default)]
struct State {
    slots: Vec<Slot>,
    still: Option<Still>,
    closed: bool,
}

#[derive(Debug)]
struct Slot {
    camera: CameraName,
    frame: Option<Frame>,
    dropped: u64,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Empties the first slot from `first` on, in turn, that is not empty: its index and what lay in it.
    fn take(&mut self, first: usize) -> Option<(usize, Next)> {
        let count = self.slots.len() + 1;
        (0..count).map(|step| (first + step) % count).find_map(|index| {
            let found = match self.slots.get_mut(index) {
                Some(slot) => slot.frame.take().map(|frame| Next::Frame(slot.camera.clone(), frame)),
                None => self.still.take().map(Next::Still),
            };
            found.map(|found| (index, found))
        })
    }
}

impl Mailroom {
    /// An open mailroom without slots, and the desk that opens them.
    pub fn new() -> (Self, Desk) {
        let shared = Arc::new(Shared::default());
        (Self { shared: shared.clone(), next: 0 }, Desk { shared })
    }

    /// The next camera's latest frame, round robin; waits up to `patience` for one.
    pub fn next(&mut self, patience: Duration) -> Next {
        let deadline = Instant::now() + patience;
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

    /// Waits for `time` without taking a frame, or until the mailroom is closed.
    pub fn rest(&self, time: Duration) {
        if !time.is_zero() {
            let open = |state: &mut State| !state.closed;
            // Poisoned or not, timed out or closed: the wait is over.
            drop(self.shared.filled.wait_timeout_while(self.shared.lock(), time, open));
        }
    }
}

impl Desk {
    /// A slot for `camera`; asking again for the same camera gives the same slot.
    pub fn open(&self, camera: &CameraName) -> Sender {
        let mut state = self.shared.lock();
        if !state.slots.iter().any(|slot| slot.camera == *camera) {
            state.slots.push(Slot { camera: camera.clone(), frame: None, dropped: 0 });
        }
        Sender { shared: self.shared.clone(), camera: camera.clone() }
    }

    /// Takes `camera`'s slot away, with the frame in it; frames its senders still put are ignored.
    pub fn remove(&self, camera: &CameraName) {
        self.shared.lock().slots.retain(|slot| slot.camera != *camera);
    }

    /// Puts a single picture into its slot once that is empty. Once the mailroom is closed, `still` is dropped instead.
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
        self.shared.lock().slots.iter().find(|slot| slot.camera == *camera).map_or(0, |slot| slot.dropped)
    }

    /// Closes the mailroom: the reader gets [`Next::Closed`] at once.
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
    /// Puts `frame` into the slot, in place of one that still lies there. Never waits for the reader.
    pub fn put(&self, frame: Frame) {
        let mut state = self.shared.lock();
        if let Some(slot) = state.slots.iter_mut().find(|slot| slot.camera == self.camera)
            && slot.frame.replace(frame).is_some()
        {
            slot.dropped += 1;
        }
        drop(state);
        self.shared.filled.notify_one();
    }

    /// Waits up to `patience` until the engine has taken the frame in the slot.
    pub fn wait_for_room(&self, patience: Duration) -> Room {
        let taken = |state: &mut State| {
            !state.closed && state.slots.iter().any(|slot| slot.camera == self.camera && slot.frame.is_some())
        };
        let state = self.shared.lock();
        let waited = self.shared.emptied.wait_timeout_while(state, patience, taken);
        if waited.unwrap_or_else(PoisonError::into_inner).1.timed_out() { Room::None } else { Room::Free }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        frame::{Motion, Pixels, Stamp},
        geometry::Size,
    };
    use tokio::sync::oneshot;

    fn frame() -> Frame {
        let now = Instant::now();
        Frame {
            stamp: Stamp { seq: 1, captured_at: jiff::Timestamp::UNIX_EPOCH, captured: now },
            source_size: Size::new(1, 1),
            pixels: Pixels { size: Size::new(1, 1), stride_bytes: 4, data: vec![0; 4].into() },
            motion: Motion::Unmeasured,
            arrived: now,
        }
    }

    fn still() -> Still {
        let (decoding, arrived) = (Duration::ZERO, Instant::now());
        Still { picture: image::RgbImage::new(1, 1), score: None, decoding, arrived, answer: oneshot::channel().0 }
    }

    #[test]
    fn single_pictures_have_one_turn_among_the_cameras() {
        let (mut mailroom, desk) = Mailroom::new();
        let senders = ["a", "b"].map(|name| desk.open(&name.parse().unwrap()));
        let mut turns = Vec::new();
        for _ in 0..6 {
            senders.iter().for_each(|sender| sender.put(frame()));
            if mailroom.shared.lock().still.is_none() {
                desk.put_still(still());
            }
            turns.push(match mailroom.next(Duration::ZERO) {
                Next::Frame(camera, _) => camera.to_string(),
                Next::Still(_) => "still".into(),
                other => panic!("{other:?}"),
            });
        }
        assert_eq!(turns, ["a", "b", "still", "a", "b", "still"]);
        desk.put_still(still());
        desk.close();
        desk.put_still(still()); // would wait for ever if the mailroom were open
        assert!(matches!(mailroom.next(Duration::ZERO), Next::Closed));
    }
}
