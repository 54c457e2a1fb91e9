//! Square pixels: a scaler is told the size that a player would show. `nvvidconv` knows no aspect ratio, and `videoscale`
//! would choose the size that suits the branches behind it.

use super::{
    error::Fault,
    gst::{named, sink_pad},
};
use detector::geometry::Size;
use gstreamer::{self as gst, prelude::*};

/// The longest side that is asked for: more than the Jetson's decoder gives.
const MAX_SIDE: u32 = 4096;

/// Sets the size at the caps filter `square` behind `to-square` whenever video of another form comes; does
/// nothing where there is no such filter.
pub(super) fn keep(pipeline: &gst::Pipeline) -> Result<(), Fault> {
    if pipeline.by_name("square").is_none() {
        return Ok(());
    }
    let (convert, filter) = (named::<gst::Element>(pipeline, "to-square")?, named::<gst::Element>(pipeline, "square")?);
    let method = convert.find_property("flip-method").map(|_| convert.property_value("flip-method"));
    let method = method.and_then(|method| method.transform::<i32>().ok()?.get::<i32>().ok());
    let swaps_sides = matches!(method, Some(1 | 3 | 5 | 7));
    let plain = filter.property::<gst::Caps>("caps");
    sink_pad(&convert)?.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
        if let Some(gst::EventView::Caps(caps)) = info.event().map(|event| event.view()) {
            let mut wanted = plain.clone();
            if let Some(size) = caps.caps().structure(0).and_then(shown) {
                let (width, height) = if swaps_sides { (size.height, size.width) } else { (size.width, size.height) };
                wanted.make_mut().set("width", width as i32);
                wanted.make_mut().set("height", height as i32);
            }
            filter.set_property("caps", wanted);
        }
        gst::PadProbeReturn::Ok
    });
    Ok(())
}

/// The size at which a player shows video of this form.
fn shown(form: &gst::StructureRef) -> Option<Size> {
    let ratio = form.get::<gst::Fraction>("pixel-aspect-ratio").ok();
    let side = |name| u32::try_from(form.get::<i32>(name).ok()?).ok();
    let size = Size::new(side("width")?, side("height")?);
    Some(ratio.and_then(|ratio| squared(size, (ratio.numer(), ratio.denom()))).unwrap_or(size))
}

/// The size with square pixels; none where they are square. The width follows from the height; where it would be too long, the height from the width. Both are even, which 4:2:0
/// needs.
fn squared(size: Size, (across, down): (i32, i32)) -> Option<Size> {
    let (across, down) = (u64::try_from(across).ok()?, u64::try_from(down).ok()?);
    if across == down || across == 0 || down == 0 {
        return None;
    }
    let even = |side: u64| u32::try_from(side.next_multiple_of(2)).ok().map(|side| side.clamp(2, MAX_SIDE));
    let width = u64::from(size.width) * across / down;
    if width <= u64::from(MAX_SIDE) {
        Some(Size::new(even(width)?, size.height))
    } else {
        Some(Size::new(size.width, even(u64::from(size.height) * down / across)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_those_of_a_player() {
        for (size, ratio, want) in [
            (Size::new(360, 576), (32, 15), Some(Size::new(768, 576))),
            (Size::new(720, 576), (16, 15), Some(Size::new(768, 576))),
            (Size::new(1440, 1080), (4, 3), Some(Size::new(1920, 1080))),
            (Size::new(1440, 1080), (1, 1), None),
            (Size::new(1440, 1080), (0, 1), None),
            (Size::new(3840, 2160), (2, 1), Some(Size::new(3840, 1080))),
            (Size::new(16, 16), (1, 1000), Some(Size::new(2, 16))),
            (Size::new(16, 16), (i32::MAX, 1), Some(Size::new(16, 2))),
        ] {
            assert_eq!(squared(size, ratio), want, "{size} {ratio:?}");
        }
    }
}
