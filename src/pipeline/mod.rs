//! The inference loop and what it works with: [`Stages`] takes one frame from pixels to a scene, [`run()`] serves all
//! cameras in turn, [`ModelSwap`] changes the detector between two frames.

mod model_swap;
mod run;
mod stages;
mod thresholds;

pub use model_swap::{ModelSwap, SwapError};
pub use run::run;
pub use stages::Stages;
pub use thresholds::{AllThresholds, LiveThresholds};
