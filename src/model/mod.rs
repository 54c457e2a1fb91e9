//! The model workshop: catalogue, import, evaluation.
