//! What a network costs: parameters, multiply-adds, activations, and the time the Jetson Nano needs at least.

pub mod arch;
mod command;
mod graph;
mod html;
pub mod layer;
pub mod published;
mod report;
pub mod roofline;
pub mod tensorrt;

pub use command::{InspectArgs, run_inspect};
pub use graph::layers;
pub use report::Inspection;
