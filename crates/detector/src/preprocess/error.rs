//! What can be wrong with a picture, or with the tensor that it is to fill.

use crate::geometry::Size;

/// Why a frame does not fit the network's input.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PreprocessError {
    /// The pixels have another size than the network's input.
    #[error("the frame has {frame} pixels, the model's input wants {input}: the source must scale to the input's size")]
    Size {
        /// Size of the frame.
        frame: Size,
        /// Size of the input.
        input: Size,
    },
    /// The pixel buffer is shorter than its size and stride say.
    #[error("the frame's buffer holds {have} bytes, {need} are needed for {size} at {stride_bytes} bytes a row")]
    Truncated {
        /// Bytes there.
        have: usize,
        /// Bytes needed.
        need: usize,
        /// Size of the frame.
        size: Size,
        /// Bytes from row to row.
        stride_bytes: usize,
    },
    /// The picture has no pixels.
    #[error("the picture is empty")]
    Empty,
    /// The tensor has not the length that the manifest's input says.
    #[error("the input tensor holds {have} values, the manifest's input says {need}")]
    Tensor {
        /// Values there.
        have: usize,
        /// Values needed.
        need: usize,
    },
}
