//! The model workshop: catalogue, import, evaluation.

pub mod eval;
