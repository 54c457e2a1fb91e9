//! MJPEG over HTTP: cuts a body of many parts into pictures, in every dialect that cameras speak.
//!
//! The boundary may be quoted or not, written with its dashes in the header or not, or stand nowhere; the body may begin
//! with the first part's headers; lines may end with a line feed only; the length of a part may be missing or 0; the
//! last boundary may be missing. Where neither length nor boundary is known, a JPEG picture ends at its end marker.

use super::{
    error::Fault,
    gst::{named, sink_pad},
    progress::Progress,
};
use detector::sync::lock;
use gstreamer::{self as gst, prelude::*};
use gstreamer_app::{AppSink, AppSinkCallbacks, AppSrc};
use std::{
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

/// The longest headers of a part, in bytes.
const MAX_HEADERS: usize = 8 * 1024;
/// The longest part, in bytes.
pub(super) const MAX_PART: usize = 16 * 1024 * 1024;

/// Why a body cannot be read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadMultipart {
    #[error("the answer is no MJPEG stream: there is no part in its first {MAX_HEADERS} bytes")]
    Headers,
    #[error("a part of the stream is longer than {} MiB", MAX_PART / 1024 / 1024)]
    Part,
}

/// Takes the body that reaches the sink `body` of `pipeline`, and gives its parts to the source `parts`; does nothing where
/// there is no `body`.
pub(super) fn serve(pipeline: &gst::Pipeline, progress: Arc<Progress>) -> Result<(), Fault> {
    if pipeline.by_name("body").is_none() {
        return Ok(());
    }
    let (body, parts) = (named::<AppSink>(pipeline, "body")?, named::<AppSrc>(pipeline, "parts")?);
    let parser = Arc::new(Mutex::new(Parser::new()));
    let (typed, fed, ended) = (parser.clone(), parser.clone(), parser);
    sink_pad(&body)?.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
        if let Some(value) = info.event().and_then(|event| content_type(event)) {
            lock(&typed).content_type(&value);
        }
        gst::PadProbeReturn::Ok
    });
    let source = parts.clone();
    let new_sample = move |sink: &AppSink| {
        let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
        let piece = sample.buffer().and_then(|buffer| buffer.map_readable().ok()).ok_or(gst::FlowError::Error)?;
        let read = lock(&fed).feed(&piece, |part| push(&source, part, &progress));
        read.map(|()| gst::FlowSuccess::Ok).map_err(|problem| {
            gst::element_error!(sink, gst::StreamError::Demux, ["{problem}"]);
            gst::FlowError::Error
        })
    };
    let eos = move |_: &AppSink| {
        lock(&ended).finish(|part| {
            let _ = parts.push_buffer(gst::Buffer::from_mut_slice(part));
        });
        let _ = parts.end_of_stream(); // refused only while the pipeline goes down
    };
    body.set_callbacks(AppSinkCallbacks::builder().new_sample(new_sample).eos(eos).build());
    Ok(())
}

/// Hands a part over when the one before it is taken, so that what the decoder is too slow for waits in the network. What
/// waits here must see that the pipeline goes down, because the sink goes down before the source.
fn push(source: &AppSrc, part: Vec<u8>, progress: &Progress) {
    while source.current_level_bytes() > 0 && !progress.is_closing() {
        thread::sleep(Duration::from_millis(2));
    }
    let _ = source.push_buffer(gst::Buffer::from_mut_slice(part));
}

/// The content type in the event with the answer's headers.
fn content_type(event: &gst::EventRef) -> Option<String> {
    let headers = event.structure().filter(|event| event.name() == "http-headers")?;
    let headers = headers.get::<gst::Structure>("response-headers").ok()?;
    let name = headers.fields().find(|name| name.eq_ignore_ascii_case("content-type"))?;
    headers.get::<String>(name.as_str()).ok()
}

/// Reads a body piece by piece; holds no more than one part of [`MAX_PART`] bytes, and the piece given last.
#[derive(Debug)]
pub(super) struct Parser {
    data: Vec<u8>,
    state: State,
    /// What may stand at the beginning of a line between parts.
    delimiters: Vec<Vec<u8>>,
    /// Whether one of them was seen.
    is_delimited: bool,
    max_part: usize,
}

