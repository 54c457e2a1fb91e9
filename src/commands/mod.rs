//! Commands that need no daemon.

pub mod detect;
pub mod setup_runtime;
pub mod token;
