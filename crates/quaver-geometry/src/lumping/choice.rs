//! How many classes to keep, as a user chooses it.

use std::fmt;
use std::str::FromStr;

use super::{Lumping, check_tolerance};
use crate::error::{GeometryError, GeometryErrorKind};

/// Which classes are kept apart. [`at`](Self::at) makes it a [`Lumping`] of a sample.
///
/// Parses from `all`, a number M ≥ 1, and `auto:TOL`, and prints as these.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub enum Classes {
    /// All of them: nothing is merged.
    #[default]
    All,
    /// The label and the so many most probable others.
    Top(usize),
    /// The label and as few others as lose this fraction of the Fisher trace, by [`Lumping::expected_loss`].
    Auto(f64),
}

impl Classes {
    /// The lumping for one sample.
    ///
    /// # Errors
    /// As for [`Lumping::top`] and [`Lumping::auto`].
    pub fn at(self, logits: &[f64], label: usize) -> Result<Lumping, GeometryError> {
        match self {
            Self::All => Lumping::top(logits, label, usize::MAX),
            Self::Top(m) => Lumping::top(logits, label, m),
            Self::Auto(tolerance) => Lumping::auto(logits, label, tolerance),
        }
    }
}

impl FromStr for Classes {
    type Err = GeometryError;

    fn from_str(text: &str) -> Result<Self, GeometryError> {
        let refuse = || {
            GeometryError::new(
                GeometryErrorKind::Setting,
                format!("classes {text:?}: choose all, a number of at least 1, or auto:TOL"),
            )
        };
        if text == "all" {
            return Ok(Self::All);
        }
        if let Some(tolerance) = text.strip_prefix("auto:") {
            let tolerance = tolerance.parse().map_err(|_| refuse())?;
            return check_tolerance(tolerance).map(|()| Self::Auto(tolerance));
        }
        match text.parse() {
            Ok(m) if m > 0 => Ok(Self::Top(m)),
            _ => Err(refuse()),
        }
    }
}

impl fmt::Display for Classes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Top(m) => write!(f, "{m}"),
            Self::Auto(tolerance) => write!(f, "auto:{tolerance}"),
        }
    }
}
