//! `/detections` and `/ws`: what the cameras see.

pub(super) mod latest;
pub(super) mod select;
pub(super) mod stream;
