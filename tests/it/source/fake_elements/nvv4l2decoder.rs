//! The Jetson's video decoder: one buffer in, one out.

use super::*;

#[derive(glib::Properties)]
#[properties(wrapper_type = super::NvV4l2Decoder)]
pub struct NvV4l2Decoder {
    sink: gst::Pad,
    src: gst::Pad,
    #[property(get, set, name = "enable-max-performance")]
    enable_max_performance: Mutex<bool>,
    count: Mutex<u8>,
}

#[glib::object_subclass]
impl ObjectSubclass for NvV4l2Decoder {
    const NAME: &'static str = "TestNvV4l2Decoder";
    type Type = super::NvV4l2Decoder;
    type ParentType = gst::Element;

    fn with_class(class: &Self::Class) -> Self {
        let templates = ["sink", "src"].map(|name| class.pad_template(name).unwrap());
        let (sink, src) = pads::<Self>(templates, Self::decode, Self::event);
        Self { sink, src, enable_max_performance: Mutex::default(), count: Mutex::default() }
    }
}

#[glib::derived_properties]
impl ObjectImpl for NvV4l2Decoder {
    fn constructed(&self) {
        self.parent_constructed();
        self.obj().add_pad(&self.sink).unwrap();
        self.obj().add_pad(&self.src).unwrap();
    }
}
impl GstObjectImpl for NvV4l2Decoder {}

impl ElementImpl for NvV4l2Decoder {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static ABOUT: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| about("nvv4l2decoder"));
        Some(&ABOUT)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static PADS: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
            let coded = "video/x-h264, stream-format=byte-stream, alignment=au; \
                         video/x-h265, stream-format=byte-stream, alignment=au";
            vec![
                template("sink", gst::PadDirection::Sink, coded),
                template("src", gst::PadDirection::Src, &NVMM.replace("{ NV12, I420, RGBA }", "NV12")),
            ]
        });
        &PADS
    }
}

impl NvV4l2Decoder {
    fn event(&self, pad: &gst::Pad, event: gst::Event) -> bool {
        let gst::EventView::Caps(caps) = event.view() else {
            return gst::Pad::event_default(pad, Some(&*self.obj()), event);
        };
        let coded = caps.caps().structure(0).unwrap();
        let raw = gst::Caps::builder("video/x-raw")
            .features(["memory:NVMM"])
            .field("format", "NV12")
            .field("width", side(coded, "width") as i32)
            .field("height", side(coded, "height") as i32)
            .field("framerate", gst::Fraction::new(30, 1))
            .build();
        self.src.push_event(gst::event::Caps::new(&raw))
    }

    fn decode(&self, _: &gst::Pad, coded: &gst::Buffer) -> Result<gst::FlowSuccess, gst::FlowError> {
        let caps = self.src.current_caps().ok_or(gst::FlowError::NotNegotiated)?;
        let mut count = self.count.lock().unwrap();
        *count = count.wrapping_add(1);
        let mut raw = gst::Buffer::from_mut_slice(vec![*count; frame_bytes(&caps)]);
        raw.make_mut().set_pts(coded.pts());
        self.src.push(raw)
    }
}
