//! How pictures are scaled to the model's input size.

use bytes::Bytes;
use clap::ValueEnum;
use detector::{geometry::Size, pixels::Pixels};

/// How pictures are scaled to the model's input size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Resize {
    /// As TensorFlow 1 did in training: bilinear without half-pixel centres
    Tf1,
    /// As the daemon does: with GStreamer's elements
    Live,
}

impl Resize {
    /// Its name on the command line and in the report.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Tf1 => "tf1",
            Self::Live => "live",
        }
    }
}

/// A picture of a dataset, as it is brought to a [`LiveScaler`].
#[derive(Clone, Debug)]
pub enum Picture {
    /// A JPEG file.
    Jpeg(Bytes),
    /// 3 bytes a pixel, rows without padding, from top to bottom.
    Rgb {
        /// Columns and rows.
        size: Size,
        /// The pixels.
        data: Bytes,
    },
}

/// Brings pictures to the model's size as the daemon does while it serves, for [`Resize::Live`].
pub trait LiveScaler: Send {
    /// Scales one picture.
    ///
    /// # Errors
    /// When the picture is broken; the scaler can be used on.
    fn scale(&mut self, picture: Picture) -> anyhow::Result<Pixels>;
}

/// Makes a [`LiveScaler`] to the size given, or says why that is not possible.
pub type MakeScaler<'a> = dyn Fn(Size) -> anyhow::Result<Box<dyn LiveScaler>> + Sync + 'a;
