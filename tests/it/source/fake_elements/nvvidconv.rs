//! The Jetson's scaler and converter.

use super::*;

#[derive(Default, glib::Properties)]
#[properties(wrapper_type = super::NvVidConv)]
pub struct NvVidConv {
    #[property(get, set, name = "flip-method")]
    flip_method: Mutex<u32>,
    #[property(get, set, name = "output-buffers")]
    output_buffers: Mutex<u32>,
    #[property(get, set, name = "interpolation-method")]
    interpolation_method: Mutex<u32>,
    #[property(get, set)]
    left: Mutex<i32>,
    #[property(get, set)]
    right: Mutex<i32>,
    #[property(get, set)]
    top: Mutex<i32>,
    #[property(get, set)]
    bottom: Mutex<i32>,
    /// Why it will refuse every buffer.
    refusal: Mutex<Option<&'static str>>,
}

#[glib::object_subclass]
impl ObjectSubclass for NvVidConv {
    const NAME: &'static str = "TestNvVidConv";
    type Type = super::NvVidConv;
    type ParentType = gst_base::BaseTransform;
}

#[glib::derived_properties]
impl ObjectImpl for NvVidConv {}
impl GstObjectImpl for NvVidConv {}

impl ElementImpl for NvVidConv {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static ABOUT: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| about("nvvidconv"));
        Some(&ABOUT)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static PADS: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
            let caps = format!("{NVMM}; {SYSTEM}");
            vec![template("sink", gst::PadDirection::Sink, &caps), template("src", gst::PadDirection::Src, &caps)]
        });
        &PADS
    }
}

impl BaseTransformImpl for NvVidConv {
    const MODE: gst_base::subclass::BaseTransformMode = gst_base::subclass::BaseTransformMode::NeverInPlace;
    const PASSTHROUGH_ON_SAME_CAPS: bool = false;
    const TRANSFORM_IP_ON_PASSTHROUGH: bool = false;

    /// Every format, memory and size, at the same rate.
    fn transform_caps(&self, _: gst::PadDirection, caps: &gst::Caps, filter: Option<&gst::Caps>) -> Option<gst::Caps> {
        let mut all: gst::Caps = format!("{NVMM}; {SYSTEM}").parse().unwrap();
        if let Some(rate) = caps.structure(0).and_then(|structure| structure.value("framerate").ok()) {
            for structure in all.make_mut().iter_mut() {
                structure.set_value("framerate", rate.clone());
            }
        }
        Some(filter.map_or(all.clone(), |filter| filter.intersect_with_mode(&all, gst::CapsIntersectMode::First)))
    }

    fn fixate_caps(&self, direction: gst::PadDirection, caps: &gst::Caps, other: gst::Caps) -> gst::Caps {
        let (width, height) = caps.structure(0).map(|from| (side(from, "width"), side(from, "height"))).unwrap();
        let mut other = other;
        other.truncate();
        {
            let to = other.make_mut().structure_mut(0).unwrap();
            to.fixate_field_nearest_int("width", width as i32);
            to.fixate_field_nearest_int("height", height as i32);
        }
        self.parent_fixate_caps(direction, caps, other)
    }

    fn unit_size(&self, caps: &gst::Caps) -> Option<usize> {
        Some(frame_bytes(caps))
    }

    fn set_caps(&self, from: &gst::Caps, to: &gst::Caps) -> Result<(), gst::LoggableError> {
        let structure = to.structure(0).unwrap();
        let width = side(structure, "width");
        let nv12 = structure.get::<&str>("format") == Ok("NV12");
        *self.refusal.lock().unwrap() = if !is_nvmm(from) && !is_nvmm(to) {
            Some("one side must be memory:NVMM")
        } else if !is_nvmm(to) && nv12 && !width.is_multiple_of(8) {
            Some("NV12 in system memory needs a width that is a multiple of 8")
        } else {
            None
        };
        Ok(())
    }

    fn transform(&self, from: &gst::Buffer, to: &mut gst::BufferRef) -> Result<gst::FlowSuccess, gst::FlowError> {
        if let Some(refusal) = *self.refusal.lock().unwrap() {
            gst::element_imp_error!(self, gst::StreamError::Failed, ["{refusal}"]);
            return Err(gst::FlowError::Error);
        }
        let level = from.map_readable().unwrap().first().copied().unwrap_or_default();
        to.map_writable().unwrap().fill(level);
        Ok(gst::FlowSuccess::Ok)
    }
}
