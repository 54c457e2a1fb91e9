//! `sightd model eval`: how well a model finds what is labelled, by COCO's rules.

pub mod dataset;
pub mod score;
