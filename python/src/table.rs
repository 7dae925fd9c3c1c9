//! Tables of results: Arrow columns that know what they mean.

mod build;
pub mod text;

use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::ffi_stream::FFI_ArrowArrayStream;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array as _, RecordBatch, RecordBatchIterator};
use pyo3::exceptions::PyKeyError;
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyDict, PyList};
use quaver::table::{Column, Kind, Value};
use quaver_report::{RunRecord, TableWriter};

use crate::error::{of_report, option_error};
use crate::hints::{
    Anything, Array, ArrowTable, Capsule, Facts, Figure, PandasFrame, PolarsFrame, Texts,
};

pub use build::TableBuilder;

/// A table of results: columns with names, types and meanings.
///
/// Everything that takes Arrow takes a table as it is (`polars.DataFrame(table)`, `pyarrow.table(table)`,
/// `duckdb.from_arrow(table)`): it has the Arrow PyCapsule interface. `table["fi"]` is a column as a NumPy array.
///
/// >>> import quaver
/// >>> glyphs = quaver.demo.glyphs(50)
/// >>> table = quaver.demo.model().score(glyphs.x, glyphs.y)
/// >>> len(table), table["fi"].dtype.name
/// (50, 'float64')
/// >>> table.docs["rank"]
/// 'Eigenvalues of the Fisher metric above rtol times the largest; at most K - 1.'
#[pyclass(frozen, subclass, module = "quaver")]
#[derive(Clone)]
pub struct Table {
    columns: Vec<Column>,
    batch: RecordBatch,
    note: String,
}

#[pymethods]
impl Table {
    /// The names of the columns, in order.
    #[getter]
    fn columns(&self) -> Vec<String> {
        self.columns.iter().map(|c| c.name.clone()).collect()
    }

