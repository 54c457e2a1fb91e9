//! The pipelines as text: which elements, in which order, for which source.

use super::{
    Config,
    config::Flip,
    uri::{Pace, SourceUri, encoded},
};
use crate::geometry::Size;

/// A queue that holds one buffer and lets go of the old one: what lies behind it is never late, only rarer.
const LATEST: &str = "queue leaky=downstream max-size-buffers=1 max-size-bytes=0 max-size-time=0";
/// Sinks hand over at once, and wait neither for the clock nor for a first buffer: the live view may get none.
const SINK: &str = "max-buffers=1 sync=false async=false";
/// The size and rate of test pictures that nobody chose.
const TEST_SIZE: Size = Size::new(640, 360);
const TEST_RATE: &str = "30/1";

/// A pipeline's elements, from the source to the two sinks `infer` and `pictures`.
pub(super) fn pipeline(config: &Config, input: Size) -> String {
    let (leaky, drop) = match config.uri {
        SourceUri::File { pace: Pace::Unlimited, .. } => ("queue max-size-buffers=1 max-size-bytes=0", "false"),
        _ => (LATEST, "true"),
    };
    format!(
        "{head}{flip} ! tee name=tap allow-not-linked=true \
         tap. ! {leaky} ! {scale} ! appsink name=infer {SINK} drop={drop} \
         tap. ! {LATEST} name=gate ! videoconvert ! jpegenc quality=80 ! appsink name=pictures {SINK} drop=true",
        head = head(config),
        flip = flip(config.flip),
        scale = scale(input),
    )
}

/// The elements that make the model's input of any raw picture.
///
/// Converting first and scaling then keeps the colour at full resolution until it is scaled: on the evaluation set
/// this order costs .0043 AP against the model's own resize, the other .0063, and it is no slower. The pixel aspect
/// ratio is asked for, because otherwise `videoscale` keeps the old one by changing the size, or adds borders.
pub(super) fn scale(input: Size) -> String {
    format!(
        "videoconvert ! video/x-raw,format=RGBA ! videoscale method=bilinear add-borders=false \
         ! video/x-raw,width={},height={},pixel-aspect-ratio=1/1",
        input.width, input.height
    )
}

fn head(config: &Config) -> String {
    match &config.uri {
        SourceUri::File { path, pace, .. } => format!(
            "uridecodebin name=source uri={} caps=video/x-raw(ANY) expose-all-streams=false ! identity name=pace sync={}",
            quoted(&format!("file://{}", encoded(path))),
            *pace != Pace::Unlimited
        ),
        SourceUri::Images { .. } => "appsrc name=source format=time block=true ! identity name=pace sync=true".into(),
        SourceUri::Test { pattern } => {
            let size = config.size.unwrap_or(TEST_SIZE);
            let rate = config.fps.map_or(TEST_RATE.into(), |fps| fps.fraction());
            format!(
                "videotestsrc name=source is-live=true pattern={pattern} \
                 ! video/x-raw,format=I420,width={},height={},framerate={rate}",
                size.width, size.height
            )
        }
        other => format!("{other}"),
    }
}

fn flip(flip: Flip) -> String {
    match flip {
        Flip::None => String::new(),
        Flip::Clockwise => " ! videoflip method=clockwise".into(),
        Flip::Rotate180 => " ! videoflip method=rotate-180".into(),
        Flip::Counterclockwise => " ! videoflip method=counterclockwise".into(),
        Flip::Horizontal => " ! videoflip method=horizontal-flip".into(),
        Flip::Vertical => " ! videoflip method=vertical-flip".into(),
    }
}

/// `text` as a value in GStreamer's notation, whatever is in it.
pub(super) fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
