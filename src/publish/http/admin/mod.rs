//! What changes the daemon, for admins only.

pub(super) mod change;
pub(super) mod control;
