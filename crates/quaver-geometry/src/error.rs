//! The one error of this crate.

use std::fmt;

/// What went wrong, for callers who branch on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum GeometryErrorKind {
    /// Fewer than two classes: the output distribution cannot change, so nothing has influence.
    OneClass,
    /// Lengths do not fit together.
    Shape,
    /// A label past the last class.
    Label,
    /// An objective that the output distribution does not have, or that is not a function of it.
    Objective,
    /// A value is NaN or infinite, or a result is too large for an f64.
    NotFinite,
    /// A setting outside its range.
    Setting,
    /// An eigenvalue iteration did not converge.
    NoConvergence,
}

/// A question that has no answer. The message is one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GeometryError {
    kind: GeometryErrorKind,
    message: String,
}

impl GeometryError {
    pub(crate) fn new(kind: GeometryErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }

    pub(crate) fn shape(what: &str, expected: usize, found: usize) -> Self {
        Self::new(
            GeometryErrorKind::Shape,
            format!("{what}: expected {expected} values, found {found}"),
        )
    }

    /// What went wrong.
    pub fn kind(&self) -> GeometryErrorKind {
        self.kind
    }
}

impl fmt::Display for GeometryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for GeometryError {}

/// Fails unless there are at least two classes.
pub(crate) fn check_classes(n_classes: usize) -> Result<(), GeometryError> {
    if n_classes < 2 {
        return Err(GeometryError::new(
            GeometryErrorKind::OneClass,
            format!("a softmax over {n_classes} class(es) is constant: at least 2 are needed"),
        ));
    }
    Ok(())
}

/// Fails at the first NaN or infinity of `values`.
pub(crate) fn check_finite(what: &str, values: &[f64]) -> Result<(), GeometryError> {
    match values.iter().position(|value| !value.is_finite()) {
        None => Ok(()),
        Some(at) => Err(GeometryError::new(
            GeometryErrorKind::NotFinite,
            format!("{what} {at} is {}", values[at]),
        )),
    }
}
