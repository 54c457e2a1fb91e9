//! The structure of a JPEG file (ITU-T T.81, annex B): its size, how many scans it has, and where it ends.
//!
//! Segments are followed by their lengths, so that what they carry (comments, thumbnails) and what lies behind the end
//! of the picture (the video of a motion photo) is never taken for a marker of the picture.

use crate::geometry::Size;

const START_OF_IMAGE: u8 = 0xd8;
const END_OF_IMAGE: u8 = 0xd9;
const START_OF_SCAN: u8 = 0xda;
/// Huffman tables, the JPEG extension marker and arithmetic conditioning: the only markers in C0..=CF that do not
/// start a frame.
const NOT_A_FRAME: [u8; 3] = [0xc4, 0xc8, 0xcc];
/// Baseline and extended sequential frames.
const SEQUENTIAL_FRAMES: [u8; 2] = [0xc0, 0xc1];
/// The highest index of a coefficient in a block.
const LAST_COEFFICIENT: usize = 63;
/// Components of a frame that are followed; decoders take no more.
const MAX_COMPONENTS: usize = 4;

/// What a file consists of.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Structure {
    /// The size in pixels from the frame header; absent where there is none.
    pub size: Option<Size>,
    /// Number of scans.
    pub scans: usize,
    /// Whether a sequential picture has subsampled colours in scans of their own: zune-jpeg 0.5.15, the decoder, gives
    /// wrong colours for these without an error (its issue 422).
    pub is_misread: bool,
    /// How the file ends.
    pub ending: Ending,
}

/// How a JPEG file ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Ending {
    /// With an end-of-image marker; this many bytes belong to the picture.
    Marked(usize),
    /// Within or directly behind the data of a scan. `all_sent` tells whether the scans, if the last one is whole,
    /// hold every coefficient of every component.
    InScan { all_sent: bool },
    /// Within a segment, or before the first scan.
    #[default]
    InSegment,
}

/// The components of a frame, and which of their coefficients the scans have sent in full precision.
#[derive(Default)]
struct Components {
    /// Whether the frame is sequential, with sampling factors that the decoder reads wrong unless the components come
    /// in one scan.
    needs_one_scan: bool,
    sent: Vec<(u8, [bool; LAST_COEFFICIENT + 1])>,
}

impl Components {
    fn of_frame(marker: u8, frame: &[u8]) -> Self {
        let components = frame.get(6..).unwrap_or_default().chunks_exact(3).take(MAX_COMPONENTS);
        let is_subsampled = components.clone().any(|component| component[1] >> 4 > 2 || component[1] & 0x0f > 1);
        Self {
            needs_one_scan: SEQUENTIAL_FRAMES.contains(&marker) && is_subsampled,
            sent: components.map(|component| (component[0], [false; LAST_COEFFICIENT + 1])).collect(),
        }
    }

    /// Whether the decoder would misread a scan with this header.
    fn are_misread_in(&self, header: &[u8]) -> bool {
        self.needs_one_scan && header.first().is_some_and(|count| usize::from(*count) < self.sent.len())
    }

    /// Notes what a scan with this header sends. A header that does not fit is left to the decoder.
    fn note_scan(&mut self, header: &[u8]) {
        let Some((&count, rest)) = header.split_first() else { return };
        let selectors = usize::from(count) * 2;
        let (Some(ids), Some(&[first, last, precision])) = (rest.get(..selectors), rest.get(selectors..selectors + 3))
        else {
            return;
        };
        if precision & 0x0f != 0 {
            return; // lower bits follow in another scan
        }
        let (first, last) = (usize::from(first), usize::from(last).min(LAST_COEFFICIENT));
        for id in ids.chunks_exact(2).map(|selector| selector[0]) {
            for (_, sent) in self.sent.iter_mut().filter(|(component, _)| *component == id) {
                sent.iter_mut().take(last + 1).skip(first).for_each(|sent| *sent = true);
            }
        }
    }

