//! Which element encodes H.264 here, with which settings.

use crate::{
    channels::video::Offer,
    source::{
        config::{Fps, VideoOptions},
        describe::Platform,
        gst,
    },
};
use detector::geometry::Size;

/// An element that encodes H.264.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::source) enum Encoder {
    /// The Jetson's own engine.
    Nvidia,
    /// x264, on the CPU.
    X264,
    /// Cisco's, on the CPU: in more distributions than x264.
    OpenH264,
}

/// Cuts the encoder's output into frames, and describes it.
const PARSER: &str = "h264parse";
/// How much of the CPU one camera's encoder may keep busy, in threads.
const THREADS: u8 = 2;

/// Where raw pictures lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Memory {
    /// The CPU's.
    System,
    /// The memory of the Jetson's video engines.
    Nvmm,
}

impl Encoder {
    /// Those that serve on `platform`, the best first.
    fn candidates(platform: Platform) -> &'static [Self] {
        match platform {
            Platform::Jetson => &[Self::Nvidia, Self::X264, Self::OpenH264],
            Platform::Software => &[Self::X264, Self::OpenH264],
        }
    }

    /// The best one that is installed.
    ///
    /// # Errors
    /// What is missing, in words.
    pub fn choose(platform: Platform) -> Result<Self, String> {
        let candidates = Self::candidates(platform);
        let found = candidates.iter().find(|encoder| gst::has_element(encoder.element()));
        let named = |element| format!("{element} ({})", gst::package(element));
        match found {
            Some(&encoder) if gst::has_element(PARSER) => Ok(encoder),
            Some(_) => Err(format!("GStreamer's element {} is missing", named(PARSER))),
            None => {
                let names: Vec<_> = candidates.iter().map(|encoder| named(encoder.element())).collect();
                Err(format!("none of GStreamer's encoders is installed: {}", names.join(", ")))
            }
        }
    }

    /// The element's name.
    pub fn element(self) -> &'static str {
        match self {
            Self::Nvidia => "nvv4l2h264enc",
            Self::X264 => "x264enc",
            Self::OpenH264 => "openh264enc",
        }
    }

    /// The pipeline from raw pictures in `memory`, at the appsrc `raw`, to frames of H.264 at the appsink `coded`, with
    /// a key frame every `key_interval` frames. `size` has even sides, which 4:2:0 needs.
    pub(super) fn pipeline(self, options: VideoOptions, memory: Memory, size: Size, key_interval: u32) -> String {
        let convert = self.convert(memory, size);
        let encode = self.encode(options.bitrate_kbps.get(), key_interval);
        format!(
            "appsrc name=raw format=time is-live=true ! {convert} ! {encode} ! {PARSER} \
             ! video/x-h264,stream-format=avc,alignment=au ! appsink name=coded sync=false async=false"
        )
    }

    /// Brings a picture into the form and the memory that the encoder takes; costs nothing where it is in it.
    fn convert(self, memory: Memory, Size { width, height }: Size) -> String {
        let size = format!("width={width},height={height}");
        let nvmm = format!("nvvidconv output-buffers=8 ! video/x-raw(memory:NVMM),format=NV12,{size}");
        match (memory, self) {
            (Memory::Nvmm, Self::Nvidia) => nvmm,
            (Memory::System, Self::Nvidia) => format!("videoconvert ! video/x-raw,format=I420 ! {nvmm}"),
            (Memory::Nvmm, _) => format!("nvvidconv ! video/x-raw,format=I420,{size}"),
            (Memory::System, _) => {
                format!("videoconvert ! videoscale add-borders=false ! video/x-raw,format=I420,{size}")
            }
        }
    }

    /// All encode without looking ahead and without frames that lean on later ones, so that each comes out at once, and
    /// in the baseline profile, which every browser decodes.
    fn encode(self, bitrate_kbps: u32, key_interval: u32) -> String {
        let bitrate = bitrate_kbps * 1000;
        match self {
            // Its profile 0 is baseline; the parameter sets stand before each key frame.
            Self::Nvidia => format!(
                "nvv4l2h264enc bitrate={bitrate} control-rate=1 profile=0 preset-level=1 maxperf-enable=true \
                 iframeinterval={key_interval} idrinterval={key_interval} insert-sps-pps=true insert-vui=true"
            ),
            Self::X264 => format!(
                "x264enc tune=zerolatency speed-preset=ultrafast bitrate={bitrate_kbps} key-int-max={key_interval} \
                 threads={THREADS} ! video/x-h264,profile=constrained-baseline,stream-format=avc"
            ),
            // GStreamer 1.14 calls its profile baseline, later versions what it is.
            Self::OpenH264 => format!(
                "openh264enc complexity=low rate-control=bitrate bitrate={bitrate} gop-size={key_interval} \
                 multi-thread={THREADS} ! video/x-h264,profile={{constrained-baseline,baseline}}"
            ),
        }
    }
}

/// How a camera's video is encoded.
#[derive(Clone, Copy, Debug)]
pub(in crate::source) struct Settings {
    pub encoder: Encoder,
    pub options: VideoOptions,
    /// At most this many frames a second come.
    pub fps: Option<Fps>,
}

impl Settings {
    pub(super) fn offer(&self) -> Offer {
        Offer::H264 { encoder: self.encoder.element() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pipelines_are_as_they_were_reviewed() {
        let mut golden = String::new();
        for encoder in [Encoder::Nvidia, Encoder::X264, Encoder::OpenH264] {
            for memory in [Memory::Nvmm, Memory::System] {
                let text = encoder.pipeline(VideoOptions::default(), memory, Size::new(1280, 720), 30);
                golden += &format!("{encoder:?} from {memory:?}\n    {text}\n\n");
            }
        }
        insta::assert_snapshot!("encoders", golden);
    }
}
