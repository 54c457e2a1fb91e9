//! Constants as the file holds them: a view of the file's bytes, turned into numbers only when needed.

use bytes::Bytes;

/// The largest constant that a file may spell as one repeated value, in elements.
const MAX_REPEATED: usize = 1 << 20;

/// Type of a constant's elements in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Element {
    /// 32-bit float.
    F32,
    /// 64-bit float.
    F64,
    /// Unsigned byte.
    U8,
    /// Signed byte.
    I8,
    /// Unsigned 16-bit integer.
    U16,
    /// 32-bit integer.
    I32,
    /// 64-bit integer.
    I64,
}

impl Element {
    /// Bytes for each element.
    pub(super) fn size(self) -> usize {
        match self {
            Self::U8 | Self::I8 => 1,
            Self::U16 => 2,
            Self::F32 | Self::I32 => 4,
            Self::F64 | Self::I64 => 8,
        }
    }
}

/// From a stored integer `q` to the value it stands for.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Quantisation {
    /// The elements are the values.
    None,
    /// `q * scale + min`, in 32-bit floats (TensorFlow.js).
    ScaleMin {
        /// Layer between two values.
        scale: f32,
        /// Value of `q` = 0.
        min: f32,
    },
    /// `(q - zero) * scale` (TensorFlow Lite); one entry for the whole tensor or one for each index of `axis`.
    ZeroPoint {
        /// Steps between two values.
        scales: Vec<f32>,
        /// The `q` that stand for 0; none means 0.
        zeros: Vec<i64>,
        /// The dimension along which the entries go.
        axis: usize,
    },
}

/// A constant of the source file.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Constant {
    /// Dimensions, outermost first; empty for a scalar.
    pub shape: Vec<usize>,
    /// Type of the stored elements.
    pub element: Element,
    /// The stored elements, little-endian; fewer than the shape asks for when the last one repeats.
    pub raw: Bytes,
    /// From stored elements to values.
    pub quantisation: Quantisation,
}

/// Why a constant cannot be read, without its name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConstantError {
    /// Sizes disagree.
    #[error("its shape {shape:?} needs {expected} bytes, but the file has {found}")]
    Length {
        /// Dimensions.
        shape: Vec<usize>,
        /// Bytes that the shape asks for.
        expected: usize,
        /// Bytes that are there.
        found: usize,
    },
    /// More elements than a file can hold.
    #[error("its shape {shape:?} is too large")]
    TooLarge {
        /// Dimensions.
        shape: Vec<usize>,
    },
    /// Quantisation parameters do not fit the shape.
    #[error("its quantisation has {scales} scales and {zeros} zero points, which fits no dimension of {shape:?}")]
    Quantisation {
        /// How many scales.
        scales: usize,
        /// How many zero points.
        zeros: usize,
        /// Dimensions.
        shape: Vec<usize>,
    },
}

impl Constant {
    /// A constant of 32-bit floats.
    #[cfg(test)]
    pub(super) fn of_floats(shape: Vec<usize>, values: &[f32]) -> Self {
        let raw: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        Self { shape, element: Element::F32, raw: raw.into(), quantisation: Quantisation::None }
    }

    /// How many elements the shape asks for.
    ///
    /// # Errors
    /// [`ConstantError::TooLarge`] when that is no size of this machine.
    pub(super) fn count(&self) -> Result<usize, ConstantError> {
        let too_large = || ConstantError::TooLarge { shape: self.shape.clone() };
        let count = self.shape.iter().try_fold(1_usize, |n, &d| n.checked_mul(d)).ok_or_else(too_large)?;
        count.checked_mul(8).map(|_| count).ok_or_else(too_large)
    }

    /// The values as 32-bit floats.
    ///
    /// # Errors
    /// Those of [`ConstantError`].
    pub(super) fn floats(&self) -> Result<Vec<f32>, ConstantError> {
        Ok((0..self.check()?).map(|i| self.float(i)).collect())
    }

