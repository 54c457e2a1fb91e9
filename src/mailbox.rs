//! The mailroom between the cameras and the engine: one slot for each camera, the latest frame wins.
//!
//! A slot never holds more than one frame. A frame that comes while the slot is full replaces the old one, which is
//! counted as dropped: lag can not grow. The engine takes frames round robin, so that a fast camera never starves a
//! slow one.

use crate::{camera::CameraName, frame::Frame};
use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// The reader's side: owned by the thread that owns the engine. Dropping every [`Sender`] does not close it;
/// [`Desk::close`] does.
#[derive(Debug)]
pub struct Mailroom {
    shared: Arc<Shared>,
    /// The slot after the one served last.
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
            let count = state.slots.len();
            for step in 0..count {
                let index = (self.next + step) % count;
                if let Some(frame) = state.slots[index].frame.take() {
                    self.next = (index + 1) % count;
                    self.shared.emptied.notify_all();
                    return Next::Frame(state.slots[index].camera.clone(), frame);
                }
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

    /// How many frames of `camera` were replaced before the engine came to them.
    pub fn dropped(&self, camera: &CameraName) -> u64 {
        self.shared.lock().slots.iter().find(|slot| slot.camera == *camera).map_or(0, |slot| slot.dropped)
    }

    /// Closes the mailroom: the reader gets [`Next::Closed`] at once.
    pub fn close(&self) {
        self.shared.lock().closed = true;
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
