//! Configuration: every stage's own part in one tree.
//!
//! Values check themselves when they are read (limited numbers are types of their own), so that a [`Config`] that
//! exists is one that makes sense. [`load()`] reports all mistakes of all files at once.

mod camera;
mod load;
mod mistakes;
mod tables;
mod tree;

pub use camera::CameraConfig;
pub use load::{Loaded, Sources, files, load};
pub use mistakes::{Mistake, Mistakes};
pub use tables::{Config, ModelConfig};
