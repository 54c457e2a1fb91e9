//! The state of the daemon: health, model, machine, metrics, log, and who asks.

pub(super) mod health;
pub(super) mod logs;
pub(super) mod metrics;
pub(super) mod model;
pub(super) mod session;
pub(super) mod system;
