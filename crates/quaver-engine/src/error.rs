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

/// A node that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnsupportedNode {
    /// The node's name, or its first output's where it has none.
    pub node: String,
    /// Its operator, with its domain unless that is ONNX's own.
    pub operator: String,
    /// The version of the operator set it is written in.
    pub opset: i64,
    /// What is not supported.
    pub reason: String,
}

/// A model that cannot be read, compiled or run. The message is one line and names the file, node or value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineError {
    kind: EngineErrorKind,
    message: String,
    unsupported: Vec<UnsupportedNode>,
}

impl EngineError {
    /// An error with a message of its own.
    pub fn new(kind: EngineErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            unsupported: Vec::new(),
        }
    }

    /// A file could not be read; [`within`](Self::within) names it.
    pub(crate) fn io(error: &std::io::Error) -> Self {
        let why = match error.kind() {
            std::io::ErrorKind::NotFound => "does not exist".to_owned(),
            _ => format!("cannot be read: {error}"),
        };
        Self::new(EngineErrorKind::Io, why)
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

    /// Nodes that cannot be read, `message` naming them in one line.
    pub(crate) fn of_nodes(message: String, nodes: Vec<UnsupportedNode>) -> Self {
        Self {
            unsupported: nodes,
            ..Self::unsupported(message)
        }
    }

    /// Every node that cannot be read, where that is what went wrong.
    pub fn unsupported_nodes(&self) -> &[UnsupportedNode] {
        &self.unsupported
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
