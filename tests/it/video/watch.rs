//! One who watches `/cameras/NAME/video`, and what the fragments hold.

use super::TIMEOUT;
use crate::fake::Daemon;
use detector::geometry::Size;
use futures_util::StreamExt;
use gstreamer::{self as gst, prelude::*};
use gstreamer_app::AppSink;
use mp4_atom::{Any, ReadFrom};
use serde_json::Value;
use sightd::channels::video::Kind;
use std::{fs, path::Path};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite::Message};

/// One message after another of `/cameras/NAME/video`.
pub struct Watch(pub WebSocketStream<MaybeTlsStream<TcpStream>>);

#[derive(Debug)]
pub enum Heard {
    Start { mime: String, size: Size },
    Fragment(Fragment),
    Close { code: u16, reason: String },
}

#[derive(Clone, Debug)]
pub struct Fragment {
    pub seq: u64,
    pub captured_us: i64,
    pub at_us: u64,
    pub data: Vec<u8>,
}

impl Watch {
    pub async fn start(daemon: &Daemon, name: &str) -> Self {
        Self(connect_async(daemon.ws_url(&format!("/cameras/{name}/video"))).await.unwrap().0)
    }

    pub async fn hear(&mut self) -> Heard {
        loop {
            match timeout(TIMEOUT, self.0.next()).await.unwrap().unwrap().unwrap() {
                Message::Text(text) => {
                    let start: Value = serde_json::from_str(&text).unwrap();
                    assert_eq!(start["type"], "start");
                    let side = |name: &str| start[name].as_u64().unwrap() as u32;
                    let size = Size::new(side("width"), side("height"));
                    return Heard::Start { mime: start["mime"].as_str().unwrap().into(), size };
                }
                Message::Binary(bytes) => {
                    let number = |at: usize| u64::from_be_bytes(bytes[at..at + 8].try_into().unwrap());
                    let (seq, captured_us, at_us) = (number(0), number(8) as i64, number(16));
                    return Heard::Fragment(Fragment { seq, captured_us, at_us, data: bytes[24..].into() });
                }
                Message::Close(frame) => {
                    let frame = frame.unwrap();
                    return Heard::Close { code: frame.code.into(), reason: frame.reason.to_string() };
                }
                _ => {}
            }
        }
    }

    pub async fn start_message(&mut self) -> (String, Size) {
        match self.hear().await {
            Heard::Start { mime, size } => (mime, size),
            other => panic!("{other:?}"),
        }
    }

    pub async fn fragment(&mut self) -> Fragment {
        match self.hear().await {
            Heard::Fragment(fragment) => fragment,
            other => panic!("{other:?}"),
        }
    }

    pub async fn fragments(&mut self, count: usize) -> Vec<Fragment> {
        let mut fragments = Vec::new();
        while fragments.len() < count {
            fragments.push(self.fragment().await);
        }
        fragments
    }
}

/// What a fragment says of its frame.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    pub at_us: u64,
    pub duration_us: u64,
    pub kind: Kind,
    pub starts: bool,
}

impl Fragment {
    /// The fragment's boxes as an independent reader sees them, and that they are those they should be.
    pub fn sample(&self) -> Sample {
        let mut rest = self.data.as_slice();
        let mut boxes = Vec::new();
        while !rest.is_empty() {
            boxes.push(Any::read_from(&mut rest).unwrap());
        }
        let starts = boxes.len() == 4;
        if starts {
            assert!(matches!(&boxes[..2], [Any::Ftyp(_), Any::Moov(_)]), "{boxes:?}");
            boxes.drain(..2);
        }
        let [Any::Moof(moof), Any::Mdat(mdat)] = &boxes[..] else { panic!("{boxes:?}") };
        let [traf] = &moof.traf[..] else { panic!("{moof:?}") };
        let samples: Vec<_> = traf.trun[0].samples.iter().collect();
        let [sample] = samples[..] else { panic!("{samples:?}") };
        assert_eq!(sample.size, Some(mdat.data.len() as u32));
        let offset = traf.trun[0].data_offset.unwrap() as usize;
        let moof_at = self.data.windows(4).position(|window| window == b"moof").unwrap() - 4;
        assert!(self.data[moof_at + offset..] == mdat.data[..]);
        let kind = if sample.flags.unwrap() & 0x1_0000 == 0 { Kind::Key } else { Kind::Delta };
        let at_us = traf.tfdt.as_ref().unwrap().base_media_decode_time;
        Sample { at_us, duration_us: sample.duration.unwrap().into(), kind, starts }
    }
}

/// That the fragments follow each other without a gap on the timeline, and say so themselves.
pub fn assert_contiguous(fragments: &[Fragment]) {
    let samples: Vec<_> = fragments.iter().map(Fragment::sample).collect();
    for (fragment, sample) in fragments.iter().zip(&samples) {
        assert_eq!(fragment.at_us, sample.at_us);
    }
    for (pair, numbers) in samples.windows(2).zip(fragments.windows(2)) {
        assert_eq!(pair[0].at_us + pair[0].duration_us, pair[1].at_us);
        assert!(numbers[0].seq < numbers[1].seq);
    }
}

/// The pictures that GStreamer's decoder finds in the file made of `fragments`, and the number painted on each.
pub fn decoded_numbers(fragments: &[Fragment]) -> Vec<u16> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("video.mp4");
    fs::write(&file, fragments.iter().flat_map(|fragment| fragment.data.clone()).collect::<Vec<_>>()).unwrap();
    let pictures = decode(&file);
    pictures.iter().map(|(size, stride, luma)| painted(*size, *stride, luma)).collect()
}

/// Size, bytes in a row and luma of each picture of an MP4 file.
fn decode(file: &Path) -> Vec<(Size, usize, Vec<u8>)> {
    gst::init().unwrap();
    let text = format!(
        "filesrc location={} ! qtdemux ! h264parse ! avdec_h264 ! videoconvert ! video/x-raw,format=GRAY8 \
         ! appsink name=pictures sync=false",
        file.display()
    );
    let pipeline = gst::parse::launch(&text).unwrap().downcast::<gst::Pipeline>().unwrap();
    let sink = pipeline.by_name("pictures").unwrap().downcast::<AppSink>().unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let mut pictures = Vec::new();
    while let Ok(sample) = sink.pull_sample() {
        let info = gstreamer_video::VideoInfo::from_caps(sample.caps().unwrap()).unwrap();
        let luma = sample.buffer().unwrap().map_readable().unwrap().to_vec();
        pictures.push((Size::new(info.width(), info.height()), info.stride()[0] as usize, luma));
    }
    let error = pipeline.bus().unwrap().pop_filtered(&[gst::MessageType::Error]);
    pipeline.set_state(gst::State::Null).unwrap();
    assert!(error.is_none(), "{error:?}");
    pictures
}

/// The number in the blocks at the foot of a picture of `test://counter`.
fn painted(Size { width, height }: Size, stride: usize, luma: &[u8]) -> u16 {
    let row = (height * 15 / 16) as usize * stride;
    let is_bright = |bit: u32| luma[row + ((2 * bit + 1) * width / 32) as usize] > 128;
    (0..16).map(|bit| u16::from(is_bright(bit)) << bit).sum()
}