#[derive(Debug)]
enum State {
    /// Between parts, or in a part's headers.
    Headers { seen: bool, length: Option<usize>, bytes: usize },
    /// In a part whose length is known.
    Counted(usize),
    /// In a part that ends at the next delimiter, or with its picture.
    Open { delimiter: Search, picture: JpegEnd },
}

const BETWEEN: State = State::Headers { seen: false, length: None, bytes: 0 };

impl Parser {
    pub fn new() -> Self {
        Self { data: Vec::new(), state: BETWEEN, delimiters: Vec::new(), is_delimited: false, max_part: MAX_PART }
    }

    /// Takes note of the answer's content type, which may name the boundary.
    pub fn content_type(&mut self, value: &str) {
        let named = value.split(';').skip(1).filter_map(|part| part.trim().split_once('='));
        let boundary = named.filter(|(name, _)| name.trim().eq_ignore_ascii_case("boundary")).map(|(_, value)| value);
        let Some(boundary) = boundary.map(|value| value.trim().trim_matches('"')).next() else { return };
        if !boundary.is_empty() && boundary.len() <= MAX_HEADERS {
            self.delimiters.push(format!("--{boundary}").into_bytes());
            if boundary.starts_with("--") {
                self.delimiters.push(boundary.into());
            }
        }
    }

    /// Takes the next piece of the body, and gives each part that it ends to `part`.
    ///
    /// # Errors
    /// When headers or a part are longer than they may be; the body cannot be read on then.
    pub fn feed(&mut self, piece: &[u8], mut part: impl FnMut(Vec<u8>)) -> Result<(), BadMultipart> {
        self.data.extend_from_slice(piece);
        loop {
            let goes_on = match self.state {
                State::Headers { .. } => self.line()?,
                State::Counted(length) => self.counted(length, &mut part)?,
                State::Open { .. } => self.open(&mut part)?,
            };
            if !goes_on {
                return Ok(());
            }
        }
    }

    /// Takes the end of the body: what is left may be a whole picture.
    pub fn finish(&mut self, part: impl FnOnce(Vec<u8>)) {
        let data = std::mem::take(&mut self.data);
        if matches!(self.state, State::Open { .. }) {
            let end = data.len() - data.iter().rev().take_while(|byte| matches!(**byte, b'\r' | b'\n')).count();
            if data[..end].ends_with(&[0xff, 0xd9]) {
                part(data[..end].to_vec());
            }
        }
        self.state = BETWEEN;
    }

    /// Takes one line of the headers, or what stands between parts.
    fn line(&mut self) -> Result<bool, BadMultipart> {
        let State::Headers { seen, length, bytes } = &mut self.state else { return Ok(true) };
        let Some(end) = self.data.iter().position(|byte| *byte == b'\n') else {
            return if *bytes + self.data.len() > MAX_HEADERS { Err(BadMultipart::Headers) } else { Ok(false) };
        };
        *bytes += end + 1;
        if *bytes > MAX_HEADERS {
            return Err(BadMultipart::Headers);
        }
        let line = self.data[..end].trim_ascii_end().to_vec();
        self.data.drain(..=end);
        if line.is_empty() {
            if *seen {
                self.state = match *length {
                    Some(length) if length > self.max_part => return Err(BadMultipart::Part),
                    Some(length) if length > 0 => State::Counted(length),
                    _ => State::Open { delimiter: Search::START, picture: JpegEnd::default() },
                };
            }
        } else if line.starts_with(b"--") {
            self.boundary(line);
        } else if let Some(colon) = line.iter().position(|byte| *byte == b':') {
            let (name, value) = line.split_at(colon);
            *seen = true;
            if name.eq_ignore_ascii_case(b"content-length") {
                *length = str::from_utf8(&value[1..]).ok().and_then(|value| value.trim().parse().ok());
            }
        }
        Ok(true)
    }

    /// A line between parts: the delimiter, whatever the answer's header says it is.
    fn boundary(&mut self, line: Vec<u8>) {
        let is_known = self.delimiters.iter().any(|known| line.starts_with(known));
        if !is_known && !self.is_delimited {
            self.delimiters = vec![line];
        }
        if is_known || !self.is_delimited {
            self.is_delimited = true;
            self.state = BETWEEN;
        }
    }

