//! For the operator: logs, metrics, systemd, doctor.

pub mod logging;