    /// What each column means, with units.
    #[getter]
    fn docs<'py>(&self, py: Python<'py>) -> PyResult<Texts<'py>> {
        let docs = PyDict::new(py);
        for column in &self.columns {
            docs.set_item(&column.name, &column.doc)?;
        }
        Ok(Texts(docs))
    }

    /// The kind of each column: "int", "float" or "text".
    #[getter]
    fn kinds<'py>(&self, py: Python<'py>) -> PyResult<Texts<'py>> {
        let kinds = PyDict::new(py);
        for column in &self.columns {
            let kind = match column.kind {
                Kind::Int => "int",
                Kind::Float => "float",
                Kind::Text => "text",
            };
            kinds.set_item(&column.name, kind)?;
        }
        Ok(Texts(kinds))
    }

    /// What the table as a whole says, in words; empty if there is nothing to say.
    #[getter]
    fn note(&self) -> &str {
        &self.note
    }

    /// The number of rows.
    fn __len__(&self) -> usize {
        self.batch.num_rows()
    }

    /// A column as an array: int64, float64, or objects for text. Whole numbers with gaps come as float64 with NaN.
    fn __getitem__<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Anything<'py>> {
        let Some(at) = self.columns.iter().position(|column| column.name == name) else {
            return Err(PyKeyError::new_err(format!(
                "no column '{name}'; there are {}",
                self.columns().join(", ")
            )));
        };
        let cells = self.batch.column(at);
        let shape = [cells.len()];
        if let Some(cells) = cells.as_primitive_opt::<Int64Type>() {
            if cells.null_count() == 0 {
                let array = Array::new(py, cells.values().to_vec(), &shape)?;
                return Ok(Anything(array.0.into_any()));
            }
            let number = |cell: Option<i64>| cell.map_or(f64::NAN, |cell| cell as f64);
            let array = Array::new(py, cells.iter().map(number).collect(), &shape)?;
            return Ok(Anything(array.0.into_any()));
        }
        if let Some(cells) = cells.as_primitive_opt::<Float64Type>() {
            let number = |cell: Option<f64>| cell.unwrap_or(f64::NAN);
            let array = Array::new(py, cells.iter().map(number).collect(), &shape)?;
            return Ok(Anything(array.0.into_any()));
        }
        let texts = PyList::new(py, cells.as_string::<i32>().iter())?;
        let numpy = py.import("numpy")?;
        Ok(Anything(numpy.call_method1("array", (texts, "object"))?))
    }

    /// The rows that are largest in the column `by`, the largest first; equals in the order they have.
    ///
    /// >>> import quaver
    /// >>> glyphs = quaver.demo.glyphs(50)
    /// >>> table = quaver.demo.model().score(glyphs.x, glyphs.y)
    /// >>> bool(table.top(3)["fi"][0] == table["fi"].max())
    /// True
    #[pyo3(signature = (n = 10, by = "fi"))]
    fn top(&self, n: usize, by: &str) -> PyResult<Self> {
        let Some(at) = self.columns.iter().position(|column| column.name == by) else {
            return Err(option_error(format!(
                "no column '{by}' to rank by; there are {}",
                self.columns().join(", ")
            )));
        };
        let mut rows: Vec<(f64, Vec<Value>)> = Vec::new();
        for row in (0..self.batch.num_rows()).map(|row| self.row(row)) {
            match row[at] {
                Value::Float(key) => rows.push((key, row)),
                Value::Int(key) => rows.push((key as f64, row)),
                Value::Null => {}
                Value::Text(_) => {
                    return Err(option_error(format!(
                        "column '{by}' holds text, not numbers"
                    )));
                }
            }
        }
        rows.sort_by(|a, b| b.0.total_cmp(&a.0));
        let mut builder = TableBuilder::new(self.columns.clone());
        for (_, row) in rows.into_iter().take(n) {
            builder.push(row);
        }
        builder.finish(String::new())
    }

    /// A pandas data frame; what the columns mean is in its `attrs`.
    pub fn to_pandas<'py>(slf: &Bound<'py, Self>) -> PyResult<PandasFrame<'py>> {
        Ok(PandasFrame(slf.get().frame(slf, "to_pandas")?))
    }

    /// A Polars data frame.
    pub fn to_polars<'py>(slf: &Bound<'py, Self>) -> PyResult<PolarsFrame<'py>> {
        Ok(PolarsFrame(slf.get().frame(slf, "to_polars")?))
    }

    /// A PyArrow table; what a column means is the `description` in its field's metadata.
    pub fn to_arrow<'py>(slf: &Bound<'py, Self>) -> PyResult<ArrowTable<'py>> {
        Ok(ArrowTable(slf.get().frame(slf, "to_arrow")?))
    }

    /// Columns by name, as `table[name]` gives them.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Facts<'py>> {
        let columns = PyDict::new(py);
        for name in self.columns() {
            columns.set_item(&name, self.__getitem__(py, &name)?)?;
        }
        Ok(Facts(columns))
    }

    /// Writes the table to a file: .parquet, .csv or .ndjson. The file is there whole or not at all.
    fn save(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        let written = py.detach(|| {
            let record = RunRecord::new().with("quaver", env!("CARGO_PKG_VERSION"));
            let mut writer = TableWriter::create(&path, &self.columns, &record)?;
            for row in 0..self.batch.num_rows() {
                writer.write_row(&self.row(row))?;
            }
            writer.finish()
        });
        written.map_err(of_report)
    }

    /// A figure: of one block, FI against the probability of the label under its ceiling, and a companion that does not
    /// saturate; of several, medians block by block.
    #[pyo3(signature = (*, figsize = None))]
    fn plot<'py>(slf: &Bound<'py, Self>, figsize: Option<(f64, f64)>) -> PyResult<Figure<'py>> {
        let plots = slf.py().import("quaver._plot")?;
        Ok(Figure(plots.call_method1("scores", (slf, figsize))?))
    }

    /// The table as an Arrow C stream (Arrow PyCapsule interface); `requested_schema` is ignored, as it may be.
    #[pyo3(signature = (requested_schema = None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Capsule<'py>> {
        let _ = requested_schema;
        let batches = [Ok(self.batch.clone())];
        let reader = RecordBatchIterator::new(batches, self.batch.schema());
        let stream = FFI_ArrowArrayStream::new(Box::new(reader));
        let capsule = PyCapsule::new_with_value(py, stream, c"arrow_array_stream")?;
        Ok(Capsule(capsule.into_any()))
    }

    fn __repr__(&self) -> String {
        text::plain(self)
    }

    fn _repr_html_(&self) -> String {
        text::html(self)
    }
}

impl Table {
    /// A table with columns that say what they are.
    pub fn new(columns: Vec<Column>, batch: RecordBatch, note: String) -> Self {
        Self {
            columns,
            batch,
            note,
        }
    }

    fn frame<'py>(&self, slf: &Bound<'py, Self>, to: &str) -> PyResult<Bound<'py, PyAny>> {
        slf.py().import("quaver._frames")?.call_method1(to, (slf,))
    }

    /// A row as the library has it.
    fn row(&self, row: usize) -> Vec<Value> {
        let cell = |cells: &Arc<dyn arrow_array::Array>| {
            if cells.is_null(row) {
                Value::Null
            } else if let Some(cells) = cells.as_primitive_opt::<Int64Type>() {
                Value::Int(cells.value(row))
            } else if let Some(cells) = cells.as_primitive_opt::<Float64Type>() {
                Value::Float(cells.value(row))
            } else {
                Value::from(cells.as_string::<i32>().value(row))
            }
        };
        self.batch.columns().iter().map(cell).collect()
    }
}
