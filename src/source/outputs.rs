//! Where what a source makes goes.

use crate::{
    camera::{CameraName, CameraStatus},
    channels::{latest_frames, pictures::Pictures, video::Video},
};
use std::sync::Arc;
use tokio::sync::watch;

/// Where a camera's frames, pictures and state go.
#[derive(Debug)]
pub struct SourceOutputs {
    /// The camera's name.
    pub camera: CameraName,
    /// Small pixels for the model.
    pub frames: latest_frames::Sender,
    /// JPEG pictures, encoded while someone watches.
    pub pictures: Arc<Pictures>,
    /// H.264, encoded while someone watches.
    pub video: Arc<Video>,
    /// What the API says of the camera. Frame numbers go on from the `frames` in it.
    pub status: watch::Sender<CameraStatus>,
}