    fn counted(&mut self, length: usize, part: &mut impl FnMut(Vec<u8>)) -> Result<bool, BadMultipart> {
        if self.data.len() < length {
            return Ok(false);
        }
        self.take(length, length, part);
        Ok(true)
    }

    fn open(&mut self, part: &mut impl FnMut(Vec<u8>)) -> Result<bool, BadMultipart> {
        let State::Open { delimiter, picture } = &mut self.state else { return Ok(true) };
        let delimiter = delimiter.find(&self.data, &self.delimiters);
        let delimited = delimiter.map(|start| (without_line_end(&self.data[..start]), start));
        // Where no delimiter was ever seen, there may be none.
        let pictured = if self.is_delimited { None } else { picture.find(&self.data).map(|end| (end, end)) };
        let found = delimited.into_iter().chain(pictured).min_by_key(|(_, next)| *next);
        match found {
            Some((end, next)) if end <= self.max_part => {
                self.take(end, next, part);
                Ok(true)
            }
            None if self.data.len() <= self.max_part => Ok(false),
            _ => Err(BadMultipart::Part),
        }
    }

    /// The part is the first `end` bytes; the next begins at `next`.
    fn take(&mut self, end: usize, next: usize, part: &mut impl FnMut(Vec<u8>)) {
        if end > 0 {
            part(self.data[..end].to_vec());
        }
        self.data.drain(..next);
        self.state = BETWEEN;
    }
}

/// How far a part was searched for the delimiter behind it.
#[derive(Debug)]
struct Search {
    at: usize,
    /// Whether a line begins at `at`.
    at_line: bool,
}

impl Search {
    const START: Self = Self { at: 0, at_line: true };

    /// Where a line of `data` begins with one of `delimiters`.
    fn find(&mut self, data: &[u8], delimiters: &[Vec<u8>]) -> Option<usize> {
        loop {
            let rest = &data[self.at..];
            if self.at_line {
                if delimiters.iter().any(|delimiter| rest.starts_with(delimiter)) {
                    return Some(self.at);
                }
                // The beginning of one: what follows must be waited for.
                if delimiters.iter().any(|delimiter| delimiter.starts_with(rest)) {
                    return None;
                }
            }
            let end = rest.iter().position(|byte| *byte == b'\n');
            self.at_line = end.is_some();
            self.at += end.map_or(rest.len(), |end| end + 1);
            end?;
        }
    }
}

/// The length of `data` without the line end that belongs to the delimiter behind it.
fn without_line_end(data: &[u8]) -> usize {
    let data = data.strip_suffix(b"\n").unwrap_or(data);
    data.strip_suffix(b"\r").unwrap_or(data).len()
}

/// Looks for the end of a JPEG picture, segment by segment, because pictures may hold smaller ones.
#[derive(Debug, Default)]
struct JpegEnd {
    at: usize,
}

