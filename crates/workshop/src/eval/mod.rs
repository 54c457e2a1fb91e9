//! `sightd model eval`: how well a model detects what is labelled in a dataset, by COCO's rules.
//!
//! ```text
//!  dataset ─▶ runner (engines in parallel, one picture each) ─CocoResult─▶ score ─▶ report
//! ```

mod command;
pub mod dataset;
mod report;
mod runner;
mod scaler;
pub mod score;

pub use command::{EvalArgs, evaluate, run_eval};
pub use scaler::{LiveScaler, MakeScaler, Picture, Resize};
