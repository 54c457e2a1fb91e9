//! The queue of single pictures: bounded, its callers served in turn.
//!
//! ```text
//!  caller ──permit──▶ DetectQueue ──callers in turn──▶ decoding ──Still──▶ latest frames, beside the cameras ──▶ engine
//!     ◀────────────────────────────────── DetectResult ───────────────────────────────────────────────────────┘
//! ```
//!
//! A caller first takes a permit, then sends its picture: whoever finds no permit is refused before it has cost memory.
//! One thread decodes; it holds the next picture ready while the engine looks at the one before, so that at most three
//! decoded pictures exist at a time.

use crate::channels::{
    latest_frames::FramesHandle,
    still::{DetectResult, Still},
};
use bytes::Bytes;
use detector::{
    fraction::Fraction,
    geometry::Size,
    photo::{self, Orientation, PhotoError},
    sync,
};
use std::{
    collections::VecDeque,
    net::IpAddr,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Instant,
};
use tokio::sync::oneshot;

/// Pictures of all callers that may wait or be under way.
pub const MAX_QUEUED: usize = 16;
/// Pictures of one caller that may wait or be under way.
pub const MAX_QUEUED_PER_CLIENT: usize = 8;
/// The most pixels of a picture; 25 million are 75 MB once decoded.
pub const MAX_PIXELS: u64 = 25_000_000;

/// Why a caller gets no permit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueueError {
    /// All are taken.
    #[error("{MAX_QUEUED} pictures are waiting already")]
    Full,
    /// The caller has its share.
    #[error("{MAX_QUEUED_PER_CLIENT} pictures of this caller are waiting already")]
    Share,
    /// The daemon stops.
    #[error("the daemon is stopping")]
    Closed,
}

/// Why a picture was not looked at.
#[derive(Debug, thiserror::Error)]
pub enum DetectError {
    /// It cannot be decoded.
    #[error(transparent)]
    Photo(#[from] PhotoError),
    /// It has more pixels than are decoded.
    #[error("the picture has {size} pixels: up to {} million are looked at", MAX_PIXELS / 1_000_000)]
    TooLarge {
        /// Its size.
        size: Size,
    },
    /// The engine failed, or the daemon stops.
    #[error("the engine gave no answer; the log says why")]
    NoAnswer,
}

/// A picture whose header has been checked, and what is asked of it.
#[derive(Clone, Debug)]
pub struct Request {
    bytes: Bytes,
    score: Option<Fraction>,
}

impl Request {
    /// Asks for what is on the JPEG or PNG file in `bytes`. A detection must exceed `score`, in permit of what the
    /// configuration says.
    ///
    /// # Errors
    /// When the file's header is none of a picture, or says that it has more than [`MAX_PIXELS`].
    pub fn new(bytes: Bytes, score: Option<Fraction>) -> Result<Self, DetectError> {
        let size = photo::size(&bytes)?;
        if u64::from(size.width) * u64::from(size.height) > MAX_PIXELS {
            return Err(DetectError::TooLarge { size });
        }
        Ok(Self { bytes, score })
    }
}

/// The queue; may be cloned and kept anywhere.
#[derive(Clone, Debug, Default)]
pub struct DetectQueue {
    shared: Arc<Shared>,
}

/// A permit in the queue, free again once dropped.
#[derive(Debug)]
pub struct Permit {
    queue: DetectQueue,
    caller: IpAddr,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// A picture came, or the queue was closed.
    news: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Who has a permit; the one whose turn is next first.
    callers: VecDeque<Caller>,
    closed: bool,
}

#[derive(Debug)]
struct Caller {
    address: IpAddr,
    permits: usize,
    waiting: VecDeque<Job>,
}

#[derive(Debug)]
struct Job {
    request: Request,
    /// Where what is seen goes.
    seen: oneshot::Sender<DetectResult>,
    /// Where the reason goes if it does not come to that.
    fault: oneshot::Sender<PhotoError>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        sync::lock(&self.state)
    }
}

impl DetectQueue {
    /// A permit for a picture of the caller at `address`.
    ///
    /// # Errors
    /// When there is none.
    pub fn acquire(&self, address: IpAddr) -> Result<Permit, QueueError> {
        let mut state = self.shared.lock();
        if state.closed {
            return Err(QueueError::Closed);
        }
        if state.callers.iter().map(|caller| caller.permits).sum::<usize>() >= MAX_QUEUED {
            return Err(QueueError::Full);
        }
        match state.callers.iter_mut().find(|caller| caller.address == address) {
            Some(caller) if caller.permits >= MAX_QUEUED_PER_CLIENT => return Err(QueueError::Share),
            Some(caller) => caller.permits += 1,
            None => state.callers.push_back(Caller { address, permits: 1, waiting: VecDeque::new() }),
        }
        Ok(Permit { queue: self.clone(), caller: address })
    }

    /// Lets nobody in any more and ends [`Self::serve`].
    pub fn close(&self) {
        let mut state = self.shared.lock();
        state.closed = true;
        for caller in &mut state.callers {
            caller.waiting.clear();
        }
        drop(state);
        self.shared.news.notify_all();
    }

