//! Publishing: the bus that carries scenes to everyone who wants them, and the ways out of the process.

pub mod bus;
pub mod counts;
pub mod http;
pub mod wire;
