//! One run of a pipeline: builds it, lets it run, takes it down, on a thread of its own, because a
//! broken camera's driver may hold up any of these calls.

use super::{
    config::{Config, Fps},
    counter,
    describe::{self, Platform},
    devices,
    encoder::{Encoder, Settings, VideoBranch},
    error::{Fault, RetryPolicy, SourceError},
    gates,
    gst::{named, parse, sink_pad, take_down},
    hints,
    images::{self, Feeder},
    multipart, network,
    outputs::SourceOutputs,
    pace,
    progress::Progress,
    sinks::{self, FrameSink, WhenFull},
    square,
    stamps::Tap,
    stillness::{FrozenWatch, MotionWatch},
    uri::{COUNTER, NetworkAddress, Pace, SourceUri},
};
use detector::geometry::Size;
use detector::sync::lock;
use gstreamer::{self as gst, prelude::*};
use gstreamer_app::{AppSink, AppSrc};
use std::{
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

/// What is built in every run.
#[derive(Debug)]
pub(super) struct PipelineSpec {
    pub config: Config,
    /// The model's input size.
    pub input: Size,
    pub platform: Platform,
    /// What encodes the live video, if it can be had.
    pub encoder: Option<Encoder>,
    pub tap: Arc<Tap>,
    /// How long the pixels may stay the same, where they may not for ever.
    pub frozen: Option<Duration>,
}

impl PipelineSpec {
    /// The pipeline in GStreamer's notation. A USB camera is looked for each time: its number may have changed.
    pub fn text(&self) -> Result<String, SourceError> {
        let camera = match &self.config.uri {
            SourceUri::Usb(device) => Some(devices::find_usb(Path::new("/"), device)?),
            _ => None,
        };
        let text = describe::pipeline(&self.config, self.input, self.platform, camera.as_ref())?;
        Ok(if self.encoder.is_some() { describe::with_video(&text) } else { text })
    }
}

/// What happens in a run, told to the supervisor.
#[derive(Debug)]
pub(super) enum PipelineEvent {
    /// The text of the pipeline that is about to be built.
    Described(String),
    /// The camera has answered.
    Contact,
    /// The first frame is out.
    FirstFrame,
    /// Every sink has seen the end.
    EndOfStream,
    /// It cannot go on.
    Fault(Fault),
    /// It is taken down; nothing more will come.
    Closed,
}

/// What the run's thread is told.
#[derive(Debug)]
pub(super) enum PipelineCommand {
    /// The first buffer waits before the pace-maker.
    Primed,
    Rewind,
    Close,
}

/// A run under way, as the supervisor holds it.
#[derive(Debug)]
pub(super) struct PipelineRun {
    control: mpsc::Sender<PipelineCommand>,
    pub progress: Arc<Progress>,
}

impl PipelineRun {
    /// Starts the thread `name`; what happens is told to `tell`.
    pub fn start(
        name: String,
        spec: Arc<PipelineSpec>,
        outputs: &SourceOutputs,
        tell: impl Fn(PipelineEvent) + Clone + Send + Sync + 'static,
    ) -> std::io::Result<Self> {
        let (control, orders) = mpsc::channel();
        let progress = Arc::new(Progress::default());
        let video = spec.encoder.map(|encoder| {
            let settings = Settings { encoder, options: spec.config.video, fps: spec.config.fps };
            Arc::new(VideoBranch::new(outputs.camera.clone(), settings, spec.tap.clone(), outputs.video.clone()))
        });
        let (frames, pictures) = (outputs.frames.clone(), outputs.pictures.clone());
        let job = Job { spec, frames, pictures, video, progress: progress.clone() };
        let own_control = control.clone();
        thread::Builder::new().name(name).spawn(move || {
            let (result, is_down) = job.run(own_control, &orders, tell.clone());
            if let Err(fault) = result {
                tell(PipelineEvent::Fault(fault));
                // The supervisor answers every fault with an order to close.
                while !matches!(orders.recv(), Ok(PipelineCommand::Close) | Err(_)) {}
            }
            if is_down {
                tell(PipelineEvent::Closed); // else the supervisor counts it among those that hang
            }
        })?;
        Ok(Self { control, progress })
    }

    /// Begins the file again.
    pub fn rewind(&self) {
        let _ = self.control.send(PipelineCommand::Rewind); // a thread that is gone has said so
    }

    /// Takes the pipeline down; [`PipelineEvent::Closed`] follows, unless a driver hangs.
    pub fn close(&self) {
        self.progress.close();
        let _ = self.control.send(PipelineCommand::Close);
    }
}

struct Job {
    spec: Arc<PipelineSpec>,
    frames: crate::channels::latest_frames::Sender,
    pictures: Arc<crate::channels::pictures::Pictures>,
    video: Option<Arc<VideoBranch>>,
    progress: Arc<Progress>,
}

impl Job {
    /// Runs the pipeline until it is to close; says how that went, and whether it is down.
    fn run(
        self,
        control: mpsc::Sender<PipelineCommand>,
        orders: &mpsc::Receiver<PipelineCommand>,
        tell: impl Fn(PipelineEvent) + Clone + Send + Sync + 'static,
    ) -> (Result<(), Fault>, bool) {
        let pipeline = match self.build(control, tell) {
            Ok(pipeline) => pipeline,
            Err(fault) => return (Err(fault), true),
        };
        let result = self.play(&pipeline, orders);
        self.progress.close();
        if let Some(video) = &self.video {
            video.close(); // it holds the camera's buffers
        }
        (result, take_down(&pipeline))
    }

    /// The pipeline, connected and not started.
    fn build(
        &self,
        control: mpsc::Sender<PipelineCommand>,
        tell: impl Fn(PipelineEvent) + Clone + Send + Sync + 'static,
    ) -> Result<gst::Pipeline, Fault> {
        self.spec.tap.reset();
        let text = self.spec.text()?;
        tell(PipelineEvent::Described(text.clone()));
        let pipeline = parse(&text)?;
        let has_answered = Arc::new(AtomicBool::new(false));
        listen(&pipeline, self.spec.config.uri.clone(), has_answered.clone(), tell.clone());
        network::prepare(&pipeline, &self.spec.config, {
            let tell = tell.clone();
            move || {
                has_answered.store(true, Ordering::Relaxed);
                tell(PipelineEvent::Contact);
            }
        })?;
        self.spec.tap.keys().watch(&pipeline, matches!(self.spec.config.uri, SourceUri::Rtsp(_)));
        self.wire(&pipeline, control, tell)?;
        Ok(pipeline)
    }

    /// Connects the pipeline's named elements to the outputs.
    fn wire(
        &self,
        pipeline: &gst::Pipeline,
        control: mpsc::Sender<PipelineCommand>,
        tell: impl Fn(PipelineEvent) + Send + Sync + 'static,
    ) -> Result<(), Fault> {
        let pace = pipeline.by_name("pace");
        let tap = named::<gst::Element>(pipeline, "tap")?;
        let keeper = pace.as_ref().unwrap_or(&tap);
        if let Some(fps) = self.spec.config.fps {
            gates::limit(pipeline, "limit", keeper, fps)?;
        }
        number_at(&tap, keeper, self.spec.tap.clone())?;
        if matches!(&self.spec.config.uri, SourceUri::Test { pattern } if pattern == COUNTER) {
            counter::paint_at(&sink_pad(&tap)?, self.spec.tap.clone()); // after the numbering
        }
        if let Some(pace) = &pace {
            pace::keep(pace, &self.spec.config, move || {
                let _ = control.send(PipelineCommand::Primed); // the thread that reads it may be gone
            })?;
        }
        let infer = named::<AppSink>(pipeline, "infer")?;
        self.frame_sink(Box::new(move || tell(PipelineEvent::FirstFrame))).serve(&infer);
        sinks::deliver_pictures(&named(pipeline, "pictures")?, self.spec.tap.clone(), self.pictures.clone());
        let pictures = self.pictures.clone();
        gates::keep(pipeline, "gate", move || pictures.wanted())?;
        if let Some(video) = &self.video {
            video.clone().serve(&named(pipeline, "video")?);
            let video = video.clone();
            gates::keep(pipeline, "video-gate", move || video.wants_frames())?;
        }
        multipart::serve(pipeline, self.progress.clone())?;
        square::keep(pipeline)?;
        if let SourceUri::Images { path, end } = &self.spec.config.uri {
            let interval = self.spec.config.fps.map_or(images::INTERVAL, Fps::interval);
            Feeder::new(path, *end, interval)?.feed(&named::<AppSrc>(pipeline, "source")?);
        }
        Ok(())
    }

    fn frame_sink(&self, first: Box<dyn FnOnce() + Send>) -> FrameSink {
        let config = &self.spec.config;
        FrameSink {
            tap: self.spec.tap.clone(),
            progress: self.progress.clone(),
            latest_frames: self.frames.clone(),
            when_full: match config.uri {
                SourceUri::File { pace: Pace::Unlimited, .. } => WhenFull::Wait,
                _ => WhenFull::Replace,
            },
            frozen: self.spec.frozen.map(|_| FrozenWatch::default()),
            motion: config.motion.map(MotionWatch::new),
            first: Some(first),
        }
    }

    /// Lets the pipeline run until it is to close.
    fn play(&self, pipeline: &gst::Pipeline, orders: &mpsc::Receiver<PipelineCommand>) -> Result<(), Fault> {
        // What keeps its own pace waits in PAUSED for its first buffer, so that this one comes due at PLAYING.
        let paced = pipeline.by_name("pace").is_some_and(|pace| pace.property::<bool>("sync"));
        start(pipeline, if paced { gst::State::Paused } else { gst::State::Playing })?;
        loop {
            match orders.recv() {
                Ok(PipelineCommand::Primed) if paced => start(pipeline, gst::State::Playing)?,
                Ok(PipelineCommand::Primed) => {}
                Ok(PipelineCommand::Rewind) => pace::rewind(pipeline)?,
                Ok(PipelineCommand::Close) | Err(_) => return Ok(()),
            }
        }
    }
}

fn start(pipeline: &gst::Pipeline, state: gst::State) -> Result<(), Fault> {
    // The element at fault says more on the bus, and its message comes first.
    pipeline.set_state(state).map(drop).map_err(|_| Fault::passing("the pipeline does not start"))
}

/// Passes errors and the end of the stream on; everything else on the bus is dropped.
fn listen(
    pipeline: &gst::Pipeline,
    uri: SourceUri,
    has_answered: Arc<AtomicBool>,
    tell: impl Fn(PipelineEvent) + Clone + Send + Sync + 'static,
) {
    let Some(bus) = pipeline.bus() else { return };
    let missing: Mutex<Option<String>> = Mutex::default();
    let is_explained = AtomicBool::new(false);
    // The pipeline may repeat what its sinks said of one and the same end.
    let last_end: Mutex<Option<gst::Seqnum>> = Mutex::default();
    bus.set_sync_handler(move |_, message| {
        match message.view() {
            gst::MessageView::Error(error) => {
                let missing = lock(&missing).take();
                let fault = hints::of_bus_error(error, missing.as_deref(), &uri);
                match &uri {
                    SourceUri::Rtsp(address) | SourceUri::Http(address)
                        if fault.retry == RetryPolicy::Retry && !has_answered.load(Ordering::Relaxed) =>
                    {
                        // What follows from it is not told: the explanation is on its way.
                        if !is_explained.swap(true, Ordering::Relaxed) {
                            explain(address.clone(), fault, tell.clone());
                        }
                    }
                    _ => tell(PipelineEvent::Fault(fault)),
                }
            }
            gst::MessageView::Eos(_) => {
                let end = message.seqnum();
                let follows_from_error = is_explained.load(Ordering::Relaxed);
                if lock(&last_end).replace(end) != Some(end) && !follows_from_error {
                    tell(PipelineEvent::EndOfStream);
                }
            }
            gst::MessageView::Element(element) => {
                if let Some(name) = element.structure().and_then(hints::missing_plugin) {
                    *lock(&missing) = Some(name);
                }
            }
            _ => {}
        }
        gst::BusSyncReply::Drop
    });
}

/// Tells of a camera that could not be connected to, with the reason that GStreamer does not give. On a thread of its own,
/// one for each run at most, because a name's look-up may take long.
fn explain(address: NetworkAddress, fault: Fault, tell: impl Fn(PipelineEvent) + Clone + Send + 'static) {
    let (plain, tell_plain) = (fault.clone(), tell.clone());
    let explained = move || {
        let text = match network::why_unreachable(&address) {
            Some(why) => format!("{why} ({})", fault.text),
            None => fault.text,
        };
        tell(PipelineEvent::Fault(Fault { text, ..fault }));
    };
    if thread::Builder::new().name("reach".into()).spawn(explained).is_err() {
        tell_plain(PipelineEvent::Fault(plain));
    }
}

/// Numbers every buffer that enters the tee.
fn number_at(tee: &gst::Element, keeper: &gst::Element, tap: Arc<Tap>) -> Result<(), Fault> {
    let keeper = keeper.downgrade();
    sink_pad(tee)?.add_probe(gst::PadProbeType::BUFFER | gst::PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
        if let Some(event) = info.event() {
            tap.event(event);
        } else if let (Some(keeper), Some(buffer)) = (keeper.upgrade(), info.buffer_mut()) {
            tap.buffer(&keeper, buffer);
        }
        gst::PadProbeReturn::Ok
    });
    Ok(())
}