    /// Decodes the pictures of all callers in turn and hands them to the engine through `frames_handle`, until the queue or the
    /// frames close. For a thread of its own.
    pub fn serve(&self, frames_handle: &FramesHandle) {
        while let Some(Job { request, seen, fault }) = self.next() {
            let began = Instant::now();
            match photo::decode(&request.bytes, Orientation::Upright) {
                Ok(picture) => {
                    let (decoding, arrived) = (began.elapsed(), Instant::now());
                    frames_handle.put_still(Still { picture, score: request.score, decoding, arrived, answer: seen });
                }
                Err(error) => drop(fault.send(error)), // not taken when the caller has gone
            }
        }
    }

    /// The next picture whose caller still waits; `None` once the queue is closed.
    fn next(&self) -> Option<Job> {
        let mut state = self.shared.lock();
        loop {
            if state.closed {
                return None;
            }
            let ready = state.callers.iter().position(|caller| !caller.waiting.is_empty());
            let Some(mut caller) = ready.and_then(|index| state.callers.remove(index)) else {
                state = self.shared.news.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let job = caller.waiting.pop_front();
            state.callers.push_back(caller);
            if let Some(job) = job.filter(|job| !job.seen.is_closed()) {
                return Some(job);
            }
        }
    }
}

impl Permit {
    /// Puts a picture into the queue and waits for what is seen on it.
    ///
    /// # Errors
    /// When it cannot be decoded, or no answer comes.
    pub async fn detect(self, request: Request) -> Result<DetectResult, DetectError> {
        let (seen, answer) = oneshot::channel();
        let (fault, reason) = oneshot::channel();
        self.put(Job { request, seen, fault });
        match answer.await {
            Ok(seen) => Ok(seen),
            Err(_) => Err(reason.await.map_or(DetectError::NoAnswer, DetectError::Photo)),
        }
    }

    /// Puts `job` into the queue; once that is closed, it is dropped instead.
    fn put(&self, job: Job) {
        let state = &mut *self.queue.shared.lock();
        let caller = state.callers.iter_mut().find(|caller| caller.address == self.caller);
        if let Some(caller) = caller.filter(|_| !state.closed) {
            caller.waiting.push_back(job);
            self.queue.shared.news.notify_one();
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut state = self.queue.shared.lock();
        if let Some(caller) = state.callers.iter_mut().find(|caller| caller.address == self.caller) {
            caller.permits -= 1;
        }
        state.callers.retain(|caller| caller.permits > 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::ImageFormat;
    use std::io::Cursor;

    /// A picture that is `width` pixels wide, by which the test knows it again.
    fn job(width: u32) -> Job {
        let mut png = Cursor::new(Vec::new());
        image::DynamicImage::new_rgb8(width, 1).write_to(&mut png, ImageFormat::Png).unwrap();
        let request = Request::new(png.into_inner().into(), None).unwrap();
        let (seen, answer) = oneshot::channel();
        std::mem::forget(answer); // whoever waits goes on waiting
        Job { request, seen, fault: oneshot::channel().0 }
    }

    fn caller(last: u8) -> IpAddr {
        [192, 0, 2, last].into()
    }

    #[test]
    fn callers_take_turns_however_much_they_ask_for() {
        let queue = DetectQueue::default();
        let permits: Vec<_> = (1..=4).map(|width| (queue.acquire(caller(1)).unwrap(), width)).collect();
        let other = queue.acquire(caller(2)).unwrap();
        permits.iter().for_each(|(permit, width)| permit.put(job(*width)));
        other.put(job(10));
        other.put(job(11));
        let next = || photo::size(&queue.next().unwrap().request.bytes).unwrap().width;
        assert_eq!([(); 6].map(|()| next()), [1, 10, 2, 11, 3, 4]);
    }

    #[test]
    fn places_are_bounded_for_each_and_for_all_and_come_free() {
        let queue = DetectQueue::default();
        let acquire =
            |last| (0..MAX_QUEUED_PER_CLIENT).map(|_| queue.acquire(caller(last)).unwrap()).collect::<Vec<_>>();
        let first = acquire(1);
        assert_eq!(queue.acquire(caller(1)).unwrap_err(), QueueError::Share);
        let second = acquire(2);
        assert_eq!(queue.acquire(caller(3)).unwrap_err(), QueueError::Full);
        drop(second);
        assert!(queue.acquire(caller(3)).is_ok());
        drop(first);
        assert!(queue.shared.lock().callers.is_empty());
        queue.close();
        assert_eq!(queue.acquire(caller(1)).unwrap_err(), QueueError::Closed);
        assert!(queue.next().is_none());
    }

    #[test]
    fn who_has_gone_is_passed_over() {
        let queue = DetectQueue::default();
        let permit = queue.acquire(caller(1)).unwrap();
        permit.put(Job { seen: oneshot::channel().0, ..job(1) });
        permit.put(job(2));
        assert_eq!(photo::size(&queue.next().unwrap().request.bytes).unwrap().width, 2);
    }
}
