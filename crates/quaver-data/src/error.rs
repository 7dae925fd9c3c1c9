//! The one error of this crate.

use std::fmt;
use std::path::Path;

/// What went wrong, for callers who branch on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DataErrorKind {
    /// A file is missing or cannot be read.
    Io,
    /// A file is not what its format says, or is truncated.
    Format,
    /// Shapes do not fit together.
    Shape,
    /// Labels are missing, out of range, or not one per sample.
    Labels,
    /// A value is NaN or infinite.
    NotFinite,
    /// An option does not fit the data.
    Option,
    /// A sample index past the end.
    OutOfRange,
}

/// A dataset that cannot be opened or read. The message is one line and names the file, sample or option.
#[derive(Debug)]
pub struct DataError {
    kind: DataErrorKind,
    message: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl DataError {
    /// An error with a message of its own.
    pub fn new(kind: DataErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            source: None,
        }
    }

    /// An error about the file at `path`.
    pub fn at(kind: DataErrorKind, path: &Path, message: impl fmt::Display) -> Self {
        Self::new(kind, format!("{}: {message}", path.display()))
    }

    /// Asking for sample `index` of `len`.
    pub fn out_of_range(index: usize, len: usize) -> Self {
        Self::new(
            DataErrorKind::OutOfRange,
            format!("sample {index} of a dataset of {len} samples"),
        )
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
    pub fn kind(&self) -> DataErrorKind {
        self.kind
    }
}

impl fmt::Display for DataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for DataError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source
            .as_deref()
            .map(|source| source as &(dyn std::error::Error + 'static))
    }
}
