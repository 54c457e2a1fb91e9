//! `POST /detect`: detections in pictures that clients send.

pub(super) mod picture;
pub(super) mod post;
