//! The workshop: imports detectors of other formats into the one form that the daemon runs, and inspects and evaluates
//! them.

#![warn(unreachable_pub)]

pub mod archive;
pub mod catalog;
pub mod check;
pub mod cli;
pub mod download;
pub mod eval;
mod find;
pub mod import;
mod inspect;
mod load;
pub mod onnx;
mod wire;

pub use find::{FindError, find};
pub use load::{LoadError, load};
