//! The workshop: brings detectors of other formats into the one form that the daemon runs, and looks into them.

pub mod archive;
pub mod catalog;
pub mod check;
pub mod cli;
pub mod download;
pub mod eval;
mod find;
pub mod import;
pub mod inspect;
mod load;
pub mod onnx;
mod wire;

pub use find::{FindError, find};
pub use load::{LoadError, load, sha256_of};
