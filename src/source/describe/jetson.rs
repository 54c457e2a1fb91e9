//! Pipelines of a Jetson's own elements (JetPack 4.6, L4T 32.7).
//!
//! The VIC, behind `nvvidconv`, scales before anything is copied to the CPU's memory: the cost of the copy goes with
//! the size of what comes out. `nvvidconv` refuses to work from system memory to system memory, so one side of each
//! is always NVMM; its default of `interpolation-method` is nearest; and RGBA is the one format for the model's size
//! that it writes right at every width (NV12 only where the width is a multiple of 8).

use super::parts::{CSI_SIZE, JPEG_QUALITY, RATE, UsbHead, file, http, is_cropped, pace, rtsp, tail, usb};
use crate::source::{
    config::{Codec, Config, CsiOptions, Flip, Fps, WhiteBalance},
    devices::{Camera, Encoding},
    error::SourceError,
    orientation::{self, Turn},
    uri::SourceUri,
};
use detector::geometry::Size;

const NVMM: &str = "video/x-raw(memory:NVMM),format=NV12";
/// Its pools of NVMM hold 4 buffers by default: fewer than the branches, and an encoder that reads ahead, keep.
const INTO_NVMM: &str = "nvvidconv output-buffers=8";

pub(super) fn pipeline(config: &Config, input: Size, camera: Option<&Camera>) -> Result<String, SourceError> {
    let scale = format!(
        "nvvidconv interpolation-method=1 ! video/x-raw,width={},height={},format=RGBA",
        input.width, input.height
    );
    let encode = format!("{INTO_NVMM} ! video/x-raw(memory:NVMM),format=I420 ! nvjpegenc quality={JPEG_QUALITY}");
    Ok(format!("{} ! {}", head(config, camera)?, tail(config, &scale, &encode)))
}

/// From the source to pictures in NVMM; the way into it turns and cuts as well.
fn head(config: &Config, camera: Option<&Camera>) -> Result<String, SourceError> {
    let into_nvmm = |size| turn(config, size).map(|turn| turn.unwrap_or_else(|| format!("{INTO_NVMM} ! {NVMM}")));
    Ok(match &config.uri {
        SourceUri::Csi { sensor } => {
            let size = config.size.unwrap_or(CSI_SIZE);
            let source = csi(config, *sensor, size);
            turn(config, Some(size))?.map_or(source.clone(), |turn| format!("{source} ! {turn}"))
        }
        SourceUri::File { .. } => {
            format!("{} ! {} ! {}", file(config).unwrap_or_default(), squared(config)?, pace(config))
        }
        SourceUri::Usb(_) => match usb(config, camera)? {
            // The hardware JPEG decoders crash with the streams of some cameras.
            UsbHead { text, encoding: Encoding::Mjpeg, size } => {
                format!("{text} ! jpegdec ! video/x-raw,format=I420 ! {}", into_nvmm(size)?)
            }
            UsbHead { text, encoding: Encoding::Raw, size } => format!("{text} ! {}", into_nvmm(size)?),
        },
        SourceUri::Rtsp(address) => {
            format!("{} ! queue ! {} ! {}", rtsp(config, address), decoder(config.network.codec), squared(config)?)
        }
        SourceUri::Http(address) => {
            format!("{} ! jpegdec ! video/x-raw,format=I420 ! {}", http(config, address), into_nvmm(None)?)
        }
        // The CPU's elements make these, see `super::pipeline`.
        SourceUri::Auto | SourceUri::Images { .. } | SourceUri::Test { .. } | SourceUri::Gst { .. } => {
            return Err(SourceError::Option {
                option: "source",
                uri: config.uri.to_string(),
                reason: "its pictures are not made by the Jetson's elements",
            });
        }
    })
}

fn csi(config: &Config, sensor: u8, size: Size) -> String {
    let rate = config.fps.map_or(RATE.into(), whole);
    format!(
        "nvarguscamerasrc name=source sensor-id={sensor}{} \
         ! video/x-raw(memory:NVMM),width={},height={},framerate={rate},format=NV12",
        options(&config.csi),
        size.width,
        size.height
    )
}