    fn all_sent(&self) -> bool {
        self.sent.iter().all(|(_, sent)| sent.iter().all(|sent| *sent))
    }
}

/// Follows the segments of a file from its start-of-image marker to its end. Takes one pass over the bytes at most.
pub(super) fn structure(bytes: &[u8]) -> Structure {
    let mut found = Structure::default();
    let mut components = Components::default();
    let mut at = 2;
    while let Some((marker, behind)) = next_marker(bytes, at) {
        at = behind;
        if marker == END_OF_IMAGE {
            found.ending = Ending::Marked(at);
            return found;
        }
        // Markers without a segment: TEM, restarts, a second start of image.
        if matches!(marker, 0x01 | 0xd0..=START_OF_IMAGE) {
            continue;
        }
        found.ending = Ending::InSegment;
        let Some(segment) = segment(bytes, at) else { return found };
        at += 2 + segment.len();
        if marker == START_OF_SCAN {
            found.scans += 1;
            components.note_scan(segment);
            found.is_misread |= components.are_misread_in(segment);
            found.ending = Ending::InScan { all_sent: components.all_sent() };
        } else if matches!(marker, 0xc0..=0xcf) && !NOT_A_FRAME.contains(&marker) && found.size.is_none() {
            found.size = frame_size(segment);
            components = Components::of_frame(marker, segment);
        }
    }
    found
}

/// The next marker from `at` on, and the position behind it. Bytes of entropy-coded data, stuffed `FF 00` included,
/// and fill bytes are passed over.
fn next_marker(bytes: &[u8], mut at: usize) -> Option<(u8, usize)> {
    loop {
        at += bytes.get(at..)?.iter().position(|byte| *byte == 0xff)?;
        match bytes.get(at + 1)? {
            0x00 => at += 2,
            0xff => at += 1,
            marker => return Some((*marker, at + 2)),
        }
    }
}

/// The content of the segment whose length stands at `at`, without the length; `None` when it is not all there.
fn segment(bytes: &[u8], at: usize) -> Option<&[u8]> {
    let length = u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?);
    bytes.get(at + 2..at + usize::from(length.max(2)))
}

/// The size in a frame header (B.2.2): precision, lines, samples per line.
fn frame_size(frame: &[u8]) -> Option<Size> {
    let side = |at: usize| Some(u32::from(u16::from_be_bytes(*frame.get(at..)?.first_chunk()?)));
    Some(Size::new(side(3)?, side(1)?)).filter(|size| size.width > 0 && size.height > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: &[u8] = b"\xff\xc0\x00\x0b\x08\x00\x08\x00\x10\x01\x01\x11\x00"; // 16 x 8, one component
    const SCAN: &[u8] = b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00\x12\xff\x00\x34\xff\xd0\x56";

    #[test]
    fn segments_are_followed_to_the_end_of_the_image() {
        let comment = b"\xff\xfe\x00\x08\xff\xda\xff\xd9\xff\xda";
        let before = [b"\xff\xd8", comment.as_slice(), FRAME, SCAN, b"\xff\xff\xd9"].concat();
        let file = [before.as_slice(), SCAN, SCAN].concat();
        let size = Some(Size::new(16, 8));
        assert_eq!(
            structure(&file),
            Structure { size, scans: 1, is_misread: false, ending: Ending::Marked(before.len()) }
        );
    }

    #[test]
    fn an_end_without_marker_is_told_apart() {
        let whole = [b"\xff\xd8", FRAME, SCAN].concat();
        assert_eq!(structure(&whole).ending, Ending::InScan { all_sent: true });
        assert_eq!(structure(&whole[..whole.len() - SCAN.len() + 5]).ending, Ending::InSegment);
        assert_eq!(structure(&whole[..2]).ending, Ending::InSegment);
        let dc_only = b"\xff\xda\x00\x08\x01\x01\x00\x00\x00\x01\x12";
        assert_eq!(structure(&[b"\xff\xd8", FRAME, dc_only].concat()).ending, Ending::InScan { all_sent: false });
    }
}
