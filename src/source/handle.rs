//! Starting and stopping a source: what can be checked before, the thread, and the owner's handle.

use super::{
    auto::choose_auto,
    config::{Config, Transport, VideoCodec},
    describe::{self, Platform},
    devices::{self, Bus},
    encoder::Encoder,
    error::SourceError,
    gst, images,
    keyframes::KeyFrames,
    network,
    outputs::SourceOutputs,
    pipeline::PipelineSpec,
    stamps::Tap,
    state_machine::{CameraStateMachine, Driver, Ending, Limits},
    supervisor::{Signal, Supervisor},
    uri::SourceUri,
};
use crate::{
    camera::{CameraName, CameraStatus},
    channels::video::Offer,
};
use detector::geometry::Size;
use std::{
    fs,
    path::Path,
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

/// How long a camera may take from its answer, or from the start where it need not answer, to its first frame.
const FIRST_FRAME: Duration = Duration::from_secs(10);

/// A running source; dropping it stops the source without waiting.
#[derive(Debug)]
pub struct Handle {
    camera: CameraName,
    signals: mpsc::Sender<Signal>,
    done: mpsc::Receiver<()>,
}

/// Starts the source of one camera, with pixels of the model's `input` size.
///
/// Returns as soon as its thread runs; whether pictures come is in the status of `outputs`.
///
/// # Errors
/// What can be known before the pipeline runs: a missing file, an option that does not fit, GStreamer missing.
/// [`SourceError::is_config`] tells whether trying again can help.
pub fn spawn(config: Config, input: Size, outputs: SourceOutputs) -> Result<Handle, SourceError> {
    let config = checked(config)?;
    let tap = Arc::new(tap(&config, &outputs.status.borrow()));
    let platform = Platform::detect();
    let encoder = choose_encoder(&config, platform);
    outputs.video.set_offer(match &encoder {
        Ok(encoder) => Offer::H264 { encoder: encoder.element() },
        Err(why) => Offer::None(why.clone()),
    });
    let spec = Arc::new(PipelineSpec { frozen: frozen(&config), platform, encoder: encoder.ok(), input, tap, config });
    // What can be said of the pipeline now is checked now; a USB camera may be plugged in later.
    if !matches!(spec.config.uri, SourceUri::Usb(_)) {
        gst::parse(&spec.text()?)?;
    }
    let limits = limits(&spec);
    outputs.status.send_modify(|status| {
        status.source = spec.config.uri.to_string();
        status.stall_after = limits.stall;
    });
    let (ending, driver) = (Ending::of(&spec.config.uri), driver(&spec.config.uri));
    let state_machine = CameraStateMachine::new(limits, ending, driver, jitter, Instant::now());
    let camera = outputs.camera.clone();
    let (signals, inbox) = mpsc::channel();
    let (finished, done) = mpsc::channel();
    let supervisor = Supervisor::new(spec, outputs, state_machine, signals.clone(), inbox);
    thread::Builder::new()
        .name(gst::thread_name("cam", camera.as_str()))
        .spawn(move || {
            let _finished = finished; // dropped when the thread ends, also by a panic
            supervisor.run();
        })
        .map_err(|error| SourceError::Thread { camera: camera.to_string(), error })?;
    Ok(Handle { camera, signals, done })
}

impl Handle {
    /// Tells the source to stop, without waiting for it: to stop many at once, tell all, then [`Handle::stop`] each.
    pub fn begin_stop(&self) {
        let _ = self.signals.send(Signal::Stop);
    }

    /// Stops the source and waits until its pipeline is down, at most until `deadline`.
    ///
    /// # Errors
    /// [`SourceError::StopLate`] when a driver holds it up; its threads are left behind.
    pub fn stop(self, deadline: Instant) -> Result<(), SourceError> {
        self.begin_stop();
        match self.done.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Err(mpsc::RecvTimeoutError::Timeout) => Err(SourceError::StopLate { camera: self.camera.to_string() }),
            Ok(()) | Err(mpsc::RecvTimeoutError::Disconnected) => Ok(()),
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.begin_stop();
    }
}

/// Where the frames are numbered, and their key frames watched; the counters go on from those in `status`.
fn tap(config: &Config, status: &CameraStatus) -> Tap {
    let corrupt_wait = Duration::from_millis(config.timeouts.corrupt_wait_ms.into());
    let keys = KeyFrames::new(corrupt_wait, status.corrupt);
    Tap::new(status.frames, Arc::new(keys))
}

/// Says whether [`spawn`] would accept `config`, without starting anything.
///
/// # Errors
/// Those of [`spawn`], but for what only building the pipeline shows.
pub fn check(config: Config) -> Result<(), SourceError> {
    checked(config).map(drop)
}

/// `config`, with `auto` replaced, if it can work as far as can be known before the pipeline is built.
fn checked(config: Config) -> Result<Config, SourceError> {
    gst::initialise()?;
    let config = resolved(config);
    check_config(&config)?;
    Ok(config)
}

/// `config` with `auto` replaced by what there is.
fn resolved(mut config: Config) -> Config {
    if config.uri == SourceUri::Auto {
        let (uri, why) = choose_auto(None);
        tracing::info!(source = %uri, "{why}");
        config.uri = uri;
    }
    config
}

/// Everything that can be known to be wrong before the pipeline is built.
fn check_config(config: &Config) -> Result<(), SourceError> {
    describe::check_options(config)?;
    if let Some(path) = &config.network.password_file {
        network::password_in(path)?;
    }
    match &config.uri {
        SourceUri::File { path, .. } => check_video(path),
        SourceUri::Images { path, .. } => images::files(path).map(drop),
        SourceUri::Csi { .. } if !gst::has_element("nvarguscamerasrc") => Err(gst::missing_element("nvarguscamerasrc")),
        _ => Ok(()),
    }
}

/// What encodes the live video, or why there is none.
fn choose_encoder(config: &Config, platform: Platform) -> Result<Encoder, String> {
    if config.video.codec == VideoCodec::Off {
        return Err("the configuration switches it off (video.codec)".into());
    }
    if matches!(config.uri, SourceUri::Images { .. }) {
        return Err("a folder of pictures is no video: each may be of another size".into());
    }
    Encoder::choose(platform)
}

fn check_video(path: &Path) -> Result<(), SourceError> {
    let unreadable = |error| SourceError::Unreadable { path: path.into(), error };
    let unfit = |problem| SourceError::Unfit { path: path.into(), problem };
    let about = fs::metadata(path).map_err(unreadable)?;
    if about.is_dir() {
        return Err(unfit("is a folder; name a video file, or use images:// for a folder of pictures"));
    }
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
    if matches!(extension.as_deref(), Some("jpg" | "jpeg" | "png" | "bmp" | "webp")) {
        return Err(unfit("is a picture, not a video; write images:// before it"));
    }
    fs::File::open(path).map_err(unreadable)?;
    if about.is_file() && about.len() == 0 {
        return Err(unfit("is empty (0 bytes); name a video file"));
    }
    Ok(())
}

/// What to do where RTSP's control channel works and its datagrams do not arrive.
const UDP_HINT: &str = ": RTSP answers, but no video arrives by UDP; try network.transport = \"tcp\"";

fn limits(spec: &PipelineSpec) -> Limits {
    let config = &spec.config;
    let interval = match (config.fps, &config.uri) {
        (Some(fps), _) => fps.interval(),
        (None, SourceUri::Images { .. }) => images::INTERVAL,
        (None, _) => Duration::ZERO,
    };
    let is_network = matches!(config.uri, SourceUri::Rtsp(_) | SourceUri::Http(_));
    let contact = is_network.then(|| config.network.connect_timeout_ms.get());
    let is_udp = matches!(config.uri, SourceUri::Rtsp(_)) && config.network.transport == Transport::Udp;
    Limits {
        contact,
        first_frame: contact.unwrap_or_default() + FIRST_FRAME,
        no_frame_hint: if is_udp { UDP_HINT } else { "" },
        stall: Duration::from_millis(config.timeouts.stall_ms.into()).max(interval * 4),
        frozen: spec.frozen,
        ..Limits::default()
    }
}

/// How long the pixels may stay the same, where they may not for ever.
fn frozen(config: &Config) -> Option<Duration> {
    let usual = match config.uri {
        SourceUri::Csi { .. } | SourceUri::Usb(_) => 30_000,
        SourceUri::Rtsp(_) | SourceUri::Http(_) => 120_000,
        _ => 0,
    };
    match config.timeouts.frozen_ms.unwrap_or(usual) {
        0 => None,
        limit => Some(Duration::from_millis(limit.into())),
    }
}

/// A CSI camera that is there, but gives nothing, is a matter of Argus; without one, a new process would not help.
fn driver(uri: &SourceUri) -> Driver {
    let is_there = || devices::cameras(Path::new("/")).iter().any(|camera| camera.bus == Bus::Csi);
    if matches!(uri, SourceUri::Csi { .. }) && is_there() { Driver::PerProcess } else { Driver::PerPipeline }
}

/// 0.75 to 1.0, different at each call.
fn jitter() -> f64 {
    0.75 + 0.25 * fastrand::f64()
}
