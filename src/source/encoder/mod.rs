//! H.264 for those who watch: a second pipeline beside the camera's, there only while someone watches.
//!
//! ```text
//!  camera's pipeline                 a thread of its own                         publish
//!  tap ─▶ gate ─▶ appsink `video` ─▶ Worker: raw ▶ convert ▶ encoder ▶ coded ─▶ Video
//!          │                           │
//!          shut while nobody watches   built with the first frame, taken down when the last viewer has left
//! ```
//!
//! The worker builds the encoder and takes it down, so that a driver that hangs holds up neither the camera nor the
//! encoder's own threads. An encoder that fails is left alone for a while; those who watch are told.

mod choice;
mod encoding;

pub(super) use choice::{Encoder, Settings};

use super::{
    gst::thread_name,
    stamps::{Tap, Tapped},
};
use crate::{
    camera::CameraName,
    channels::video::{Offer, Video},
};
use detector::sync::lock;
use encoding::{Encoding, RawFrame};
use gstreamer as gst;
use gstreamer_app::{AppSink, AppSinkCallbacks};
use std::{
    io,
    sync::{
        Arc, Mutex,
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::{Duration, Instant},
};

/// How often the worker looks whether someone still watches while no frame comes.
const TICK: Duration = Duration::from_millis(200);
/// How long an encoder that failed is left alone.
const PAUSE: Duration = Duration::from_secs(30);
/// How long the end of a camera's run waits for its encoder.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// Where the raw pictures of one run go.
pub(super) struct VideoBranch {
    context: Arc<EncoderContext>,
    tap: Arc<Tap>,
    state: Mutex<State>,
}

enum State {
    Open(Option<Worker>),
    Closed,
}

/// What branch and worker share.
struct EncoderContext {
    camera: CameraName,
    settings: Settings,
    video: Arc<Video>,
    failed: Mutex<Option<Instant>>,
}

/// The thread with the encoder.
struct Worker {
    frames: mpsc::SyncSender<RawFrame>,
    done: mpsc::Receiver<()>,
}

impl VideoBranch {
    pub fn new(camera: CameraName, settings: Settings, tap: Arc<Tap>, video: Arc<Video>) -> Self {
        video.set_offer(settings.offer());
        let context = EncoderContext { camera, settings, video, failed: Mutex::default() };
        Self { context: Arc::new(context), tap, state: Mutex::new(State::Open(None)) }
    }

    /// Whether frames are to be let through to [`VideoBranch::serve`]'s sink: asked for each.
    pub fn wants_frames(&self) -> bool {
        let mut failed = lock(&self.context.failed);
        match *failed {
            Some(at) if at.elapsed() < PAUSE => return false,
            Some(_) => {
                *failed = None;
                self.context.video.set_offer(self.context.settings.offer());
            }
            None => {}
        }
        self.context.video.wanted()
    }

    /// Takes every sample of `sink` from now on.
    pub fn serve(self: Arc<Self>, sink: &AppSink) {
        let callbacks = AppSinkCallbacks::builder().new_sample(move |sink| {
            let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
            if let (Some(buffer), Some(caps)) = (sample.buffer_owned(), sample.caps_owned())
                && let Some(Tapped { stamp, .. }) = buffer.pts().and_then(|pts| self.tap.find(pts))
            {
                drop(sample); // else the buffer would be shared once more
                self.take(RawFrame { stamp, buffer, caps });
            }
            Ok(gst::FlowSuccess::Ok)
        });
        sink.set_callbacks(callbacks.build());
    }

    fn take(&self, frame: RawFrame) {
        let State::Open(worker) = &mut *lock(&self.state) else { return };
        let frame = match worker {
            None => frame,
            Some(running) => match running.frames.try_send(frame) {
                // It has ended, because nobody watched.
                Err(mpsc::TrySendError::Disconnected(frame)) if self.wants_frames() => frame,
                Ok(()) | Err(_) => return,
            },
        };
        match Worker::start(self.context.clone(), frame) {
            Ok(started) => *worker = Some(started),
            Err(error) => self.context.fail(&format!("no thread: {error}")),
        }
    }

    /// Ends the encoder and waits for it, unless its driver hangs.
    pub fn close(&self) {
        let state = std::mem::replace(&mut *lock(&self.state), State::Closed);
        if let State::Open(Some(Worker { frames, done })) = state {
            drop(frames);
            if done.recv_timeout(CLOSE_TIMEOUT) == Err(RecvTimeoutError::Timeout) {
                tracing::warn!(camera = %self.context.camera, "the encoder does not come down; it is left behind");
            }
        }
    }
}

impl Worker {
    /// Starts the thread, with its first frame.
    fn start(context: Arc<EncoderContext>, first: RawFrame) -> io::Result<Self> {
        let (frames, inbox) = mpsc::sync_channel(1);
        let (finished, done) = mpsc::channel();
        let _ = frames.try_send(first); // there is room for one
        thread::Builder::new().name(thread_name("h264", context.camera.as_str())).spawn(move || {
            let _finished = finished; // dropped when the thread ends, also by a panic
            context.work(&inbox);
        })?;
        Ok(Self { frames, done })
    }
}

impl EncoderContext {
    /// Encodes what comes until nobody watches, the camera ends, or the encoder fails.
    fn work(self: &Arc<Self>, inbox: &mpsc::Receiver<RawFrame>) {
        let mut encoding: Option<Encoding> = None;
        loop {
            let frame = match inbox.recv_timeout(TICK) {
                Ok(frame) => Some(frame),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => break,
            };
            if !self.video.wanted() {
                break;
            }
            if let Err(why) = frame.map_or(Ok(()), |frame| self.encode(&mut encoding, frame)) {
                self.fail(&why);
                break;
            }
            if let Some(why) = encoding.as_ref().and_then(Encoding::fault) {
                self.fail(&why);
                break;
            }
        }
        if encoding.take().is_some() {
            tracing::debug!(camera = %self.camera, "the encoder is taken down");
        }
    }

    fn encode(self: &Arc<Self>, encoding: &mut Option<Encoding>, frame: RawFrame) -> Result<(), String> {
        if encoding.as_ref().is_some_and(|encoding| !encoding.takes(&frame.caps)) {
            *encoding = None; // before the next is built: a board has one engine
        }
        let encoding = match encoding {
            Some(encoding) => encoding,
            None => {
                let context = self.clone();
                let started = Encoding::start(&self.settings, &frame.caps, move |frame| context.video.show(frame))?;
                tracing::debug!(camera = %self.camera, encoder = self.settings.encoder.element(), "the encoder is built");
                encoding.insert(started)
            }
        };
        encoding.push(frame);
        Ok(())
    }

    /// Tells those who watch, and leaves the encoder alone for a while.
    fn fail(&self, why: &str) {
        let encoder = self.settings.encoder.element();
        tracing::warn!(camera = %self.camera, encoder, "no video: {why}; it is tried again in {} s", PAUSE.as_secs());
        *lock(&self.failed) = Some(Instant::now());
        self.video.set_offer(Offer::None(format!("{encoder} failed: {why}")));
    }
}
