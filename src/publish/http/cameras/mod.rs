//! `/cameras`: each camera, its pictures and its video.

pub(super) mod drawn;
pub(super) mod fmp4;
pub(super) mod list;
pub(super) mod live;
pub(super) mod snapshot;
pub(super) mod video;
