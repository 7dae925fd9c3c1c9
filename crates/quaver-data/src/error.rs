//! The one error of this crate.

use std::path::Path;
use std::{fmt, io};

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
    of_sample: bool,
    message: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl DataError {
    /// An error with a message of its own. Control characters in it, say from a file's name, are escaped.
    pub fn new(kind: DataErrorKind, message: impl Into<String>) -> Self {
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
            of_sample: false,
            message,
            source: None,
        }
    }

    /// An error about the file at `path`.
    pub fn at(kind: DataErrorKind, path: &Path, message: impl fmt::Display) -> Self {
        Self::new(kind, format!("{}: {message}", path.display()))
    }

    /// An error while reading the file at `path`. What its bytes are to blame for is [`DataErrorKind::Format`].
    pub fn reading(path: &Path, error: io::Error) -> Self {
        let result = match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::truncated(path),
            io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => Self::at(
                DataErrorKind::Format,
                path,
                format_args!("corrupt: {error}"),
            ),
            io::ErrorKind::NotFound => Self::at(DataErrorKind::Io, path, "does not exist"),
            _ => Self::at(
                DataErrorKind::Io,
                path,
                format_args!("cannot be read: {error}"),
            ),
        };
        result.with_source(error)
    }

    /// The file at `path` ends too early.
    pub(crate) fn truncated(path: &Path) -> Self {
        Self::at(
            DataErrorKind::Format,
            path,
            "truncated: it ends before its data do",
        )
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

    /// Says that one sample is to blame, and that others can still be read.
    #[must_use]
    pub fn for_sample(mut self) -> Self {
        self.of_sample = true;
        self
    }

    /// What went wrong.
    pub fn kind(&self) -> DataErrorKind {
        self.kind
    }

    /// Whether only the sample that was asked for cannot be had: a broken image, NaN, a row with too few cells.
    ///
    /// Then a run may note the error and go on. Otherwise the source itself is at fault (a file that is gone, a disk
    /// that fails) or the options are, and whatever is read next will fail as well.
    pub fn is_of_sample(&self) -> bool {
        self.of_sample
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