impl JpegEnd {
    /// The picture's length, once its end is there.
    fn find(&mut self, data: &[u8]) -> Option<usize> {
        loop {
            let &[mark, kind] = data.get(self.at..self.at + 2)? else { return None };
            match (mark, kind) {
                // Fill bytes, escaped pixels, restarts and the picture's start have no length.
                (0xff, 0xff) => self.at += 1,
                (0xff, 0xd9) => return Some(self.at + 2),
                (0xff, 0x00 | 0x01 | 0xd0..=0xd8) => self.at += 2,
                (0xff, _) => {
                    let &[high, low] = data.get(self.at + 2..self.at + 4)? else { return None };
                    self.at += 2 + usize::from(u16::from_be_bytes([high, low]));
                }
                _ => self.at += 1, // coded pixels; or it is broken, and the next mark is looked for
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parts(content_type: &str, body: &[u8], piece: usize) -> (Vec<Vec<u8>>, Result<(), BadMultipart>) {
        let (mut parser, mut parts) = (Parser::new(), Vec::new());
        parser.content_type(content_type);
        let fed = body.chunks(piece).try_for_each(|piece| parser.feed(piece, |part| parts.push(part)));
        parser.finish(|part| parts.push(part));
        (parts, fed)
    }

    fn jpeg(level: u8, thumbnail: Option<Vec<u8>>) -> Vec<u8> {
        let mut file = std::io::Cursor::new(Vec::new());
        let picture = image::GrayImage::from_fn(40, 30, |x, y| image::Luma([level.wrapping_mul((x * y) as u8)]));
        picture.write_to(&mut file, image::ImageFormat::Jpeg).unwrap();
        let file = file.into_inner();
        let Some(inner) = thumbnail else { return file };
        let length = (inner.len() as u16 + 2).to_be_bytes();
        [&[0xff, 0xd8, 0xff, 0xe1], &length[..], &inner, &file[2..]].concat()
    }

    fn body(pictures: &[Vec<u8>], first: &str, before: &str, with_length: bool, line: &str, last: &str) -> Vec<u8> {
        let mut body = Vec::new();
        for (index, picture) in pictures.iter().enumerate() {
            let length = if with_length { format!("Content-Length: {}{line}", picture.len()) } else { String::new() };
            let before = if index == 0 { first } else { before };
            body.extend(format!("{before}Content-Type: image/jpeg{line}{length}{line}").bytes());
            body.extend(picture);
            body.extend(line.bytes());
        }
        body.extend(last.bytes());
        body
    }

    #[test]
    fn every_dialect_gives_the_same_pictures() {
        let pictures = [jpeg(3, None), jpeg(5, Some(jpeg(7, None))), jpeg(9, None)];
        let quoted = "multipart/x-mixed-replace; boundary=\"cut\"";
        let (plain, dashed) = ("multipart/x-mixed-replace;boundary=cut", "multipart/x-mixed-replace; boundary=--cut");
        for content_type in [plain, quoted, dashed, "multipart/x-mixed-replace", "multipart/x-mixed-replace;boundary=x"]
        {
            for with_length in [true, false] {
                for (line, last) in [("\r\n", "--cut--\r\n"), ("\n", "--cut--\n"), ("\r\n", "")] {
                    let cut = format!("--cut{line}");
                    for first in [cut.as_str(), "", line] {
                        let body = body(&pictures, first, &cut, with_length, line, last);
                        for piece in [1, 7, 100, body.len()] {
                            let (parts, fed) = parts(content_type, &body, piece);
                            assert_eq!(fed, Ok(()));
                            assert!(parts == pictures, "{content_type} {with_length} {line:?} {first:?} {piece}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn parts_need_no_boundary_at_all() {
        let pictures = [jpeg(3, None), jpeg(5, Some(jpeg(7, None)))];
        for with_length in [true, false] {
            let body = body(&pictures, "", "", with_length, "\r\n", "");
            assert_eq!(parts("", &body, 50), (pictures.to_vec(), Ok(())));
        }
    }

    #[test]
    fn nothing_takes_memory_without_end() {
        let mut parser = Parser { max_part: 1000, ..Parser::new() };
        parser.feed(b"--cut\r\nContent-Type: image/jpeg\r\n\r\n", |_| {}).unwrap();
        let fed = (0..).map(|_| parser.feed(&[b'x'; 100], |_| {})).take(20).find(Result::is_err);
        assert_eq!(fed, Some(Err(BadMultipart::Part)));
        assert!(parser.data.len() <= 1100);
        let mut parser = Parser { max_part: 1000, ..Parser::new() };
        assert_eq!(parser.feed(b"A: b\nContent-Length: 1001\n\n", |_| {}), Err(BadMultipart::Part));
        for junk in [&b"x"[..], b"x\n", b"a: b\n", b"\n"] {
            let mut parser = Parser::new();
            let fed = (0..MAX_HEADERS + 1).try_for_each(|_| parser.feed(junk, |_| panic!("a part")));
            assert_eq!(fed, Err(BadMultipart::Headers), "{junk:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(
            pieces in prop::collection::vec(prop_oneof![
                Just(b"--cut\r\n".to_vec()), Just(b"A: b\n\n".to_vec()), Just(b"Content-Length: 5\r\n\r\n".to_vec()),
                Just(vec![0xff, 0xd8, 0xff, 0xd9]), Just(b"\n--c".to_vec()), prop::collection::vec(any::<u8>(), 0..20),
            ], 0..30),
            piece in 1usize..50,
        ) {
            let body = pieces.concat();
            let (whole, _) = parts("multipart/x-mixed-replace; boundary=cut", &body, body.len().max(1));
            let (split, _) = parts("multipart/x-mixed-replace; boundary=cut", &body, piece);
            prop_assert_eq!(whole, split);
        }
    }
}
