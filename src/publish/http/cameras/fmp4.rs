//! Fragmented MP4 (ISO/IEC 14496-12) of one H.264 track, as Media Source Extensions take it: an initialization segment,
//! then one fragment for each frame.

use crate::channels::video::{Codec, Kind, VideoFrame};
use detector::geometry::Size;
use mp4_atom::{
    Atom, Avc1, Avcc, Dinf, Dref, DrefEntry, Encode, FourCC, Ftyp, Hdlr, Mdhd, Mdia, Mfhd, Minf, Moof, Moov, Mvex,
    Mvhd, Stbl, Stsd, Tfdt, Tfhd, Tkhd, Traf, Trak, Trex, Trun, TrunEntry, Url, Visual, Vmhd,
};

/// Units of the timeline in a second: microseconds.
const TIMESCALE: u32 = 1_000_000;
const TRACK: u32 = 1;
/// `sample_depends_on` and `sample_is_non_sync_sample` of ISO/IEC 14496-12, 8.8.3.1.
const KEY_FLAGS: u32 = 0x0200_0000;
const DELTA_FLAGS: u32 = 0x0101_0000;
/// Length of a box's size and type.
const BOX_HEADER: usize = 8;

/// Why a stream cannot be described.
#[derive(Debug, thiserror::Error)]
#[error("the encoder's description of its stream cannot be read: {0}")]
pub(crate) struct BadCodec(#[from] mp4_atom::Error);

/// The kind of the stream in the words of `MediaSource.isTypeSupported` (RFC 6381): profile, constraints and level of
/// `codec`.
///
/// # Errors
/// When the codec's record is cut short.
pub(crate) fn mime(codec: &Codec) -> Result<String, BadCodec> {
    match codec.avcc.get(1..4) {
        Some([profile, constraints, level]) => {
            Ok(format!("video/mp4; codecs=\"avc1.{profile:02X}{constraints:02X}{level:02X}\""))
        }
        _ => Err(mp4_atom::Error::OutOfBounds.into()),
    }
}

/// The initialization segment: `ftyp` and `moov`.
///
/// # Errors
/// When the codec's record cannot be read.
pub(crate) fn init_segment(codec: &Codec) -> Result<Vec<u8>, BadCodec> {
    let ftyp = Ftyp {
        major_brand: FourCC::new(b"iso5"),
        minor_version: 0,
        compatible_brands: [b"iso5", b"iso6", b"mp41"].map(FourCC::new).into(),
    };
    let trex = Trex { track_id: TRACK, default_sample_description_index: 1, ..Trex::default() };
    let moov = Moov {
        mvhd: Mvhd { timescale: TIMESCALE, next_track_id: TRACK + 1, ..Mvhd::default() },
        mvex: Some(Mvex { trex: vec![trex], ..Mvex::default() }),
        trak: vec![track(codec)?],
        ..Moov::default()
    };
    let mut segment = Vec::new();
    ftyp.encode(&mut segment)?;
    moov.encode(&mut segment)?;
    Ok(segment)
}

fn track(codec: &Codec) -> Result<Trak, BadCodec> {
    let Size { width, height } = codec.size;
    let side = |side: u32| u16::try_from(side).unwrap_or(u16::MAX);
    let (width, height) = (side(width), side(height));
    let avc1 = Avc1 {
        visual: Visual { data_reference_index: 1, width, height, ..Visual::default() },
        avcc: Avcc::decode_body(&mut codec.avcc.as_ref())?,
        ..Avc1::default()
    };
    let minf = Minf {
        vmhd: Some(Vmhd::default()),
        dinf: Dinf { dref: Dref { entries: vec![DrefEntry::Url(Url::default())] } },
        stbl: Stbl { stsd: Stsd { codecs: vec![avc1.into()] }, ..Stbl::default() },
        ..Minf::default()
    };
    Ok(Trak {
        tkhd: Tkhd {
            track_id: TRACK,
            enabled: true,
            in_movie: true,
            width: width.into(),
            height: height.into(),
            ..Tkhd::default()
        },
        mdia: Mdia {
            mdhd: Mdhd { timescale: TIMESCALE, language: "und".into(), ..Mdhd::default() },
            hdlr: Hdlr { handler: FourCC::new(b"vide"), name: "sightd".into() },
            minf,
        },
        ..Trak::default()
    })
}

/// Appends the fragment with `frame` alone, `moof` and `mdat`, to `out`.
pub(crate) fn append_fragment(frame: &VideoFrame, out: &mut Vec<u8>) {
    let sample = TrunEntry {
        duration: Some(frame.duration.as_micros() as u32),
        size: Some(frame.frame.data.len() as u32),
        flags: Some(match frame.frame.kind {
            Kind::Key => KEY_FLAGS,
            Kind::Delta => DELTA_FLAGS,
        }),
        cts: None,
    };
    let mut moof = Moof {
        mfhd: Mfhd { sequence_number: frame.index as u32 },
        traf: vec![Traf {
            tfhd: Tfhd { track_id: TRACK, default_base_is_moof: true, ..Tfhd::default() },
            tfdt: Some(Tfdt { base_media_decode_time: frame.at.as_micros() as u64 }),
            trun: vec![Trun { data_offset: Some(0), samples: vec![sample].into() }],
            ..Traf::default()
        }],
    };
    let start = out.len();
    let write = |moof: &Moof, out: &mut Vec<u8>| moof.encode(out).expect("a box of a few fixed fields");
    write(&moof, out);
    // Where the frame lies, from the beginning of `moof`; the length does not depend on it.
    let offset = out.len() - start + BOX_HEADER;
    moof.traf[0].trun[0].data_offset = Some(offset as i32);
    out.truncate(start);
    write(&moof, out);
    let length = BOX_HEADER + frame.frame.data.len();
    out.extend_from_slice(&(length as u32).to_be_bytes());
    out.extend_from_slice(b"mdat");
    out.extend_from_slice(&frame.frame.data);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        channels::video::{EncodedFrame, Video},
        frame::Stamp,
    };
    use bytes::Bytes;
    use jiff::Timestamp;
    use mp4_atom::{Any, ReadFrom};
    use std::{sync::Arc, time::Instant};

    /// The record of a 64x48 stream of x264: constrained baseline, level 1.
    const AVCC: &[u8] = &[
        1, 0x42, 0xc0, 0x0a, 0xff, 0xe1, 0, 22, 0x67, 0x42, 0xc0, 0x0a, 0xd9, 0x04, 0x3b, 0x01, 0x10, 0x00, 0x00, 0x03,
        0x00, 0x10, 0x00, 0x00, 0x03, 0x03, 0xc0, 0xf1, 0x22, 0x64, 1, 0, 4, 0x68, 0xcb, 0x83, 0xcb,
    ];

    fn codec(avcc: &'static [u8]) -> Codec {
        Codec { avcc: Bytes::from_static(avcc), size: Size::new(64, 48) }
    }

    fn boxes(mut bytes: &[u8]) -> Vec<Any> {
        let mut boxes = Vec::new();
        while !bytes.is_empty() {
            boxes.push(Any::read_from(&mut bytes).unwrap());
        }
        boxes
    }

    #[test]
    fn the_kind_names_profile_constraints_and_level() {
        assert_eq!(mime(&codec(AVCC)).unwrap(), "video/mp4; codecs=\"avc1.42C00A\"");
        assert!(mime(&codec(&AVCC[..3])).is_err());
    }

    #[test]
    fn the_initialization_segment_holds_the_codecs_record_as_it_came() {
        let segment = init_segment(&codec(AVCC)).unwrap();
        assert!(segment.windows(AVCC.len()).any(|window| window == AVCC));
        let [Any::Ftyp(_), Any::Moov(moov)] = &boxes(&segment)[..] else { panic!("{:?}", boxes(&segment)) };
        let track = &moov.trak[0];
        assert_eq!((track.tkhd.width.integer(), track.tkhd.height.integer()), (64, 48));
        assert_eq!(track.mdia.mdhd.timescale, TIMESCALE);
        assert_eq!(moov.mvex.as_ref().unwrap().trex[0].track_id, track.tkhd.track_id);
    }

    #[test]
    fn a_broken_record_is_an_error() {
        for length in 0..AVCC.len() {
            assert!(init_segment(&codec(&AVCC[..length])).is_err(), "{length} bytes");
        }
    }

    #[tokio::test]
    async fn a_fragment_is_one_frame_at_its_time() {
        let video = Arc::new(Video::default());
        video.set_offer(crate::channels::video::Offer::H264 { encoder: "test" });
        let mut viewer = video.watch();
        let (codec, captured) = (Arc::new(codec(AVCC)), Instant::now());
        for (seq, kind) in [(1, Kind::Key), (2, Kind::Delta)] {
            let stamp = Stamp { seq, captured_at: Timestamp::UNIX_EPOCH, captured };
            video.show(EncodedFrame { stamp, codec: codec.clone(), kind, data: Bytes::from_static(b"unit") });
        }
        for (index, at, duration, flags) in [(1, 0, 33_333, KEY_FLAGS), (2, 33_333, 1_000, DELTA_FLAGS)] {
            let frame = viewer.next().await.unwrap().frame;
            let mut fragment = b"before".to_vec();
            append_fragment(&frame, &mut fragment);
            let fragment = fragment.strip_prefix(b"before").unwrap();
            let [Any::Moof(moof), Any::Mdat(mdat)] = &boxes(fragment)[..] else { panic!("{:?}", boxes(fragment)) };
            assert_eq!((moof.mfhd.sequence_number, mdat.data.as_slice()), (index, &b"unit"[..]));
            let traf = &moof.traf[0];
            assert_eq!(traf.tfdt.as_ref().unwrap().base_media_decode_time, at);
            let sample = traf.trun[0].samples.get(0).unwrap();
            assert_eq!((sample.duration, sample.size, sample.flags), (Some(duration), Some(4), Some(flags)));
            let offset = traf.trun[0].data_offset.unwrap() as usize;
            assert_eq!(&fragment[offset..], b"unit");
        }
    }
}
