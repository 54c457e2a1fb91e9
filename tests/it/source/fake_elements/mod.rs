//! Elements that stand in for others: one that fails on demand, and those of a Jetson, with the names, pads, caps and
//! properties of L4T 32.7, which refuse what the real ones refuse. What flows as `memory:NVMM` is plain memory here.

mod faulty;
mod nvarguscamerasrc;
mod nvjpegenc;
mod nvv4l2decoder;
mod nvv4l2h264enc;
mod nvvidconv;
mod v4l2src;

pub use nvarguscamerasrc::WEDGED_SENSOR;
pub use nvjpegenc::pictures_encoded;
pub use nvv4l2h264enc::{EncoderFault, encoders_have};

use gstreamer::{self as gst, glib, prelude::*, subclass::prelude::*};
use gstreamer_base::{self as gst_base, prelude::*, subclass::prelude::*};
use std::sync::{LazyLock, Mutex};

/// Makes `faulty` known to GStreamer.
pub fn register_faulty() {
    gst::init().unwrap();
    gst::Element::register(None, "faulty", gst::Rank::NONE, Faulty::static_type()).unwrap();
}

/// Makes the Jetson's elements known to GStreamer, and a `v4l2src` that needs no camera.
pub fn register_jetson() {
    gst::init().unwrap();
    for (name, class) in [
        ("nvarguscamerasrc", NvArgusCameraSrc::static_type()),
        ("nvvidconv", NvVidConv::static_type()),
        ("nvv4l2decoder", NvV4l2Decoder::static_type()),
        ("nvjpegenc", NvJpegEnc::static_type()),
        ("nvv4l2h264enc", NvV4l2H264Enc::static_type()),
        ("v4l2src", V4l2Src::static_type()),
    ] {
        gst::Element::register(None, name, gst::Rank::NONE, class).unwrap();
    }
}

/// The pads of an element, from the `templates` of its sink and its source: `take` gets each buffer, `hear` each event.
fn pads<T: ElementImpl>(
    [sink, src]: [gst::PadTemplate; 2],
    take: fn(&T, &gst::Pad, &gst::Buffer) -> Result<gst::FlowSuccess, gst::FlowError>,
    hear: fn(&T, &gst::Pad, gst::Event) -> bool,
) -> (gst::Pad, gst::Pad) {
    let sink = gst::Pad::builder_from_template(&sink)
        .chain_function(move |pad, parent, buffer| {
            let failed = || Err(gst::FlowError::Error);
            T::catch_panic_pad_function(parent, failed, |element| take(element, pad, &buffer))
        })
        .event_function(move |pad, parent, event| {
            T::catch_panic_pad_function(parent, || false, |element| hear(element, pad, event))
        })
        .build();
    (sink, gst::Pad::from_template(&src))
}

glib::wrapper! {
    pub struct NvArgusCameraSrc(ObjectSubclass<nvarguscamerasrc::NvArgusCameraSrc>)
        @extends gst_base::PushSrc, gst_base::BaseSrc, gst::Element, gst::Object;
}
glib::wrapper! {
    pub struct V4l2Src(ObjectSubclass<v4l2src::V4l2Src>)
        @extends gst_base::PushSrc, gst_base::BaseSrc, gst::Element, gst::Object;
}
glib::wrapper! {
    pub struct NvV4l2Decoder(ObjectSubclass<nvv4l2decoder::NvV4l2Decoder>) @extends gst::Element, gst::Object;
}
glib::wrapper! {
    pub struct NvJpegEnc(ObjectSubclass<nvjpegenc::NvJpegEnc>) @extends gst::Element, gst::Object;
}
glib::wrapper! {
    pub struct NvV4l2H264Enc(ObjectSubclass<nvv4l2h264enc::NvV4l2H264Enc>) @extends gst::Element, gst::Object;
}
glib::wrapper! {
    pub struct Faulty(ObjectSubclass<faulty::Faulty>) @extends gst_base::BaseTransform, gst::Element, gst::Object;
}
glib::wrapper! {
    pub struct NvVidConv(ObjectSubclass<nvvidconv::NvVidConv>)
        @extends gst_base::BaseTransform, gst::Element, gst::Object;
}

const NVMM: &str = "video/x-raw(memory:NVMM), format={ NV12, I420, RGBA }, width=[1,8192], height=[1,8192], \
                    framerate=[0/1,2147483647/1]";
/// `nvvidconv` has no RGB and no BGR in system memory.
const SYSTEM: &str = "video/x-raw, format={ I420, UYVY, YUY2, YVYU, NV12, NV16, NV24, GRAY8, BGRx, RGBA, Y42B }, \
                      width=[1,8192], height=[1,8192], framerate=[0/1,2147483647/1]";

fn about(name: &str) -> gst::subclass::ElementMetadata {
    gst::subclass::ElementMetadata::new(name, "Test", "Stands in for another element", "sightd's tests")
}

fn template(name: &str, direction: gst::PadDirection, caps: &str) -> gst::PadTemplate {
    gst::PadTemplate::new(name, direction, gst::PadPresence::Always, &caps.parse().unwrap()).unwrap()
}

fn is_nvmm(caps: &gst::CapsRef) -> bool {
    caps.features(0).is_some_and(|features| features.contains("memory:NVMM"))
}

/// The size in bytes of a frame of these caps, wherever it lies.
fn frame_bytes(caps: &gst::CapsRef) -> usize {
    let plain = gst::Caps::builder_full().structure(caps.structure(0).unwrap().to_owned()).build();
    gstreamer_video::VideoInfo::from_caps(&plain).unwrap().size()
}

fn jpeg(width: u32, height: u32, level: u8) -> Vec<u8> {
    let mut file = std::io::Cursor::new(Vec::new());
    let picture = image::GrayImage::from_pixel(width, height, image::Luma([level]));
    picture.write_to(&mut file, image::ImageFormat::Jpeg).unwrap();
    file.into_inner()
}

fn side(structure: &gst::StructureRef, name: &str) -> u32 {
    structure.get::<i32>(name).unwrap_or(16) as u32
}
