//! The one error of this crate.

use std::fmt;

/// What went wrong, for callers who branch on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum EngineErrorKind {
    /// A file is missing or cannot be read.
    Io,
    /// The bytes are not an ONNX model, or contradict themselves.
    Format,
    /// The model is valid but needs something Quaver does not have: an operator, an opset, an attribute.
    Unsupported,
    /// Shapes do not fit together.
    Shape,
    /// A name, an option or an input does not fit the model.
    Option,
    /// A value is NaN or infinite.
    NotFinite,
}

/// A model that cannot be read, compiled or run. The message is one line and names the file, node or value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineError {
    kind: EngineErrorKind,
    message: String,
}

impl EngineError {
    /// An error with a message of its own.
    pub fn new(kind: EngineErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }

    /// The bytes contradict themselves.
    pub fn format(message: impl Into<String>) -> Self {
        Self::new(EngineErrorKind::Format, message)
    }

    /// Something Quaver does not have.
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new(EngineErrorKind::Unsupported, message)
    }

    /// Shapes do not fit together.
    pub fn shape(message: impl Into<String>) -> Self {
        Self::new(EngineErrorKind::Shape, message)
    }

    /// The same error, told where it happened: `place: message`.
    #[must_use]
    pub fn within(self, place: impl fmt::Display) -> Self {
        Self {
            message: format!("{place}: {}", self.message),
            ..self
        }
    }

    /// What went wrong.
    pub fn kind(&self) -> EngineErrorKind {
        self.kind
    }
}

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for EngineError {}
