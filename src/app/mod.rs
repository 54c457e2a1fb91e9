//! The application, the only place that knows all parts: config → plan → spawn → wait → stop in order.
//!
//! The order of start: the listener first (HTTP answers at once, and `/readyz` says what is missing), then the
//! cameras (pictures without boxes), then the engine. The order of stop: cameras, inference, HTTP.

mod camera_change;
mod cameras;
mod daemon;
pub mod doctor;
mod engine;
mod failure;
pub mod last_good;
mod plan;
mod reload;
mod signals;
mod watchdog;

pub use daemon::{check, run};
pub use failure::Failure;
