//! How the pictures of a file are turned to stand upright: read from the first video track of MP4 and QuickTime files,
//! because GStreamer 1.14 knows no mirrored ones, and a Jetson's elements none at all.

use super::{
    config::{Config, Flip},
    uri::SourceUri,
};
use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    ops::Range,
    path::Path,
};

/// Of a file, no more than this many boxes are looked at.
const MAX_BOXES: u32 = 10_000;

/// One of the eight ways in which a picture can be put: mirrored left to right or not, and then turned clockwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Turn {
    mirrored: bool,
    /// 0 to 3.
    quarters: u8,
}

impl Turn {
    const fn new(mirrored: bool, quarters: u8) -> Self {
        Self { mirrored, quarters }
    }

    /// This turn, and then `next`.
    pub fn then(self, next: Self) -> Self {
        let quarters = if next.mirrored { 4 - self.quarters } else { self.quarters };
        Self::new(self.mirrored != next.mirrored, (quarters + next.quarters) % 4)
    }

    /// The value of `videoflip`'s `video-direction`; none where there is nothing to turn.
    pub fn video_direction(self) -> Option<&'static str> {
        Some(match (self.mirrored, self.quarters) {
            (false, 0) => return None,
            (false, 1) => "90r",
            (false, 2) => "180",
            (false, _) => "90l",
            (true, 0) => "horiz",
            (true, 1) => "ur-ll",
            (true, 2) => "vert",
            (true, _) => "ul-lr",
        })
    }

    /// The value of `nvvidconv`'s `flip-method`.
    pub fn flip_method(self) -> u8 {
        match (self.mirrored, self.quarters) {
            (false, 0) => 0,
            (false, 1) => 3,
            (false, 2) => 2,
            (false, _) => 1,
            (true, 0) => 4,
            (true, 1) => 5,
            (true, 2) => 6,
            (true, _) => 7,
        }
    }

    /// The turn of a track's matrix, whose part for the plane is `x' = ax + cy, y' = bx + dy`.
    fn of_matrix([a, b, c, d]: [i32; 4]) -> Option<Self> {
        Some(match (a.signum(), b.signum(), c.signum(), d.signum()) {
            (1, 0, 0, 1) => Self::new(false, 0),
            (0, 1, -1, 0) => Self::new(false, 1),
            (-1, 0, 0, -1) => Self::new(false, 2),
            (0, -1, 1, 0) => Self::new(false, 3),
            (-1, 0, 0, 1) => Self::new(true, 0),
            (0, -1, -1, 0) => Self::new(true, 1),
            (1, 0, 0, -1) => Self::new(true, 2),
            (0, 1, 1, 0) => Self::new(true, 3),
            _ => return None,
        })
    }
}

impl From<Flip> for Turn {
    fn from(flip: Flip) -> Self {
        match flip {
            Flip::None => Self::new(false, 0),
            Flip::Clockwise => Self::new(false, 1),
            Flip::Rotate180 => Self::new(false, 2),
            Flip::Counterclockwise => Self::new(false, 3),
            Flip::Horizontal => Self::new(true, 0),
            Flip::Vertical => Self::new(true, 2),
        }
    }
}

/// What makes the pictures of `config`'s source stand upright, before they are cut and turned as the user wants.
pub(super) fn upright(config: &Config) -> Turn {
    match &config.uri {
        SourceUri::File { path, .. } => of_file(path).ok().flatten().unwrap_or_default(),
        _ => Turn::default(),
    }
}

fn of_file(path: &Path) -> io::Result<Option<Turn>> {
    if !path.metadata()?.is_file() {
        return Ok(None); // to open a pipe takes its first bytes away
    }
    let mut file = Boxes { file: File::open(path)?, left: MAX_BOXES };
    let end = file.file.metadata()?.len();
    let Some(movie) = file.find(0..end, b"moov")? else { return Ok(None) };
    let mut rest = movie;
    while let Some(track) = file.find(rest.clone(), b"trak")? {
        rest.start = track.end;
        if file.is_video(track.clone())? {
            return file.turn(track);
        }
    }
    Ok(None)
}

