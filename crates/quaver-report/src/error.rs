//! The one error of this crate.

use std::fmt;
use std::path::Path;

/// What went wrong, for callers who branch on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReportErrorKind {
    /// A file cannot be created or written.
    Io,
    /// No format goes by the file's extension, or the format cannot hold these columns.
    Format,
    /// A row does not fit the columns.
    Row,
    /// A picture's pixels do not fit its size.
    Picture,
}

/// A result that cannot be written down. The message is one line and names the file, column or picture.
#[derive(Debug)]
pub struct ReportError {
    kind: ReportErrorKind,
    message: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl ReportError {
    /// An error with a message of its own. Control characters in it, say from a file's name, are escaped.
    pub fn new(kind: ReportErrorKind, message: impl Into<String>) -> Self {
        let mut message = message.into();
        if message.contains(char::is_control) {
            let escape = |c: char| match c.is_control() {
                true => c.escape_default().to_string(),
                false => c.to_string(),
            };
            message = message.chars().map(escape).collect();
        }
        Self {
            kind,
            message,
            source: None,
        }
    }

    /// An error about the file at `path`.
    pub fn at(kind: ReportErrorKind, path: &Path, message: impl fmt::Display) -> Self {
        Self::new(kind, format!("{}: {message}", path.display()))
    }

    /// An error while writing the file at `path`.
    pub(crate) fn writing(
        path: &Path,
        error: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        let error = error.into();
        Self::at(
            ReportErrorKind::Io,
            path,
            format_args!("cannot be written: {error}"),
        )
        .with_source(error)
    }

    /// Keeps the error this one came from.
    #[must_use]
    pub fn with_source(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What went wrong.
    pub fn kind(&self) -> ReportErrorKind {
        self.kind
    }
}

impl fmt::Display for ReportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ReportError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source
            .as_deref()
            .map(|source| source as &(dyn std::error::Error + 'static))
    }
}
