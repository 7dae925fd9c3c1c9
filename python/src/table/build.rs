//! Rows become columns.

use std::sync::Arc;

use arrow_array::builder::{Float64Builder, Int64Builder, StringBuilder};
use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{DataType, Field, Schema};
use pyo3::PyResult;
use quaver::table::{Column, Kind, Value};

use super::Table;
use crate::error::data_error;

/// A table that grows by rows.
pub struct TableBuilder {
    columns: Vec<Column>,
    cells: Vec<Cells>,
    n_rows: usize,
}

/// The cells of one column.
enum Cells {
    Int(Int64Builder),
    Float(Float64Builder),
    Text(StringBuilder),
}

impl TableBuilder {
    /// A table with these columns and no row.
    pub fn new(columns: Vec<Column>) -> Self {
        let cells = columns.iter().map(|column| match column.kind {
            Kind::Int => Cells::Int(Int64Builder::new()),
            Kind::Float => Cells::Float(Float64Builder::new()),
            Kind::Text => Cells::Text(StringBuilder::new()),
        });
        Self {
            cells: cells.collect(),
            columns,
            n_rows: 0,
        }
    }

    /// A table with these columns and rows.
    pub fn of(columns: Vec<Column>, rows: Vec<Vec<Value>>) -> Self {
        let mut builder = Self::new(columns);
        rows.into_iter().for_each(|row| builder.push(row));
        builder
    }

    /// Adds a row: a cell for every column, null or of its kind.
    pub fn push(&mut self, row: Vec<Value>) {
        for (cells, value) in self.cells.iter_mut().zip(row) {
            match (cells, value) {
                (Cells::Int(cells), Value::Int(value)) => cells.append_value(value),
                (Cells::Float(cells), Value::Float(value)) => cells.append_value(value),
                (Cells::Text(cells), Value::Text(value)) => cells.append_value(value),
                (Cells::Int(cells), _) => cells.append_null(),
                (Cells::Float(cells), _) => cells.append_null(),
                (Cells::Text(cells), _) => cells.append_null(),
            }
        }
        self.n_rows += 1;
    }

    /// The table, with what it says as a whole.
    pub fn finish(mut self, note: String) -> PyResult<Table> {
        let schema = Arc::new(Schema::new(
            self.columns.iter().map(field).collect::<Vec<_>>(),
        ));
        let cells = self.cells.iter_mut().map(|cells| match cells {
            Cells::Int(cells) => Arc::new(cells.finish()) as ArrayRef,
            Cells::Float(cells) => Arc::new(cells.finish()) as ArrayRef,
            Cells::Text(cells) => Arc::new(cells.finish()) as ArrayRef,
        });
        let options = RecordBatchOptions::new().with_row_count(Some(self.n_rows));
        let batch = RecordBatch::try_new_with_options(schema, cells.collect(), &options);
        let batch = batch.map_err(|error| data_error(error.to_string()))?;
        Ok(Table::new(self.columns, batch, note))
    }
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