/// The boxes of a file, of which each holds its length and kind before its content.
struct Boxes {
    file: File,
    left: u32,
}

impl Boxes {
    /// The content of the first box of this kind in `range`.
    fn find(&mut self, range: Range<u64>, kind: &[u8; 4]) -> io::Result<Option<Range<u64>>> {
        let mut at = range.start;
        while at + 8 <= range.end && self.left > 0 {
            self.left -= 1;
            let header: [u8; 8] = self.read(at)?;
            let [a, b, c, d, found @ ..] = header;
            let (length, content) = match u32::from_be_bytes([a, b, c, d]) {
                0 => (range.end - at, at + 8),
                1 => (u64::from_be_bytes(self.read(at + 8)?), at + 16),
                length => (length.into(), at + 8),
            };
            let Some(end) = at.checked_add(length).filter(|end| (content..=range.end).contains(end)) else { break };
            if found == *kind {
                return Ok(Some(content..end));
            }
            at = end;
        }
        Ok(None)
    }

    fn is_video(&mut self, track: Range<u64>) -> io::Result<bool> {
        let Some(media) = self.find(track, b"mdia")? else { return Ok(false) };
        let Some(handler) = self.find(media, b"hdlr")? else { return Ok(false) };
        Ok(self.read(handler.start + 8)? == *b"vide")
    }

    fn turn(&mut self, track: Range<u64>) -> io::Result<Option<Turn>> {
        let Some(header) = self.find(track, b"tkhd")? else { return Ok(None) };
        let [version] = self.read(header.start)?;
        // Times and duration are longer in version 1.
        let matrix = header.start + if version == 1 { 52 } else { 40 };
        let mut part = |index: u64| Ok::<_, io::Error>(i32::from_be_bytes(self.read(matrix + index * 4)?));
        Ok(Turn::of_matrix([part(0)?, part(1)?, part(3)?, part(4)?]))
    }

    fn read<const N: usize>(&mut self, at: u64) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.file.seek(SeekFrom::Start(at))?;
        self.file.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Where the turn takes a corner, each coordinate -1 or 1, y downwards.
    fn moved(turn: Turn, (x, y): (i32, i32)) -> (i32, i32) {
        let start = (if turn.mirrored { -x } else { x }, y);
        (0..turn.quarters).fold(start, |(x, y), _| (-y, x))
    }

    fn all() -> impl Iterator<Item = Turn> {
        [false, true].into_iter().flat_map(|mirrored| (0..4).map(move |quarters| Turn::new(mirrored, quarters)))
    }

    #[test]
    fn two_turns_are_one() {
        for (first, second) in all().flat_map(|first| all().map(move |second| (first, second))) {
            for corner in [(1, 1), (1, -1), (-1, 1)] {
                let want = moved(second, moved(first, corner));
                assert_eq!(moved(first.then(second), corner), want, "{first:?} {second:?}");
            }
        }
    }

    #[test]
    fn a_matrix_moves_corners_as_its_turn() {
        for turn in all() {
            let ((a, b), (c, d)) = (moved(turn, (1, 0)), moved(turn, (0, 1)));
            assert_eq!(Turn::of_matrix([a, b, c, d].map(|part| part * 0x1_0000)), Some(turn));
        }
        assert_eq!(Turn::of_matrix([1, 1, -1, 1]), None, "an eighth of a turn");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in prop::collection::vec(prop_oneof![0u8..17, any::<u8>()], 0..64)) {
            let file = tempfile::NamedTempFile::new().unwrap();
            for kinds in [&b"moov"[..], b"moov\0\0\0\x10trak", b"moov\0\0\0\x20trak\0\0\0\x18mdia\0\0\0\x10hdlr"] {
                let content = [&[0, 0, 0, 0], kinds, &bytes].concat();
                std::fs::write(file.path(), content).unwrap();
                let _ = of_file(file.path());
            }
        }
    }
}
