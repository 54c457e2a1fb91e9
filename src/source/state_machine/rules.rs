//! What a camera's state machine goes by: how long each thing may take, and what an end or a hanging driver means.

use crate::source::{
    progress::FrameTimes,
    uri::{AtEnd, SourceUri},
};
use std::time::{Duration, Instant};

/// How long each thing may take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::source) struct Limits {
    /// From the start of a run to the camera's first answer, for a camera on the network.
    pub contact: Option<Duration>,
    /// From the start of a run to its first frame.
    pub first_frame: Duration,
    /// From the last frame, or the start of a run, to the next, while coded data comes whose key frame is missing: some
    /// decoders give nothing until they have it.
    pub key_frame: Duration,
    /// What may help where the camera answers, and no frame comes.
    pub no_frame_hint: &'static str,
    /// From one frame to the next; the stream may need more.
    pub stall: Duration,
    /// With the same pixels again and again.
    pub frozen: Option<Duration>,
    /// For taking a pipeline down.
    pub close: Duration,
    /// The first pause after a fault; it doubles with each run in vain.
    pub min_backoff: Duration,
    /// The longest pause after a fault.
    pub max_backoff: Duration,
    /// The pause after a refused password.
    pub refused_pause: Duration,
    /// Without a frame, for all attempts together, before a camera behind Argus counts as stuck.
    pub stuck: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            contact: None,
            first_frame: Duration::from_secs(10),
            key_frame: Duration::from_secs(60),
            no_frame_hint: "",
            stall: Duration::from_secs(3),
            frozen: None,
            close: Duration::from_secs(3),
            min_backoff: Duration::from_millis(500),
            max_backoff: Duration::from_secs(3),
            refused_pause: Duration::from_secs(30),
            stuck: Duration::from_secs(60),
        }
    }
}

impl Limits {
    /// Whether a frame is late only because its key frame has not come yet, and there is time for that. Without frames
    /// since `since`, data tells that the camera is there.
    pub fn waits_for_key(&self, seen: &FrameTimes, since: Instant, now: Instant) -> bool {
        let last = seen.last.unwrap_or(since).max(since);
        seen.data.is_some_and(|data| data > last && now < data + self.stall) && now < last + self.key_frame
    }
}

/// How many times the interval of its frames a stream may be silent.
pub(super) const INTERVALS: u32 = 4;
/// The longest time from one frame to the next that is learned from a stream.
pub(super) const MAX_STALL: Duration = Duration::from_secs(60);

/// How many pipelines may be left behind before the process must be replaced: each holds threads and memory.
pub(super) const LEFT_BEHIND: u32 = 3;
/// How many attempts in vain show that it is not just one that went wrong.
pub(super) const ATTEMPTS: u32 = 5;

/// Whether the driver lives on in this process, so that building the pipeline anew may not help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::source) enum Driver {
    /// Each pipeline has its own.
    PerPipeline,
    /// One for the whole process, which never recovers once it has lost its daemon: Argus.
    PerProcess,
}

/// What a source does when its stream ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::source) enum Ending {
    /// It is a camera: that is a fault.
    IsFault,
    /// It begins again.
    Rewinds,
    /// It is over.
    IsFinal,
}

impl Ending {
    /// What the end of `uri`'s stream means.
    pub fn of(uri: &SourceUri) -> Self {
        match uri {
            SourceUri::File { end: AtEnd::Loop, .. } => Self::Rewinds,
            SourceUri::File { .. } | SourceUri::Images { .. } => Self::IsFinal,
            _ => Self::IsFault,
        }
    }
}
