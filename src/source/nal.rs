//! Where a decoder may begin in H.264 and H.265: which coded pictures need none of those before them.

/// What a coded picture needs of those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// It refers to them.
    Dependent,
    /// Nothing: a key frame, or a recovery point that holds at once.
    Key,
    /// After this many more pictures nothing refers to them: a recovery point of an intra-refresh stream.
    KeyAfter(u32),
}

/// The two codecs that are made of NAL units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NalCodec {
    H264,
    H265,
}

/// How NAL units stand in a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// Each behind the bytes 0, 0, 1.
    StartCodes,
    /// Each behind its length, of so many bytes (1 to 4).
    Lengths(usize),
}

/// Of a supplemental message, no more than this is read.
const SEI_BYTES: usize = 4096;
/// The number of the recovery point among supplemental messages, in both codecs.
const RECOVERY_POINT: u32 = 6;

/// What the coded picture in `data` needs of those before it. What cannot be read counts as dependent.
pub(super) fn entry(codec: NalCodec, framing: Framing, data: &[u8]) -> Entry {
    let mut picture = Picture::default();
    match framing {
        Framing::StartCodes => start_code_units(data, |unit| picture.take(codec, unit)),
        Framing::Lengths(bytes) => length_units(data, bytes.clamp(1, 4), |unit| picture.take(codec, unit)),
    }
    picture.entry()
}

#[derive(Default)]
struct Picture {
    is_key: bool,
    recovery: Option<u32>,
    intra_slices: u32,
    other_slices: u32,
}

impl Picture {
    fn take(&mut self, codec: NalCodec, unit: &[u8]) {
        let Some(&header) = unit.first() else { return };
        match (codec, header & 0x1f, header >> 1 & 0x3f) {
            (NalCodec::H264, 5, _) | (NalCodec::H265, _, 16..=21) => self.is_key = true,
            (NalCodec::H264, 1 | 2, _) => match slice_is_intra(&unit[1..]) {
                Some(true) => self.intra_slices += 1,
                _ => self.other_slices += 1,
            },
            (NalCodec::H264, 6, _) => self.recovery = self.recovery.or_else(|| recovery_point(codec, &unit[1..])),
            (NalCodec::H265, _, 39) => {
                self.recovery = self.recovery.or_else(|| recovery_point(codec, unit.get(2..).unwrap_or_default()));
            }
            _ => {}
        }
    }

    fn entry(&self) -> Entry {
        match self.recovery {
            _ if self.is_key => Entry::Key,
            Some(0) => Entry::Key,
            Some(pictures) => Entry::KeyAfter(pictures),
            // An I picture that is not said to be more: some cameras send nothing else to begin at.
            None if self.intra_slices > 0 && self.other_slices == 0 => Entry::Key,
            None => Entry::Dependent,
        }
    }
}

fn start_code_units(data: &[u8], mut take: impl FnMut(&[u8])) {
    let (mut start, mut at) = (None, 0);
    while at + 3 <= data.len() {
        match data[at..at + 3] {
            [0, 0, 1] => {
                if let Some(start) = start.replace(at + 3) {
                    take(&data[start..at]);
                }
                at += 3;
            }
            [_, _, last] if last > 1 => at += 3,
            _ => at += 1,
        }
    }
    if let Some(start) = start {
        take(&data[start..]);
    }
}

fn length_units(mut data: &[u8], bytes: usize, mut take: impl FnMut(&[u8])) {
    while let Some((length, rest)) = data.split_at_checked(bytes) {
        let length = length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
        let Some((unit, rest)) = rest.split_at_checked(length) else { return };
        take(unit);
        data = rest;
    }
}

/// Whether the slice with this header, behind its first byte, holds only intra-coded blocks.
fn slice_is_intra(header: &[u8]) -> Option<bool> {
    let plain = unescaped(&header[..header.len().min(16)]);
    let mut bits = Bits { data: &plain, at: 0 };
    bits.exp_golomb()?; // the number of its first block
    Some(matches!(bits.exp_golomb()? % 5, 2 | 4))
}

/// After how many pictures the recovery point among the supplemental messages in `unit` holds.
fn recovery_point(codec: NalCodec, unit: &[u8]) -> Option<u32> {
    let plain = unescaped(&unit[..unit.len().min(SEI_BYTES)]);
    let mut rest = plain.as_slice();
    while rest.len() > 2 {
        let kind = message_number(&mut rest)?;
        let length = message_number(&mut rest)? as usize;
        let (message, after) = rest.split_at_checked(length)?;
        if kind == RECOVERY_POINT {
            let coded = Bits { data: message, at: 0 }.exp_golomb()?;
            return Some(match codec {
                NalCodec::H264 => coded,
                // Signed: odd numbers stand for those above 0; a point that lies before the picture holds at once.
                NalCodec::H265 => {
                    if coded % 2 == 1 {
                        coded / 2 + 1
                    } else {
                        0
                    }
                }
            });
        }
        rest = after;
    }
    None
}

