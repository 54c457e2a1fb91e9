//! The lane of single pictures: bounded, its callers served in turn.
//!
//! ```text
//!  caller ──place──▶ Lane ──callers in turn──▶ decoding ──Still──▶ mailroom, beside the cameras ──▶ engine
//!     ◀────────────────────────────────── Seen ───────────────────────────────────────────────────────┘
//! ```
//!
//! A caller first takes a place, then sends its picture: whoever finds no place is refused before it has cost memory.
//! One thread decodes; it holds the next picture ready while the engine looks at the one before, so that at most three
//! decoded pictures exist at a time.

use crate::{
    fraction::Fraction,
    geometry::Size,
    mailbox::Desk,
    photo::{self, Orientation, PhotoError},
    still::{Seen, Still},
};
use bytes::Bytes;
use std::{
    collections::VecDeque,
    net::IpAddr,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Instant,
};
use tokio::sync::oneshot;

/// Pictures of all callers that may wait or be under way.
pub const PLACES: usize = 16;
/// Pictures of one caller that may wait or be under way.
pub const PLACES_EACH: usize = 8;
/// The most pixels of a picture; 25 million are 75 MB once decoded.
pub const MOST_PIXELS: u64 = 25_000_000;

/// Why a caller gets no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// All are taken.
    #[error("{PLACES} pictures are waiting already")]
    Full,
    /// The caller has its share.
    #[error("{PLACES_EACH} pictures of this caller are waiting already")]
    Share,
    /// The daemon stops.
    #[error("the daemon is stopping")]
    Closed,
}

/// Why a picture was not looked at.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    /// It can not be decoded.
    #[error(transparent)]
    Photo(#[from] PhotoError),
    /// It has more pixels than are decoded.
    #[error("the picture has {size} pixels: up to {} million are looked at", MOST_PIXELS / 1_000_000)]
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
    /// Asks for what is on the JPEG or PNG file in `bytes`. A detection must exceed `score`, in place of what the
    /// configuration says.
    ///
    /// # Errors
    /// When the file's header is none of a picture, or says that it has more than [`MOST_PIXELS`].
    pub fn new(bytes: Bytes, score: Option<Fraction>) -> Result<Self, LookError> {
        let size = photo::size(&bytes)?;
        if u64::from(size.width) * u64::from(size.height) > MOST_PIXELS {
            return Err(LookError::TooLarge { size });
        }
        Ok(Self { bytes, score })
    }
}

/// The lane; may be cloned and kept anywhere.
#[derive(Clone, Debug, Default)]
pub struct Lane {
    shared: Arc<Shared>,
}

/// A place in the lane, free again once dropped.
#[derive(Debug)]
pub struct Place {
    lane: Lane,
    caller: IpAddr,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// A picture came, or the lane was closed.
    news: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Who has a place; the one whose turn is next first.
    callers: VecDeque<Caller>,
    closed: bool,
}

#[derive(Debug)]
struct Caller {
    address: IpAddr,
    places: usize,
    waiting: VecDeque<Job>,
}

#[derive(Debug)]
struct Job {
    request: Request,
    /// Where what is seen goes.
    seen: oneshot::Sender<Seen>,
    /// Where the reason goes if it does not come to that.
    fault: oneshot::Sender<PhotoError>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lane {
    /// A place for a picture of the caller at `address`.
    ///
    /// # Errors
    /// When there is none.
    pub fn enter(&self, address: IpAddr) -> Result<Place, Refusal> {
        let mut state = self.shared.lock();
        if state.closed {
            return Err(Refusal::Closed);
        }
        if state.callers.iter().map(|caller| caller.places).sum::<usize>() >= PLACES {
            return Err(Refusal::Full);
        }
        match state.callers.iter_mut().find(|caller| caller.address == address) {
            Some(caller) if caller.places >= PLACES_EACH => return Err(Refusal::Share),
            Some(caller) => caller.places += 1,
            None => state.callers.push_back(Caller { address, places: 1, waiting: VecDeque::new() }),
        }
        Ok(Place { lane: self.clone(), caller: address })
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

    /// Decodes the pictures of all callers in turn and hands them to the engine through `desk`, until the lane or the
    /// mailroom closes. For a thread of its own.
    pub fn serve(&self, desk: &Desk) {
        while let Some(Job { request, seen, fault }) = self.next() {
            let began = Instant::now();
            match photo::decode(&request.bytes, Orientation::Upright) {
                Ok(picture) => {
                    let (decoding, arrived) = (began.elapsed(), Instant::now());
                    desk.put_still(Still { picture, score: request.score, decoding, arrived, answer: seen });
                }
                Err(error) => drop(fault.send(error)), // not taken when the caller has gone
            }
        }
    }

    /// The next picture whose caller still waits; `None` once the lane is closed.
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

impl Place {
    /// Puts a picture into the lane and waits for what is seen on it.
    ///
    /// # Errors
    /// When it can not be decoded, or no answer comes.
    pub async fn look(self, request: Request) -> Result<Seen, LookError> {
        let (seen, answer) = oneshot::channel();
        let (fault, reason) = oneshot::channel();
        self.put(Job { request, seen, fault });
        match answer.await {
            Ok(seen) => Ok(seen),
            Err(_) => Err(reason.await.map_or(LookError::NoAnswer, LookError::Photo)),
        }
    }

    /// Puts `job` into the lane; once that is closed, it is dropped instead.
    fn put(&self, job: Job) {
        let state = &mut *self.lane.shared.lock();
        let caller = state.callers.iter_mut().find(|caller| caller.address == self.caller);
        if let Some(caller) = caller.filter(|_| !state.closed) {
            caller.waiting.push_back(job);
            self.lane.shared.news.notify_one();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.lane.shared.lock();
        if let Some(caller) = state.callers.iter_mut().find(|caller| caller.address == self.caller) {
            caller.places -= 1;
        }
        state.callers.retain(|caller| caller.places > 0);
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
        let lane = Lane::default();
        let places: Vec<_> = (1..=4).map(|width| (lane.enter(caller(1)).unwrap(), width)).collect();
        let other = lane.enter(caller(2)).unwrap();
        places.iter().for_each(|(place, width)| place.put(job(*width)));
        other.put(job(10));
        other.put(job(11));
        let next = || photo::size(&lane.next().unwrap().request.bytes).unwrap().width;
        assert_eq!([(); 6].map(|()| next()), [1, 10, 2, 11, 3, 4]);
    }

    #[test]
    fn places_are_bounded_for_each_and_for_all_and_come_free() {
        let lane = Lane::default();
        let enter = |last| (0..PLACES_EACH).map(|_| lane.enter(caller(last)).unwrap()).collect::<Vec<_>>();
        let first = enter(1);
        assert_eq!(lane.enter(caller(1)).unwrap_err(), Refusal::Share);
        let second = enter(2);
        assert_eq!(lane.enter(caller(3)).unwrap_err(), Refusal::Full);
        drop(second);
        assert!(lane.enter(caller(3)).is_ok());
        drop(first);
        assert!(lane.shared.lock().callers.is_empty());
        lane.close();
        assert_eq!(lane.enter(caller(1)).unwrap_err(), Refusal::Closed);
        assert!(lane.next().is_none());
    }

    #[test]
    fn who_has_gone_is_passed_over() {
        let lane = Lane::default();
        let place = lane.enter(caller(1)).unwrap();
        place.put(Job { seen: oneshot::channel().0, ..job(1) });
        place.put(job(2));
        assert_eq!(photo::size(&lane.next().unwrap().request.bytes).unwrap().width, 2);
    }
}
