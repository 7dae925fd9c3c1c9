//! Comma-separated values, quoted as RFC 4180 says, with a header row.
//!
//! Lines end in a line feed alone, for the tools of the shell; every CSV reader takes that. A value that does not
//! exist is an empty field. Numbers are the shortest that read back exactly, infinities `inf` and `-inf`.

use ::csv::Writer;

use super::{BoxError, Format, RowSink};
use crate::atomic::AtomicFile;
use crate::number::exact;
use crate::record::RunRecord;
use quaver::table::{Column, Value};

pub(super) const FORMAT: Format = Format {
    extensions: &["csv"],
    start,
};

struct Csv(Writer<AtomicFile>);

fn start(
    file: AtomicFile,
    columns: &[Column],
    _record: &RunRecord,
) -> Result<Box<dyn RowSink>, BoxError> {
    let mut writer = Writer::from_writer(file);
    writer.write_record(columns.iter().map(|column| &column.name))?;
    Ok(Box::new(Csv(writer)))
}

impl RowSink for Csv {
    fn write_row(&mut self, row: &[Value]) -> Result<(), BoxError> {
        for value in row {
            match value {
                Value::Null => self.0.write_field("")?,
                Value::Int(value) => self.0.write_field(value.to_string())?,
                Value::Float(value) => self.0.write_field(exact(*value))?,
                Value::Text(value) => self.0.write_field(value)?,
            }
        }
        Ok(self.0.write_record(None::<&[u8]>)?)
    }

    fn finish(self: Box<Self>) -> Result<AtomicFile, BoxError> {
        self.0
            .into_inner()
            .map_err(|error| error.into_error().into())
    }
}
