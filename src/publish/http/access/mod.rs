//! Who may do what.
//!
//! Without any token, a loopback address is open: everyone there may read, and requests that come straight from this
//! machine may also change things. Any other address needs a token, unless `http.allow_anonymous` says that everyone
//! may read. With a token, each request carries it as `Authorization: Bearer TOKEN`, or the cookie of the login page.

pub(super) mod client;
mod forms;
pub(super) mod guard;
pub(super) mod login;
mod origin;
mod prefix;
pub(super) mod rules;
mod sessions;
mod throttle;
pub(super) mod tokens;
