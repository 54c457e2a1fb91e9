//! For the operator: logs, metrics, systemd, telemetry of the board, doctor.

pub mod doctor;
pub mod governor;
pub mod logging;
pub mod redact;
pub mod systemd;
pub mod telemetry;
