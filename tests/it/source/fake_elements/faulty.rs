//! An element that fails on demand.

use super::*;

/// Passes `after` buffers on, then does what `fault` says: eos, error, stall, frozen, block (as error, and does
/// not come down).
#[derive(Default, glib::Properties)]
#[properties(wrapper_type = super::Faulty)]
pub struct Faulty {
    #[property(get, set)]
    fault: Mutex<String>,
    #[property(get, set)]
    after: Mutex<u32>,
    passed: Mutex<u32>,
}

#[glib::object_subclass]
impl ObjectSubclass for Faulty {
    const NAME: &'static str = "TestFaulty";
    type Type = super::Faulty;
    type ParentType = gst_base::BaseTransform;
}

#[glib::derived_properties]
impl ObjectImpl for Faulty {}
impl GstObjectImpl for Faulty {}

impl ElementImpl for Faulty {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static ABOUT: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| about("faulty"));
        Some(&ABOUT)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static PADS: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
            vec![
                template("sink", gst::PadDirection::Sink, "video/x-raw"),
                template("src", gst::PadDirection::Src, "video/x-raw"),
            ]
        });
        &PADS
    }

    fn change_state(&self, change: gst::StateChange) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
        if change == gst::StateChange::ReadyToNull && *self.fault.lock().unwrap() == "block" {
            loop {
                std::thread::park(); // a driver that never comes back
            }
        }
        self.parent_change_state(change)
    }
}

impl BaseTransformImpl for Faulty {
    const MODE: gst_base::subclass::BaseTransformMode = gst_base::subclass::BaseTransformMode::AlwaysInPlace;
    const PASSTHROUGH_ON_SAME_CAPS: bool = false;
    const TRANSFORM_IP_ON_PASSTHROUGH: bool = false;

    fn transform_ip(&self, buffer: &mut gst::BufferRef) -> Result<gst::FlowSuccess, gst::FlowError> {
        let mut passed = self.passed.lock().unwrap();
        if *passed < *self.after.lock().unwrap() {
            *passed += 1;
            return Ok(gst::FlowSuccess::Ok);
        }
        match self.fault.lock().unwrap().as_str() {
            "eos" => Err(gst::FlowError::Eos),
            "stall" => Ok(gst_base::BASE_TRANSFORM_FLOW_DROPPED),
            "frozen" => {
                buffer.map_writable().unwrap().fill(77);
                Ok(gst::FlowSuccess::Ok)
            }
            _ => {
                gst::element_imp_error!(self, gst::ResourceError::Read, ["the cable was pulled"]);
                Err(gst::FlowError::Error)
            }
        }
    }
}
