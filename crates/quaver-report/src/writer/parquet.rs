//! Parquet: typed columns, compressed, with the columns' documentation and the run record inside.
//!
//! A column's documentation is the `description` in its Arrow field metadata, the run record the JSON under the key
//! `quaver` of the file's metadata. No time of day goes in, so that the same rows give the same bytes.

use std::sync::Arc;

use ::parquet::arrow::ArrowWriter;
use ::parquet::basic::Compression;
use ::parquet::file::metadata::KeyValue;
use ::parquet::file::properties::WriterProperties;
use arrow_array::builder::{Float64Builder, Int64Builder, StringBuilder};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};

use super::{BoxError, Format, RowSink};
use crate::atomic::AtomicFile;
use crate::record::RunRecord;
use quaver::table::{Column, Kind, Value};

/// Rows handed to the encoder at once.
const BATCH_ROWS: usize = 4_096;
/// Text held before it is handed to the encoder, whatever the number of rows.
const BATCH_TEXT_BYTES: usize = 4 << 20;
/// Rows in a row group, the unit that is held in memory until it is written.
const GROUP_ROWS: usize = 65_536;
/// Encoded bytes in a row group.
const GROUP_BYTES: usize = 32 << 20;

pub(super) const FORMAT: Format = Format {
    extensions: &["parquet"],
    start,
};

struct Parquet {
    writer: ArrowWriter<AtomicFile>,
    schema: SchemaRef,
    cells: Vec<Cells>,
    n_rows: usize,
    text_bytes: usize,
}

/// The cells of one column that wait for the encoder.
enum Cells {
    Int(Int64Builder),
    Float(Float64Builder),
    Text(StringBuilder),
}

fn start(
    file: AtomicFile,
    columns: &[Column],
    record: &RunRecord,
) -> Result<Box<dyn RowSink>, BoxError> {
    let schema = Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()));
    let properties = WriterProperties::builder()
        .set_created_by(concat!("quaver version ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(Compression::SNAPPY)
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .set_max_row_group_bytes(Some(GROUP_BYTES))
        .set_key_value_metadata(Some(vec![KeyValue::new(
            "quaver".to_owned(),
            record.to_json(),
        )]))
        .build();
    let writer = ArrowWriter::try_new(file, Arc::clone(&schema), Some(properties))?;
    let cells = columns.iter().map(|column| match column.kind {
        Kind::Int => Cells::Int(Int64Builder::new()),
        Kind::Float => Cells::Float(Float64Builder::new()),
        Kind::Text => Cells::Text(StringBuilder::new()),
    });
    Ok(Box::new(Parquet {
        writer,
        schema,
        cells: cells.collect(),
        n_rows: 0,
        text_bytes: 0,
    }))
}

fn field(column: &Column) -> Field {
    let data_type = match column.kind {
        Kind::Int => DataType::Int64,
        Kind::Float => DataType::Float64,
        Kind::Text => DataType::Utf8,
    };
    let description = ("description".to_owned(), column.doc.clone());
    Field::new(&column.name, data_type, true).with_metadata([description])
}

impl Parquet {
    fn encode(&mut self) -> Result<(), BoxError> {
        let arrays = self.cells.iter_mut().map(|cells| match cells {
            Cells::Int(cells) => Arc::new(cells.finish()) as ArrayRef,
            Cells::Float(cells) => Arc::new(cells.finish()) as ArrayRef,
            Cells::Text(cells) => Arc::new(cells.finish()) as ArrayRef,
        });
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), arrays.collect())?;
        self.writer.write(&batch)?;
        self.n_rows = 0;
        self.text_bytes = 0;
        Ok(())
    }
}

impl RowSink for Parquet {
    fn write_row(&mut self, row: &[Value]) -> Result<(), BoxError> {
        for (cells, value) in self.cells.iter_mut().zip(row) {
            match (cells, value) {
                (Cells::Int(cells), Value::Int(value)) => cells.append_value(*value),
                (Cells::Float(cells), Value::Float(value)) => cells.append_value(*value),
                (Cells::Text(cells), Value::Text(value)) => {
                    self.text_bytes += value.len();
                    cells.append_value(value);
                }
                (Cells::Int(cells), _) => cells.append_null(),
                (Cells::Float(cells), _) => cells.append_null(),
                (Cells::Text(cells), _) => cells.append_null(),
            }
        }
        self.n_rows += 1;
        if self.n_rows >= BATCH_ROWS || self.text_bytes >= BATCH_TEXT_BYTES {
            self.encode()?;
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<AtomicFile, BoxError> {
        if self.n_rows > 0 {
            self.encode()?;
        }
        Ok(self.writer.into_inner()?)
    }
}
