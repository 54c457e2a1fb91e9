//! A number between 0 and 1 that has been checked.

use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// A share between 0 and 1, both included.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f32")]
pub struct Fraction(f32);

/// Why something is no [`Fraction`].
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not between 0 and 1")]
pub struct BadFraction(String);

impl Fraction {
    /// `value`, if it is between 0 and 1.
    pub const fn new(value: f32) -> Option<Self> {
        if value >= 0.0 && value <= 1.0 { Some(Self(value)) } else { None }
    }

    /// The number itself.
    pub fn get(self) -> f32 {
        self.0
    }
}

impl TryFrom<f32> for Fraction {
    type Error = BadFraction;

    fn try_from(value: f32) -> Result<Self, BadFraction> {
        Self::new(value).ok_or_else(|| BadFraction(value.to_string()))
    }
}

impl FromStr for Fraction {
    type Err = BadFraction;

    fn from_str(text: &str) -> Result<Self, BadFraction> {
        text.parse().ok().and_then(Self::new).ok_or_else(|| BadFraction(text.into()))
    }
}
