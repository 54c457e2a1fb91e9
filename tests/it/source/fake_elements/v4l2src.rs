//! A USB camera with two modes.

use super::*;

/// What a webcam sends: 4:2:0, as GStreamer's encoder makes it of I420.
static PICTURE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let text = "videotestsrc num-buffers=1 ! video/x-raw,format=I420,width=1280,height=720 ! jpegenc ! appsink name=s";
    let pipeline = gst::parse::launch(text).unwrap().downcast::<gst::Pipeline>().unwrap();
    let sink = pipeline.by_name("s").unwrap().downcast::<gstreamer_app::AppSink>().unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let picture = sink.pull_sample().unwrap().buffer().unwrap().map_readable().unwrap().to_vec();
    pipeline.set_state(gst::State::Null).unwrap();
    picture
});

#[derive(Default, glib::Properties)]
#[properties(wrapper_type = super::V4l2Src)]
pub struct V4l2Src {
    #[property(get, set)]
    device: Mutex<String>,
    #[property(get, set, name = "io-mode")]
    io_mode: Mutex<i32>,
    count: Mutex<u64>,
}

#[glib::object_subclass]
impl ObjectSubclass for V4l2Src {
    const NAME: &'static str = "TestV4l2Src";
    type Type = super::V4l2Src;
    type ParentType = gst_base::PushSrc;
}

#[glib::derived_properties]
impl ObjectImpl for V4l2Src {
    fn constructed(&self) {
        self.parent_constructed();
        self.obj().set_live(true);
        self.obj().set_format(gst::Format::Time);
    }
}
impl GstObjectImpl for V4l2Src {}

impl ElementImpl for V4l2Src {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static ABOUT: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| about("v4l2src"));
        Some(&ABOUT)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static PADS: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
            let caps = "image/jpeg, width=1280, height=720, framerate=30/1; \
                        video/x-raw, format=YUY2, width=640, height=480, framerate=30/1";
            vec![template("src", gst::PadDirection::Src, caps)]
        });
        &PADS
    }
}
impl BaseSrcImpl for V4l2Src {}

impl PushSrcImpl for V4l2Src {
    fn create(
        &self,
        _: Option<&mut gst::BufferRef>,
    ) -> Result<gst_base::subclass::base_src::CreateSuccess, gst::FlowError> {
        std::thread::sleep(std::time::Duration::from_millis(33));
        let caps = self.obj().src_pad().current_caps().unwrap();
        let structure = caps.structure(0).unwrap();
        let mut count = self.count.lock().unwrap();
        *count += 1;
        let level = (*count % 200) as u8;
        let frame = if structure.name() == "image/jpeg" { PICTURE.clone() } else { vec![level; frame_bytes(&caps)] };
        Ok(gst_base::subclass::base_src::CreateSuccess::NewBuffer(gst::Buffer::from_mut_slice(frame)))
    }
}
