//! Telemetry of the board: reads the kernel's files and says what holds the work back.
//!
//! [`read()`] is one reading; [`Sampler`] takes one every second on a thread of its own, works the [governor], and logs
//! when something begins to hold the work back or ends.
//!
//! [governor]: super::governor

mod config;
mod read;
mod sampler;
mod system;
mod tegra;
mod thermal;
mod tree;

pub use config::Config;
pub use read::{MIN_VOLTS, read};
pub use sampler::{Ports, Sampler};
pub use tree::Tree;
