//! Where pictures come from, as the user writes it: `csi://0`, `file:///street.mp4?loop`, ...

mod address;
mod coding;
mod kinds;
mod parse;
#[cfg(test)]
mod tests;

pub use address::NetworkAddress;
pub(super) use coding::encoded;
pub(super) use kinds::COUNTER;
pub use kinds::{AtEnd, Pace, SourceUri, TEST_PATTERNS, UsbDevice};
pub use parse::BadUri;
