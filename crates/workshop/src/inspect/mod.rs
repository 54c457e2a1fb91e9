//! What a network costs: parameters, multiply-adds, activations, and the time the Jetson Nano needs at least.

mod arch;
mod command;
mod graph;
mod html;
mod layer;
mod published;
mod report;
mod roofline;
mod tensorrt;

pub(crate) use command::{InspectArgs, run_inspect};
