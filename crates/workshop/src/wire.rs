//! Protobuf's wire format, field by field: for reading what is needed of a large or hostile message without building
//! all of it.

use bytes::{Buf, Bytes};
use prost::encoding::{WireType, decode_key, decode_varint};

/// One field of a message: its number and its value.
pub(crate) type Field = (u32, Value);

/// The value of a field. Packed lists, texts and messages are all bytes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    /// An integer or boolean.
    Varint(u64),
    /// 8 bytes: a double.
    Fixed64([u8; 8]),
    /// 4 bytes: a float.
    Fixed32([u8; 4]),
    /// Anything with a length.
    Bytes(Bytes),
}

/// Why bytes are not a protobuf message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// The message ends within a field.
    #[error("it ends within a field of {needed} bytes, of which {left} are left")]
    Truncated {
        /// Bytes of the field.
        needed: u64,
        /// Bytes that are left.
        left: usize,
    },
    /// The bytes are something else.
    #[error("{0}")]
    NotProtobuf(String),
}

/// The fields of a message in the order of its bytes; ends after the first error.
#[derive(Clone, Debug)]
pub(crate) struct Fields {
    rest: Bytes,
}

impl Fields {
    /// The fields of `message`, whose bytes are shared, not copied.
    pub(crate) fn of(message: Bytes) -> Self {
        Self { rest: message }
    }

    fn field(&mut self) -> Result<Field, WireError> {
        let not_protobuf = |e: prost::DecodeError| WireError::NotProtobuf(e.to_string());
        let (number, wire_type) = decode_key(&mut self.rest).map_err(not_protobuf)?;
        let value = match wire_type {
            WireType::Varint => Value::Varint(decode_varint(&mut self.rest).map_err(not_protobuf)?),
            WireType::SixtyFourBit => Value::Fixed64(self.fixed()?),
            WireType::ThirtyTwoBit => Value::Fixed32(self.fixed()?),
            WireType::LengthDelimited => {
                let needed = decode_varint(&mut self.rest).map_err(not_protobuf)?;
                let length = usize::try_from(needed).ok().filter(|&n| n <= self.rest.len());
                let length = length.ok_or(WireError::Truncated { needed, left: self.rest.len() })?;
                Value::Bytes(self.rest.split_to(length))
            }
            WireType::StartGroup | WireType::EndGroup => {
                return Err(WireError::NotProtobuf(format!(
                    "field {number} is a group, which ONNX and TensorFlow do not use"
                )));
            }
        };
        Ok((number, value))
    }

    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let mut bytes = [0; N];
        self.rest
            .try_copy_to_slice(&mut bytes)
            .map_err(|_| WireError::Truncated { needed: N as u64, left: self.rest.len() })?;
        Ok(bytes)
    }
}

impl Iterator for Fields {
    type Item = Result<Field, WireError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.rest = Bytes::new();
        }
        Some(field)
    }
}

impl Value {
    /// The bytes, where it has a length.
    pub(crate) fn bytes(self) -> Option<Bytes> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The text; bytes that are no UTF-8 are replaced.
    pub(crate) fn text(self) -> Option<String> {
        self.bytes().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The signed integer.
    pub(crate) fn int(&self) -> Option<i64> {
        match self {
            Self::Varint(v) => Some(v.cast_signed()),
            _ => None,
        }
    }

    /// The float.
    pub(crate) fn float(&self) -> Option<f32> {
        match self {
            Self::Fixed32(bytes) => Some(f32::from_le_bytes(*bytes)),
            _ => None,
        }
    }

    /// Hands each integer of a repeated field, packed or not, to `each`.
    ///
    /// # Errors
    /// [`WireError`] when a packed list ends early.
    pub(crate) fn ints(self, mut each: impl FnMut(i64)) -> Result<(), WireError> {
        match self {
            Self::Varint(v) => each(v.cast_signed()),
            Self::Bytes(mut packed) => {
                while packed.has_remaining() {
                    let value = decode_varint(&mut packed).map_err(|e| WireError::NotProtobuf(e.to_string()))?;
                    each(value.cast_signed());
                }
            }
            Self::Fixed64(_) | Self::Fixed32(_) => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(bytes: &'static [u8]) -> Result<Vec<Field>, WireError> {
        Fields::of(Bytes::from_static(bytes)).collect()
    }

    #[test]
    fn all_kinds_of_fields_are_read() {
        let read = fields(b"\x08\x96\x01\x12\x03abc\x1d\x00\x00\x80\x3f").unwrap();
        let abc = Value::Bytes(Bytes::from_static(b"abc"));
        assert_eq!(read, [(1, Value::Varint(150)), (2, abc), (3, Value::Fixed32([0, 0, 0x80, 0x3f]))]);
        assert_eq!(read[2].1.float(), Some(1.0));
    }

    #[test]
    fn damage_is_an_error_and_the_end() {
        let truncated = WireError::Truncated { needed: 3, left: 2 };
        assert_eq!(fields(b"\x12\x03ab").unwrap_err(), truncated);
        for bad in [&b"\x1d\x00"[..], b"\x0b", b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"] {
            let all: Vec<_> = Fields::of(Bytes::copy_from_slice(bad)).collect();
            assert!(matches!(all.as_slice(), [Err(_)]), "{bad:?} gives {all:?}");
        }
    }
}
