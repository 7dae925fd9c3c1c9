//! Tables streamed into files: one row at a time, in the format that the file's name asks for.
//!
//! A format is one file under `writer/` and one line in [`FORMATS`]. Each gets rows that have been checked against
//! the columns, holds a bounded number of them, and writes the same bytes for the same rows.

mod csv;
mod ndjson;
mod parquet;

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use crate::atomic::{AtomicFile, check_output};
use crate::error::{ReportError, ReportErrorKind};
use crate::record::RunRecord;
use quaver::table::{Column, Value};

/// The formats, in the order in which messages list them.
const FORMATS: &[Format] = &[
    parquet::FORMAT, // columns, types and the run record: the format to keep
    csv::FORMAT,     // for spreadsheets
    ndjson::FORMAT,  // for pipes
];

/// A file format: the extensions it goes by, and how to start a file.
struct Format {
    extensions: &'static [&'static str],
    start: Start,
}

/// Starts a file with these columns, made in this run.
type Start = fn(AtomicFile, &[Column], &RunRecord) -> Result<Box<dyn RowSink>, BoxError>;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A file in one format. Its errors do not know the path: [`TableWriter`] adds it.
trait RowSink: Send {
    /// Adds a row with one cell per column, each null or of its column's kind, and no NaN.
    fn write_row(&mut self, row: &[Value]) -> Result<(), BoxError>;

    /// Writes what is left and gives the file back.
    fn finish(self: Box<Self>) -> Result<AtomicFile, BoxError>;
}

/// A table being written to a file. The file appears at [`finish`](Self::finish); a writer that is dropped before
/// leaves no trace.
pub struct TableWriter {
    sink: Box<dyn RowSink>,
    columns: Vec<Column>,
    path: PathBuf,
    n_rows: u64,
}

impl TableWriter {
    /// Starts a table at `path`, in the format that the extension names.
    ///
    /// Parquet files carry the columns' documentation and the run record; the text formats have no place for them.
    pub fn create(
        path: &Path,
        columns: &[Column],
        record: &RunRecord,
    ) -> Result<Self, ReportError> {
        let format = format_of(path)?;
        check_columns(path, columns)?;
        let file = AtomicFile::create(path)?;
        let sink = (format.start)(file, columns, record)
            .map_err(|error| ReportError::writing(path, error))?;
        Ok(Self {
            sink,
            columns: columns.to_vec(),
            path: path.to_owned(),
            n_rows: 0,
        })
    }

    /// Adds a row: one cell per column, each null or of its column's kind. NaN is no value, and an error.
    pub fn write_row(&mut self, row: &[Value]) -> Result<(), ReportError> {
        check_row(&self.columns, row).map_err(|message| {
            let message = format_args!("row {}: {message}", self.n_rows);
            ReportError::at(ReportErrorKind::Row, &self.path, message)
        })?;
        self.n_rows += 1;
        self.sink
            .write_row(row)
            .map_err(|error| ReportError::writing(&self.path, error))
    }

    /// The number of rows so far.
    pub fn n_rows(&self) -> u64 {
        self.n_rows
    }

    /// Writes what is left and puts the file in its place.
    pub fn finish(self) -> Result<(), ReportError> {
        let file = self
            .sink
            .finish()
            .map_err(|error| ReportError::writing(&self.path, error))?;
        file.commit()
    }
}

/// The extensions of the table formats, without their dots.
pub fn table_extensions() -> impl Iterator<Item = &'static str> {
    FORMATS.iter().flat_map(|format| format.extensions).copied()
}

/// Checks that `path` has the extension of a table format and that a file can be made there: for complaining before a long
/// computation, not after.
pub fn check_table_path(path: &Path) -> Result<(), ReportError> {
    format_of(path)?;
    check_output(path)
}

fn format_of(path: &Path) -> Result<&'static Format, ReportError> {
    let extension = path.extension().and_then(|extension| extension.to_str());
    let of = |extension: &str| {
        FORMATS.iter().find(|format| {
            let mut names = format.extensions.iter();
            names.any(|name| name.eq_ignore_ascii_case(extension))
        })
    };
    extension.and_then(of).ok_or_else(|| {
        let known: Vec<String> = table_extensions().map(|name| format!(".{name}")).collect();
        let known = known.join(", ");
        let message = match extension {
            Some(extension) => format!("no table format is called .{extension}; use {known}"),
            None => format!("the name needs an extension for the table's format: {known}"),
        };
        ReportError::at(ReportErrorKind::Format, path, message)
    })
}

fn check_columns(path: &Path, columns: &[Column]) -> Result<(), ReportError> {
    let mut names = HashSet::new();
    let message = match columns.iter().find(|column| !names.insert(&column.name)) {
        Some(twice) => format!("two columns are called {:?}", twice.name),
        None if columns.is_empty() => "a table needs columns".to_owned(),
        None => return Ok(()),
    };
    Err(ReportError::at(ReportErrorKind::Format, path, message))
}

fn check_row(columns: &[Column], row: &[Value]) -> Result<(), String> {
    if row.len() != columns.len() {
        return Err(format!("{} cells for {} columns", row.len(), columns.len()));
    }
    for (column, value) in columns.iter().zip(row) {
        let name = &column.name;
        match value {
            Value::Float(number) if number.is_nan() => {
                return Err(format!("column {name:?} is NaN, which is no value"));
            }
            _ => {}
        }
        if let Some(kind) = value.kind().filter(|kind| *kind != column.kind) {
            let (want, have) = (column.kind.name(), kind.name());
            return Err(format!("column {name:?} holds {want}, not {have}"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
