//! The cost of a network: parameters, multiply-adds, activations, and a lower bound of the time on the Jetson Nano.

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
