//! The Jetson's JPEG encoder: one buffer in, one out.

use super::*;
use std::sync::atomic::{AtomicUsize, Ordering};

static ENCODED: AtomicUsize = AtomicUsize::new(0);

/// How many pictures all encoders of this process have made.
pub fn pictures_encoded() -> usize {
    ENCODED.load(Ordering::Relaxed)
}

#[derive(glib::Properties)]
#[properties(wrapper_type = super::NvJpegEnc)]
pub struct NvJpegEnc {
    sink: gst::Pad,
    src: gst::Pad,
    #[property(get, set)]
    quality: Mutex<i32>,
}

#[glib::object_subclass]
impl ObjectSubclass for NvJpegEnc {
    const NAME: &'static str = "TestNvJpegEnc";
    type Type = super::NvJpegEnc;
    type ParentType = gst::Element;

    fn with_class(class: &Self::Class) -> Self {
        let templates = ["sink", "src"].map(|name| class.pad_template(name).unwrap());
        let (sink, src) = pads::<Self>(templates, Self::encode, Self::event);
        Self { sink, src, quality: Mutex::default() }
    }
}

#[glib::derived_properties]
impl ObjectImpl for NvJpegEnc {
    fn constructed(&self) {
        self.parent_constructed();
        self.obj().add_pad(&self.sink).unwrap();
        self.obj().add_pad(&self.src).unwrap();
    }
}
impl GstObjectImpl for NvJpegEnc {}

impl ElementImpl for NvJpegEnc {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static ABOUT: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| about("nvjpegenc"));
        Some(&ABOUT)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static PADS: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
            let raw = NVMM.replace("{ NV12, I420, RGBA }", "{ I420, NV12 }");
            vec![template("sink", gst::PadDirection::Sink, &raw), template("src", gst::PadDirection::Src, "image/jpeg")]
        });
        &PADS
    }
}

impl NvJpegEnc {
    fn event(&self, pad: &gst::Pad, event: gst::Event) -> bool {
        if event.type_() == gst::EventType::Caps {
            return self.src.push_event(gst::event::Caps::new(&gst::Caps::new_empty_simple("image/jpeg")));
        }
        gst::Pad::event_default(pad, Some(&*self.obj()), event)
    }

    fn encode(&self, pad: &gst::Pad, raw: &gst::Buffer) -> Result<gst::FlowSuccess, gst::FlowError> {
        let caps = pad.current_caps().ok_or(gst::FlowError::NotNegotiated)?;
        let structure = caps.structure(0).unwrap();
        ENCODED.fetch_add(1, Ordering::Relaxed);
        let level = raw.map_readable().unwrap().first().copied().unwrap_or_default();
        let file = jpeg(side(structure, "width"), side(structure, "height"), level);
        let mut coded = gst::Buffer::from_mut_slice(file);
        coded.make_mut().set_pts(raw.pts());
        self.src.push(coded)
    }
}
