//! The Jetson's H.264 encoder: one buffer in, one out; x264 does its work.

use super::*;
use gstreamer_app::{AppSink, AppSrc};

/// What every encoder of this process does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EncoderFault {
    None,
    /// Fails at the first buffer.
    Error,
    /// Takes buffers and gives none.
    Silent,
    /// Does not come back from the first buffer, nor from being taken down.
    Hangs,
}

static FAULT: Mutex<EncoderFault> = Mutex::new(EncoderFault::None);

/// Makes every encoder of this process do `fault` from now on.
pub fn encoders_have(fault: EncoderFault) {
    *FAULT.lock().unwrap() = fault;
}

#[derive(glib::Properties)]
#[properties(wrapper_type = super::NvV4l2H264Enc)]
pub struct NvV4l2H264Enc {
    sink: gst::Pad,
    src: gst::Pad,
    #[property(get, set)]
    bitrate: Mutex<u32>,
    #[property(get, set, name = "control-rate")]
    control_rate: Mutex<u32>,
    #[property(get, set)]
    profile: Mutex<u32>,
    #[property(get, set, name = "preset-level")]
    preset_level: Mutex<u32>,
    #[property(get, set, name = "maxperf-enable")]
    maxperf_enable: Mutex<bool>,
    #[property(get, set)]
    iframeinterval: Mutex<u32>,
    #[property(get, set)]
    idrinterval: Mutex<u32>,
    #[property(get, set, name = "insert-sps-pps")]
    insert_sps_pps: Mutex<bool>,
    #[property(get, set, name = "insert-vui")]
    insert_vui: Mutex<bool>,
    inner: Mutex<Option<Inner>>,
}

/// x264 behind two pipes.
struct Inner {
    pipeline: gst::Pipeline,
    raw: AppSrc,
    coded: AppSink,
}

#[glib::object_subclass]
impl ObjectSubclass for NvV4l2H264Enc {
    const NAME: &'static str = "TestNvV4l2H264Enc";
    type Type = super::NvV4l2H264Enc;
    type ParentType = gst::Element;

    fn with_class(class: &Self::Class) -> Self {
        let templates = ["sink", "src"].map(|name| class.pad_template(name).unwrap());
        let (sink, src) = pads::<Self>(templates, Self::encode, Self::event);
        Self {
            sink,
            src,
            bitrate: Mutex::default(),
            control_rate: Mutex::default(),
            profile: Mutex::default(),
            preset_level: Mutex::default(),
            maxperf_enable: Mutex::default(),
            iframeinterval: Mutex::default(),
            idrinterval: Mutex::default(),
            insert_sps_pps: Mutex::default(),
            insert_vui: Mutex::default(),
            inner: Mutex::default(),
        }
    }
}

#[glib::derived_properties]
impl ObjectImpl for NvV4l2H264Enc {
    fn constructed(&self) {
        self.parent_constructed();
        self.obj().add_pad(&self.sink).unwrap();
        self.obj().add_pad(&self.src).unwrap();
    }
}
impl GstObjectImpl for NvV4l2H264Enc {}

impl ElementImpl for NvV4l2H264Enc {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static ABOUT: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| about("nvv4l2h264enc"));
        Some(&ABOUT)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static PADS: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
            let raw = NVMM.replace("{ NV12, I420, RGBA }", "{ I420, NV12 }");
            let coded = "video/x-h264, stream-format=byte-stream, alignment=au";
            vec![template("sink", gst::PadDirection::Sink, &raw), template("src", gst::PadDirection::Src, coded)]
        });
        &PADS
    }

    fn change_state(&self, change: gst::StateChange) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
        if change == gst::StateChange::ReadyToNull
            && let Some(inner) = self.inner.lock().unwrap().take()
        {
            inner.pipeline.set_state(gst::State::Null).unwrap();
        }
        self.parent_change_state(change)
    }
}

impl NvV4l2H264Enc {
    fn event(&self, pad: &gst::Pad, event: gst::Event) -> bool {
        let gst::EventView::Caps(caps) = event.view() else {
            return gst::Pad::event_default(pad, Some(&*self.obj()), event);
        };
        let raw = caps.caps().structure(0).unwrap();
        *self.inner.lock().unwrap() = Some(self.start(raw));
        let coded = gst::Caps::builder("video/x-h264")
            .field("stream-format", "byte-stream")
            .field("alignment", "au")
            .field("width", side(raw, "width") as i32)
            .field("height", side(raw, "height") as i32)
            .field("framerate", raw.get::<gst::Fraction>("framerate").unwrap())
            .build();
        self.src.push_event(gst::event::Caps::new(&coded))
    }

    fn start(&self, raw: &gst::StructureRef) -> Inner {
        assert!(*self.insert_sps_pps.lock().unwrap(), "who comes in later needs the parameter sets");
        let text = format!(
            "appsrc name=raw format=time ! videoconvert ! x264enc tune=zerolatency speed-preset=ultrafast bitrate={} \
             key-int-max={} ! video/x-h264,profile=constrained-baseline,stream-format=byte-stream \
             ! appsink name=coded sync=false async=false",
            *self.bitrate.lock().unwrap() / 1000,
            *self.idrinterval.lock().unwrap()
        );
        let pipeline = gst::parse::launch(&text).unwrap().downcast::<gst::Pipeline>().unwrap();
        let source = pipeline.by_name("raw").unwrap().downcast::<AppSrc>().unwrap();
        let coded = pipeline.by_name("coded").unwrap().downcast::<AppSink>().unwrap();
        source.set_caps(Some(&gst::Caps::builder_full().structure(raw.to_owned()).build()));
        pipeline.set_state(gst::State::Playing).unwrap();
        Inner { pipeline, raw: source, coded }
    }

    fn encode(&self, _: &gst::Pad, raw: &gst::Buffer) -> Result<gst::FlowSuccess, gst::FlowError> {
        let fault = *FAULT.lock().unwrap();
        match fault {
            EncoderFault::None => {}
            EncoderFault::Error => {
                gst::element_imp_error!(self, gst::StreamError::Encode, ["the encoder has burnt out"]);
                return Err(gst::FlowError::Error);
            }
            EncoderFault::Silent => return Ok(gst::FlowSuccess::Ok),
            EncoderFault::Hangs => loop {
                std::thread::park(); // holds the pad, so that taking it down waits too
            },
        }
        let sample = {
            let inner = self.inner.lock().unwrap();
            let Inner { raw: source, coded, .. } = inner.as_ref().ok_or(gst::FlowError::NotNegotiated)?;
            source.push_buffer(raw.clone())?;
            coded.pull_sample().map_err(|_| gst::FlowError::Eos)?
        };
        let mut coded = sample.buffer_owned().unwrap();
        coded.make_mut().set_pts(raw.pts());
        coded.make_mut().set_dts(None);
        self.src.push(coded)
    }
}
