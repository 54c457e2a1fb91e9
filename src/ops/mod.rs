//! For the operator: logs, metrics, systemd, doctor.
