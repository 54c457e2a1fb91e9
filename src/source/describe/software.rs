//! Pipelines of the CPU's elements.

use super::parts::{JPEG_QUALITY, RATE, TEST_SIZE, UsbHead, file, http, is_cropped, pace, rtsp, tail, usb};
use crate::source::{
    config::{Codec, Config, Crop, Fps},
    counter,
    devices::{Camera, Encoding},
    error::SourceError,
    orientation::{self, Turn},
    uri::{COUNTER, SourceUri},
};
use detector::geometry::Size;

pub(super) fn pipeline(config: &Config, input: Size, camera: Option<&Camera>) -> Result<String, SourceError> {
    let encode = format!("videoconvert ! jpegenc quality={JPEG_QUALITY}");
    let (head, square, turn) = (head(config, camera)?, square(config), turn(config, orientation::upright(config)));
    Ok(format!("{head}{square}{turn} ! {}", tail(config, &scale(input), &encode)))
}

/// The elements that make the model's input of any raw picture in the CPU's memory.
///
/// Large pictures are first brought to about twice the input's size as they come (1280x720 to 640x360 for an input of
/// 300: an exact half, which costs next to nothing), then converted, then scaled: converting a whole HD picture takes
/// most of a millisecond. Converting before the last scaling keeps the colour at full resolution: on the evaluation
/// set this costs .0044 AP against the model's own resize, scaling all the way first .0063. The pixel aspect ratio is
/// asked for, because otherwise `videoscale` keeps the old one by changing the size, or adds borders.
pub(in crate::source) fn scale(input: Size) -> String {
    let (width, height) = (between(input.width), between(input.height));
    format!(
        "videoscale method=bilinear add-borders=false ! video/x-raw,width={width},height={height},pixel-aspect-ratio=1/1 \
         ! videoconvert ! video/x-raw,format=RGBA ! videoscale method=bilinear add-borders=false \
         ! video/x-raw,width={},height={},pixel-aspect-ratio=1/1",
        input.width, input.height
    )
}

/// The sides that pass as they are: up to a little more than twice the input's, rounded to the usual sizes of video (640
/// for 300). The input's own side is not among them: `videoscale` would scale to it at once.
fn between(side: u32) -> String {
    format!("[{},{}]", side + 1, (2 * side).next_multiple_of(64))
}

fn head(config: &Config, camera: Option<&Camera>) -> Result<String, SourceError> {
    Ok(match &config.uri {
        SourceUri::File { .. } => format!("{} ! {}", file(config).unwrap_or_default(), pace(config)),
        SourceUri::Images { .. } => format!("appsrc name=source format=time block=true ! {}", pace(config)),
        SourceUri::Test { pattern } => test(config, pattern),
        SourceUri::Auto => test(config, "smpte"),
        SourceUri::Usb(_) => match usb(config, camera)? {
            UsbHead { text, encoding: Encoding::Mjpeg, .. } => format!("{text} ! jpegdec"),
            UsbHead { text, encoding: Encoding::Raw, .. } => text,
        },
        SourceUri::Rtsp(address) => format!("{} ! {}", rtsp(config, address), decoder(config.network.codec)),
        SourceUri::Http(address) => format!("{} ! jpegdec", http(config, address)),
        SourceUri::Gst { elements } => elements.clone(),
        // Only a Jetson has it; the text names the element that is missing then.
        SourceUri::Csi { sensor } => format!("nvarguscamerasrc name=source sensor-id={sensor}"),
    })
}

fn test(config: &Config, pattern: &str) -> String {
    let pattern = if pattern == COUNTER { counter::GROUND } else { pattern };
    let size = config.size.unwrap_or(TEST_SIZE);
    let rate = config.fps.map_or(RATE.into(), Fps::fraction);
    format!(
        "videotestsrc name=source is-live=true pattern={pattern} \
         ! video/x-raw,format=I420,width={},height={},framerate={rate}",
        size.width, size.height
    )
}

fn decoder(codec: Codec) -> &'static str {
    match codec {
        Codec::Auto => "decodebin",
        Codec::H264 => "rtph264depay ! avdec_h264",
        Codec::H265 => "rtph265depay ! avdec_h265",
    }
}

/// Makes the pixels square, where a source may send others: pictures are looked at without their aspect ratio. The size is
/// set at the filter by [`square`](crate::source::square), because it would follow the branches behind it.
fn square(config: &Config) -> &'static str {
    match config.uri {
        SourceUri::File { .. } | SourceUri::Rtsp(_) | SourceUri::Usb(_) | SourceUri::Gst { .. } => {
            " ! videoscale name=to-square add-borders=false \
             ! capsfilter name=square caps=video/x-raw,pixel-aspect-ratio=1/1"
        }
        _ => "",
    }
}

/// Puts the picture upright, cuts it, and turns it as the user wants.
fn turn(config: &Config, upright: Turn) -> String {
    let wanted = Turn::from(config.flip);
    if !is_cropped(config.crop) {
        return flip(upright.then(wanted));
    }
    let (upright, wanted) = (flip(upright), flip(wanted));
    let Crop { left, right, top, bottom } = config.crop;
    format!("{upright} ! videocrop left={left} right={right} top={top} bottom={bottom}{wanted}")
}

/// The older property `method` of `videoflip` has no effect in GStreamer 1.22.
fn flip(turn: Turn) -> String {
    turn.video_direction().map_or_else(String::new, |direction| format!(" ! videoflip video-direction={direction}"))
}
