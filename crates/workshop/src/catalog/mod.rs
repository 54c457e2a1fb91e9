//! The networks that are known by name: what they are, where they come from, and which other network substitutes for
//! those that no package registry carries.

mod command;
mod entry;
mod error;
mod fetch;
mod pull;
mod resolve;

pub use command::{ListArgs, PullArgs, run_list, run_pull};
pub use entry::{Catalog, CatalogEntry};
pub use error::PullError;
pub use fetch::PullEvent;
pub use pull::{Pulled, pull};
pub use resolve::ResolveError;
pub(crate) use resolve::{CHECKOUT, INSTALLED, Resolved, resolve};