    /// The values as whole numbers.
    ///
    /// # Errors
    /// Those of [`ConstantError`].
    pub(super) fn ints(&self) -> Result<Vec<i64>, ConstantError> {
        let count = self.check()?;
        if self.quantisation == Quantisation::None {
            return Ok((0..count).map(|i| self.stored(i)).collect());
        }
        #[expect(clippy::cast_possible_truncation, reason = "shapes and sizes are small whole numbers")]
        Ok((0..count).map(|i| self.float(i) as i64).collect())
    }

    /// How many elements it has, when all sizes agree: then [`Constant::float`] gives each.
    ///
    /// # Errors
    /// Those of [`ConstantError`].
    pub(super) fn check(&self) -> Result<usize, ConstantError> {
        let count = self.count()?;
        let stored = self.raw.len() / self.element.size();
        let whole = self.raw.len().is_multiple_of(self.element.size());
        let repeats = stored > 0 && stored < count && count <= MAX_REPEATED;
        if !whole || !(stored == count || repeats) {
            let expected = count * self.element.size();
            return Err(ConstantError::Length { shape: self.shape.clone(), expected, found: self.raw.len() });
        }
        if let Quantisation::ZeroPoint { scales, zeros, axis } = &self.quantisation {
            let along = if scales.len() == 1 { Some(1) } else { self.shape.get(*axis).copied() };
            if along != Some(scales.len()) || scales.is_empty() || zeros.len() > 1 && zeros.len() != scales.len() {
                let (scales, zeros) = (scales.len(), zeros.len());
                return Err(ConstantError::Quantisation { scales, zeros, shape: self.shape.clone() });
            }
        }
        Ok(count)
    }

    /// The value in place `at` as a 32-bit float: one at a time, so that bytes need not all become floats.
    pub(super) fn float(&self, at: usize) -> f32 {
        match (self.element, &self.quantisation) {
            (Element::F32, _) => f32::from_le_bytes(self.bytes(at)),
            #[expect(clippy::cast_possible_truncation, reason = "the network computes in 32-bit floats")]
            (Element::F64, _) => f64::from_le_bytes(self.bytes(at)) as f32,
            (_, Quantisation::None) => self.stored(at) as f32,
            (_, &Quantisation::ScaleMin { scale, min }) => self.stored(at) as f32 * scale + min,
            (_, Quantisation::ZeroPoint { scales, zeros, axis }) => {
                let inner: usize = self.shape.iter().skip(axis + 1).product::<usize>().max(1);
                let channel = at / inner % scales.len().max(1);
                let zero = zeros.get(channel).or(zeros.first()).copied().unwrap_or(0);
                let scale = scales.get(channel).copied().unwrap_or_default();
                // In 64-bit floats, as the reference does; the result is rounded once.
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "rounded to the network's 32-bit floats on purpose"
                )]
                let value = (self.stored(at).saturating_sub(zero) as f64 * f64::from(scale)) as f32;
                value
            }
        }
    }

    /// The stored element in place `at` as a whole number.
    fn stored(&self, at: usize) -> i64 {
        match self.element {
            Element::U8 => self.bytes::<1>(at)[0].into(),
            Element::I8 => self.bytes::<1>(at)[0].cast_signed().into(),
            Element::U16 => u16::from_le_bytes(self.bytes(at)).into(),
            Element::I32 => i32::from_le_bytes(self.bytes(at)).into(),
            Element::I64 => i64::from_le_bytes(self.bytes(at)),
            #[expect(clippy::cast_possible_truncation, reason = "shapes and sizes are small whole numbers")]
            Element::F32 => f32::from_le_bytes(self.bytes(at)) as i64,
            #[expect(clippy::cast_possible_truncation, reason = "shapes and sizes are small whole numbers")]
            Element::F64 => f64::from_le_bytes(self.bytes(at)) as i64,
        }
    }

    /// The bytes of the stored element in place `at`; behind the last one it repeats.
    fn bytes<const N: usize>(&self, at: usize) -> [u8; N] {
        let elements = self.raw.as_chunks::<N>().0;
        elements.get(at).or(elements.last()).copied().unwrap_or([0; N])
    }
}