/// A number of a supplemental message: bytes of 255 and one more, added up.
fn message_number(rest: &mut &[u8]) -> Option<u32> {
    let mut number = 0;
    loop {
        let (&byte, after) = rest.split_first()?;
        *rest = after;
        number += u32::from(byte);
        if byte != 255 {
            return Some(number);
        }
    }
}

/// `data` without the bytes of 3 that keep start codes out of it.
fn unescaped(data: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(data.len());
    let mut zeros = 0;
    for &byte in data {
        if zeros >= 2 && byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        plain.push(byte);
    }
    plain
}

struct Bits<'a> {
    data: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn bit(&mut self) -> Option<u32> {
        let byte = *self.data.get(self.at / 8)?;
        let bit = byte >> (7 - self.at % 8) & 1;
        self.at += 1;
        Some(bit.into())
    }

    /// A number of the variable length that both codecs use.
    fn exp_golomb(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while self.bit()? == 0 {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        let mut number = 1u64;
        for _ in 0..zeros {
            number = number << 1 | u64::from(self.bit()?);
        }
        u32::try_from(number - 1).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A non-IDR slice: block 0, then the type in variable length (P: 5 -> 00110, I: 7 -> 0001000).
    const P_SLICE: [u8; 2] = [0x41, 0b1001_1000];
    const I_SLICE: [u8; 2] = [0x41, 0b1000_1000];

    fn with_start_codes(units: &[&[u8]]) -> Vec<u8> {
        units.iter().flat_map(|unit| [&[0, 0, 0, 1], *unit].concat()).collect()
    }

    fn with_lengths(units: &[&[u8]]) -> Vec<u8> {
        units.iter().flat_map(|unit| [&(unit.len() as u32).to_be_bytes()[..], unit].concat()).collect()
    }

    #[test]
    fn entries_of_h264() {
        // A supplemental message of another kind before the recovery point.
        let recovery = |frames: u8| [0x06, 0x05, 0x02, 0xaa, 0xbb, 0x06, 0x01, frames, 0x80];
        for (units, want) in [
            (vec![&P_SLICE[..]], Entry::Dependent),
            (vec![&[0x67, 0x42], &[0x68, 0xce], &[0x65, 0x88]], Entry::Key),
            (vec![&I_SLICE[..], &I_SLICE[..]], Entry::Key),
            (vec![&I_SLICE[..], &P_SLICE[..]], Entry::Dependent),
            (vec![&recovery(0b1000_0000)[..], &P_SLICE[..]], Entry::Key),
            (vec![&recovery(0b0010_1000)[..], &P_SLICE[..]], Entry::KeyAfter(4)),
            (vec![&[0x06, 0x06][..], &P_SLICE[..]], Entry::Dependent),
            (vec![], Entry::Dependent),
        ] {
            assert_eq!(entry(NalCodec::H264, Framing::StartCodes, &with_start_codes(&units)), want, "{units:?}");
            assert_eq!(entry(NalCodec::H264, Framing::Lengths(4), &with_lengths(&units)), want, "{units:?}");
        }
    }

    #[test]
    fn entries_of_h265() {
        let slice = |kind: u8| [kind << 1, 1, 0x80];
        let recovery = |pictures: u8| [39 << 1, 1, 0x06, 0x01, pictures, 0x80];
        for (units, want) in [
            (vec![&slice(1)[..]], Entry::Dependent),
            (vec![&slice(19)[..]], Entry::Key),
            (vec![&slice(21)[..]], Entry::Key),
            (vec![&recovery(0b1000_0000)[..], &slice(1)[..]], Entry::Key),
            (vec![&recovery(0b0010_0000)[..], &slice(1)[..]], Entry::KeyAfter(2)),
            (vec![&recovery(0b0110_0000)[..], &slice(1)[..]], Entry::Key),
        ] {
            assert_eq!(entry(NalCodec::H265, Framing::StartCodes, &with_start_codes(&units)), want, "{units:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(data in prop::collection::vec(prop_oneof![0u8..8, any::<u8>()], 0..200), bytes in 0usize..6) {
            for codec in [NalCodec::H264, NalCodec::H265] {
                entry(codec, Framing::StartCodes, &data);
                entry(codec, Framing::Lengths(bytes), &data);
            }
        }
    }
}
