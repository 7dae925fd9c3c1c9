//! The one error of the library.

use std::fmt;

use quaver_data::DataError;
use quaver_engine::{EngineError, UnsupportedNode};
use quaver_geometry::GeometryError;

/// Where an error comes from, for callers who branch on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The model: its file, an operator, a shape, a value that is not finite.
    Model,
    /// The data: a file, a sample, a label.
    Data,
    /// An option that does not fit the model or the data.
    Option,
    /// A store of evaluations: incomplete, damaged, or of something else.
    Store,
    /// A file that cannot be written.
    Output,
    /// The caller asked to stop.
    Interrupted,
    /// The caller's own function failed.
    Caller,
}

/// Anything that can go wrong. The message is one line and names the file, node, option or sample.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error with a message of its own.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            source: None,
        }
    }

    /// An error of a function that the caller passed in.
    pub fn caller(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        let source = source.into();
        Self {
            kind: ErrorKind::Caller,
            message: source.to_string(),
            source: Some(source),
        }
    }

    /// The same error, told where it happened: `place: message`.
    #[must_use]
    pub(crate) fn within(self, place: impl fmt::Display) -> Self {
        Self {
            message: format!("{place}: {}", self.message),
            ..self
        }
    }

    /// Every node of a model that cannot be read, where that is what went wrong.
    pub fn unsupported_nodes(&self) -> &[UnsupportedNode] {
        let source = self.source.as_ref();
        let engine = source.and_then(|source| source.downcast_ref::<EngineError>());
        engine.map_or(&[], EngineError::unsupported_nodes)
    }

    /// Where it comes from.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source
            .as_deref()
            .map(|source| source as &(dyn std::error::Error + 'static))
    }
}

impl From<EngineError> for Error {
    fn from(error: EngineError) -> Self {
        Self {
            kind: ErrorKind::Model,
            message: error.to_string(),
            source: Some(error.into()),
        }
    }
}

impl From<DataError> for Error {
    fn from(error: DataError) -> Self {
        Self {
            kind: ErrorKind::Data,
            message: error.to_string(),
            source: Some(error.into()),
        }
    }
}

impl From<GeometryError> for Error {
    fn from(error: GeometryError) -> Self {
        Self {
            kind: ErrorKind::Option,
            message: error.to_string(),
            source: Some(error.into()),
        }
    }
}
