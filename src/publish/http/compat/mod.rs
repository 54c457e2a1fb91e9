//! The interfaces of other detection servers, so that their clients can use this one: CodeProject.AI (Blue Iris,
//! Frigate's `deepstack` detector) and DOODS2 (Home Assistant's `doods`).
//!
//! Their clients send no `Authorization` header; see `access::client::Client` for what they may send instead.

pub(super) mod codeproject;
pub(super) mod doods;
pub(super) mod error;