/// Argus divides whole numbers, so a rate is rounded up to one; the tap takes the rest away.
fn whole(fps: Fps) -> String {
    format!("{}/1", fps.get().ceil())
}

fn options(csi: &CsiOptions) -> String {
    let mut text = String::new();
    if let Some(mode) = csi.sensor_mode {
        text += &format!(" sensor-mode={mode}");
    }
    if let Some([shortest, longest]) = csi.exposure_us {
        text += &format!(" exposuretimerange=\"{}000 {}000\"", shortest, longest);
    }
    if let Some([lowest, highest]) = csi.gain {
        text += &format!(" gainrange=\"{lowest} {highest}\"");
    }
    let balance = match csi.white_balance {
        WhiteBalance::Auto => return text, // its default
        WhiteBalance::Off => 0,
        WhiteBalance::Incandescent => 2,
        WhiteBalance::Fluorescent => 3,
        WhiteBalance::WarmFluorescent => 4,
        WhiteBalance::Daylight => 5,
        WhiteBalance::CloudyDaylight => 6,
        WhiteBalance::Twilight => 7,
        WhiteBalance::Shade => 8,
    };
    text + &format!(" wbmode={balance}")
}

fn decoder(codec: Codec) -> &'static str {
    match codec {
        Codec::Auto => "decodebin",
        Codec::H264 => "rtph264depay ! h264parse ! nvv4l2decoder enable-max-performance=1",
        Codec::H265 => "rtph265depay ! h265parse ! nvv4l2decoder enable-max-performance=1",
    }
}

/// The way into NVMM for video whose size and pixels are known only when it comes: puts it upright, turns it, and makes its
/// pixels square, for which [`square`](crate::source::square) sets the size.
fn squared(config: &Config) -> Result<String, SourceError> {
    if is_cropped(config.crop) {
        turn(config, None)?; // says why not
    }
    let method = orientation::upright(config).then(config.flip.into()).flip_method();
    let flip = if method == 0 { String::new() } else { format!(" flip-method={method}") };
    Ok(format!("{INTO_NVMM} name=to-square{flip} ! capsfilter name=square caps={NVMM}"))
}

/// What turns and cuts pictures of `size` within NVMM, if that is asked for.
fn turn(config: &Config, size: Option<Size>) -> Result<Option<String>, SourceError> {
    let method = Turn::from(config.flip).flip_method();
    if !is_cropped(config.crop) {
        return Ok((method != 0).then(|| format!("{INTO_NVMM} flip-method={method} ! {NVMM}")));
    }
    let unfit = |reason| SourceError::Option { option: "crop", uri: config.uri.to_string(), reason };
    let Size { width, height } =
        size.ok_or_else(|| unfit("a Jetson cuts only pictures whose size is known: csi://, and usb:// with a size"))?;
    // `nvvidconv` takes the corners of what is kept, not the width of what is cut off.
    let (left, top) = (u32::from(config.crop.left), u32::from(config.crop.top));
    let right = width.saturating_sub(u32::from(config.crop.right));
    let bottom = height.saturating_sub(u32::from(config.crop.bottom));
    let (Some(kept_width), Some(kept_height)) = (right.checked_sub(left), bottom.checked_sub(top)) else {
        return Err(unfit("nothing of the picture is left"));
    };
    if kept_width == 0 || kept_height == 0 {
        return Err(unfit("nothing of the picture is left"));
    }
    let (width, height) = match config.flip {
        Flip::Clockwise | Flip::Counterclockwise => (kept_height, kept_width),
        _ => (kept_width, kept_height),
    };
    Ok(Some(format!(
        "{INTO_NVMM} flip-method={method} left={left} right={right} top={top} bottom={bottom} \
         ! {NVMM},width={width},height={height}"
    )))
}
