//! Publishing: the ways out of the process.

pub mod http;
pub mod wire;
