//! A CSI camera: an IMX219.

use super::*;

/// The sensor whose session gives no frame and does not come down, as after the daemon's end.
pub const WEDGED_SENSOR: i32 = 9;

#[derive(Default, glib::Properties)]
#[properties(wrapper_type = super::NvArgusCameraSrc)]
pub struct NvArgusCameraSrc {
    #[property(get, set, name = "sensor-id")]
    sensor_id: Mutex<i32>,
    #[property(get, set, name = "sensor-mode")]
    sensor_mode: Mutex<i32>,
    #[property(get, set)]
    wbmode: Mutex<i32>,
    #[property(get, set)]
    exposuretimerange: Mutex<String>,
    #[property(get, set)]
    gainrange: Mutex<String>,
    count: Mutex<u64>,
}

#[glib::object_subclass]
impl ObjectSubclass for NvArgusCameraSrc {
    const NAME: &'static str = "TestNvArgusCameraSrc";
    type Type = super::NvArgusCameraSrc;
    type ParentType = gst_base::PushSrc;
}

#[glib::derived_properties]
impl ObjectImpl for NvArgusCameraSrc {
    fn constructed(&self) {
        self.parent_constructed();
        self.obj().set_live(true);
        self.obj().set_format(gst::Format::Time);
        self.obj().set_do_timestamp(true);
    }
}
impl GstObjectImpl for NvArgusCameraSrc {}

impl ElementImpl for NvArgusCameraSrc {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static ABOUT: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| about("nvarguscamerasrc"));
        Some(&ABOUT)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static PADS: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
            let caps = NVMM.replace("{ NV12, I420, RGBA }", "{ NV12, P010_10LE }");
            vec![template("src", gst::PadDirection::Src, &caps)]
        });
        &PADS
    }
}
impl BaseSrcImpl for NvArgusCameraSrc {}

impl NvArgusCameraSrc {
    /// The IMX219's modes: width, height, frames a second.
    const MODES: [(u32, u32, i32); 5] =
        [(3264, 2464, 21), (3264, 1848, 28), (1920, 1080, 30), (1640, 1232, 30), (1280, 720, 60)];
}

impl PushSrcImpl for NvArgusCameraSrc {
    fn create(
        &self,
        _: Option<&mut gst::BufferRef>,
    ) -> Result<gst_base::subclass::base_src::CreateSuccess, gst::FlowError> {
        if *self.sensor_id.lock().unwrap() == WEDGED_SENSOR {
            loop {
                std::thread::park();
            }
        }
        if !(0..2).contains(&*self.sensor_id.lock().unwrap()) {
            eprintln!("Error generated. Invalid camera device specified");
            return Err(gst::FlowError::Eos); // as the real one: an end, not an error
        }
        let caps = self.obj().src_pad().current_caps().unwrap();
        let structure = caps.structure(0).unwrap();
        let (width, height) = (side(structure, "width"), side(structure, "height"));
        let rate: gst::Fraction = structure.get("framerate").unwrap();
        let fits = |mode: &&(u32, u32, i32)| mode.0 >= width && mode.1 >= height;
        let most = Self::MODES.iter().filter(fits).map(|mode| mode.2).max().unwrap_or(0);
        if rate.numer() / rate.denom() > most {
            let text = "Frame Rate specified is greater than supported";
            gst::element_imp_error!(self, gst::StreamError::Failed, ["{text}"]);
            return Err(gst::FlowError::Error);
        }
        std::thread::sleep(std::time::Duration::from_secs(1) / (rate.numer() / rate.denom()).max(1) as u32);
        let mut count = self.count.lock().unwrap();
        *count += 1;
        let frame = vec![(*count % 200) as u8; frame_bytes(&caps)];
        Ok(gst_base::subclass::base_src::CreateSuccess::NewBuffer(gst::Buffer::from_mut_slice(frame)))
    }
}
