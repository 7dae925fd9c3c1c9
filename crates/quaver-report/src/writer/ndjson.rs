//! Newline-delimited JSON: one object per row, its keys in the columns' order.
//!
//! A value that does not exist is `null`. JSON has no infinity, and `null` would say that there is no value where
//! there is one without bound, so infinities are the texts `"inf"` and `"-inf"`, which Python's and most other
//! number parsers take.

use std::io::Write;

use super::{BoxError, Format, RowSink};
use crate::atomic::AtomicFile;
use crate::number::exact;
use crate::record::RunRecord;
use quaver::table::{Column, Value};

pub(super) const FORMAT: Format = Format {
    extensions: &["ndjson", "jsonl"],
    start,
};

struct NdJson {
    file: AtomicFile,
    /// What stands before each cell: `{"first":`, `,"second":` and so on.
    keys: Vec<String>,
}

fn start(
    file: AtomicFile,
    columns: &[Column],
    _record: &RunRecord,
) -> Result<Box<dyn RowSink>, BoxError> {
    let mut keys = Vec::with_capacity(columns.len());
    for (position, column) in columns.iter().enumerate() {
        let before = if position == 0 { '{' } else { ',' };
        keys.push(format!("{before}{}:", serde_json::to_string(&column.name)?));
    }
    Ok(Box::new(NdJson { file, keys }))
}

impl RowSink for NdJson {
    fn write_row(&mut self, row: &[Value]) -> Result<(), BoxError> {
        for (key, value) in self.keys.iter().zip(row) {
            self.file.write_all(key.as_bytes())?;
            match value {
                Value::Null => self.file.write_all(b"null")?,
                Value::Int(value) => write!(self.file, "{value}")?,
                Value::Float(value) if value.is_infinite() => {
                    write!(self.file, "\"{}\"", exact(*value))?;
                }
                Value::Float(value) => self.file.write_all(exact(*value).as_bytes())?,
                Value::Text(value) => serde_json::to_writer(&mut self.file, value)?,
            }
        }
        Ok(self.file.write_all(b"}\n")?)
    }

    fn finish(self: Box<Self>) -> Result<AtomicFile, BoxError> {
        Ok(self.file)
    }
}
