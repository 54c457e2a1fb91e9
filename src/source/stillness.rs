//! Pictures that do not change: of a camera that hangs, to the pixel; of a scene where nothing moves, within a tolerance.

use super::config::MotionGate;
use crate::frame::Motion;
use detector::pixels::Pixels;
use std::time::{Duration, Instant};

/// Tells whether the pixels are the very same as those of the frame before.
#[derive(Debug, Default)]
pub(super) struct FrozenWatch {
    last: Option<u64>,
}

impl FrozenWatch {
    /// Rows of which one is looked at.
    const EVERY: usize = 4;

    /// Whether `pixels` differ from those before.
    pub fn has_changed(&mut self, pixels: &Pixels) -> bool {
        let digest = (0..pixels.size.height).step_by(Self::EVERY).fold(0, |sum, y| digest(sum, pixels.row(y)));
        self.last.replace(digest) != Some(digest)
    }
}

/// Goes on from `sum` over `bytes`, eight at a time: a multiplication and a rotation each, as in FxHash.
fn digest(sum: u64, bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let step = |sum: u64, word: u64| (sum.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
    let sum = words.iter().fold(sum, |sum, word| step(sum, u64::from_le_bytes(*word)));
    rest.iter().fold(sum, |sum, byte| step(sum, u64::from(*byte)))
}

/// Tells whether anything moves in a scene: compares the means of 32x32 blocks with those of the last picture that
/// went to the engine, so that slow changes add up.
#[derive(Debug)]
pub(super) struct MotionWatch {
    gate: MotionGate,
    reference: Option<[u8; BLOCKS * BLOCKS]>,
    /// When something last moved, and when the reference was taken.
    moved: Option<Instant>,
    taken: Option<Instant>,
}

/// Blocks along each side.
const BLOCKS: usize = 32;

impl MotionWatch {
    /// A watch that has seen nothing: the first picture counts as moving.
    pub fn new(gate: MotionGate) -> Self {
        Self { gate, reference: None, moved: None, taken: None }
    }

    /// Whether the picture of `at` moves.
    pub fn measure(&mut self, pixels: &Pixels, at: Instant) -> Motion {
        let means = means(pixels);
        let changed = self.reference.as_ref().map_or(usize::MAX, |reference| {
            let differs = |(a, b): &(&u8, &u8)| a.abs_diff(**b) > self.gate.threshold;
            reference.iter().zip(&means).filter(differs).count()
        });
        let since = |then: Option<Instant>, limit_ms: u32| {
            then.is_none_or(|then| at.saturating_duration_since(then) >= Duration::from_millis(limit_ms.into()))
        };
        if changed >= usize::from(self.gate.blocks).max(1) {
            self.moved = Some(at);
        } else if since(self.moved, self.gate.linger_ms) && !since(self.taken, self.gate.refresh_ms) {
            return Motion::Still;
        }
        self.reference = Some(means);
        self.taken = Some(at);
        Motion::Moving
    }
}

/// The mean green level of each block; green stands for brightness. Every other pixel of every other row is enough.
fn means(pixels: &Pixels) -> [u8; BLOCKS * BLOCKS] {
    let (width, height) = (pixels.size.width as usize, pixels.size.height as usize);
    let mut sums = [(0u32, 0u32); BLOCKS * BLOCKS];
    for y in (0..height).step_by(2) {
        let row = pixels.row(y as u32);
        let line = y * BLOCKS / height * BLOCKS;
        for (x, pixel) in row.chunks_exact(Pixels::BYTES_PER_PIXEL).enumerate().step_by(2) {
            let (sum, count) = &mut sums[line + x * BLOCKS / width];
            *sum += u32::from(pixel[1]);
            *count += 1;
        }
    }
    sums.map(|(sum, count)| (sum / count.max(1)) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use detector::geometry::Size;

    /// A grey picture with a white square of `side` pixels at (`x`, `x`).
    fn picture(level: u8, x: usize, side: usize) -> Pixels {
        let size = Size::new(300, 300);
        let mut data = vec![level; 300 * 300 * 4];
        for y in x..x + side {
            data[(y * 300 + x) * 4..(y * 300 + x + side) * 4].fill(255);
        }
        Pixels { size, stride_bytes: 1200, data: data.into() }
    }

    #[test]
    fn one_pixel_is_a_change() {
        let mut watch = FrozenWatch::default();
        assert!(watch.has_changed(&picture(90, 0, 0)));
        assert!(!watch.has_changed(&picture(90, 0, 0)));
        assert!(watch.has_changed(&picture(90, 8, 1)));
        assert!(watch.has_changed(&picture(90, 0, 0)));
    }

    #[test]
    fn motion_is_seen_lingers_and_is_refreshed() {
        let gate = MotionGate { threshold: 10, blocks: 3, linger_ms: 1_000, refresh_ms: 5_000 };
        let mut watch = MotionWatch::new(gate);
        let start = Instant::now();
        let mut look = |ms: u64, pixels: Pixels| watch.measure(&pixels, start + Duration::from_millis(ms));
        assert_eq!(look(0, picture(90, 0, 0)), Motion::Moving, "the first");
        assert_eq!(look(500, picture(90, 0, 0)), Motion::Moving, "lingering");
        assert_eq!(look(1_500, picture(90, 0, 0)), Motion::Still);
        assert_eq!(look(1_600, picture(95, 0, 0)), Motion::Still, "below the threshold");
        assert_eq!(look(1_700, picture(90, 100, 30)), Motion::Moving, "someone comes in");
        assert_eq!(look(2_800, picture(90, 100, 30)), Motion::Still, "and stands");
        assert_eq!(look(2_900, picture(90, 130, 30)), Motion::Moving, "and walks on");
        assert_eq!(look(8_000, picture(90, 130, 30)), Motion::Moving, "refreshed");
        assert_eq!(look(8_100, picture(90, 130, 30)), Motion::Still);
        for level in 90..=102 {
            let motion = look(8_200 + u64::from(level), picture(level, 130, 30));
            assert_eq!(motion, if level <= 100 { Motion::Still } else { Motion::Moving }, "slow changes add up");
        }
    }

    #[test]
    fn any_size_is_measured() {
        for side in [1, 7, 31, 33, 640] {
            let size = Size::new(side, side);
            let pixels =
                Pixels { size, stride_bytes: side as usize * 4, data: vec![7; (side * side * 4) as usize].into() };
            assert_eq!(MotionWatch::new(MotionGate::default()).measure(&pixels, Instant::now()), Motion::Moving);
        }
    }
}
