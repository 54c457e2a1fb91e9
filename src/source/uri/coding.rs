//! Percent-encoding.

use std::path::Path;

/// Percent-encoded text as it was meant.
pub(super) fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// A path as a URI's path: what would end it or be decoded is encoded.
pub(in crate::source) fn encoded(path: &Path) -> String {
    use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
    const IN_PATH: &AsciiSet = &CONTROLS.add(b' ').add(b'%').add(b'?').add(b'#').add(b'"').add(b'\\');
    utf8_percent_encode(&path.to_string_lossy(), IN_PATH).to_string()
}
