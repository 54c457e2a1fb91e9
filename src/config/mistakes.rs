//! What is wrong with a configuration, in sentences that name the file, the key, the value and what is allowed.

use std::{error::Error, fmt};

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The file (or `the environment`, `the command line`), where it is known.
    pub origin: Option<String>,
    /// The key with its tables, for example `camera.front.score`; empty for a file that cannot be read.
    pub key: String,
    /// The value as written; absent for unknown keys, and for secrets.
    pub value: Option<String>,
    /// What is wrong, and what is allowed.
    pub problem: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(origin) = &self.origin {
            write!(f, "{origin}: ")?;
        }
        match (&self.value, self.key.as_str()) {
            (_, "") => write!(f, "{}", self.problem),
            (Some(value), key) => write!(f, "{key} = {value}: {}", self.problem),
            (None, key) => write!(f, "{key}: {}", self.problem),
        }
    }
}

/// All mistakes of a configuration; never empty.
#[derive(Debug)]
pub struct Mistakes(pub Vec<Mistake>);

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [one] => write!(f, "the configuration has a mistake: {one}"),
            many => {
                write!(f, "the configuration has {} mistakes:", many.len())?;
                many.iter().try_for_each(|mistake| write!(f, "\n  {mistake}"))
            }
        }
    }
}

impl Error for Mistakes {}
