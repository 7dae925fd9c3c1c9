//! `quaver.report`: pages of several runs as one.

use std::path::PathBuf;

use pyo3::prelude::*;
use quaver_report::Page;

use crate::error::{data_error, of_report};

/// Gathers pages into one, `out` (.html). `pages` are the JSON files that stand beside pages, from `report` of any result or
/// from the command line (`--report`).
///
/// Raises `DataError` naming the file that is none.
#[pyfunction]
#[pyo3(signature = (pages, out, *, title = "Sensitivity report"))]
pub fn report(py: Python<'_>, pages: Vec<PathBuf>, out: PathBuf, title: &str) -> PyResult<()> {
    let read = |path: &PathBuf| {
        let named = |why: &dyn std::fmt::Display| data_error(format!("{}: {why}", path.display()));
        let json = std::fs::read_to_string(path).map_err(|error| named(&error))?;
        Page::from_json(&json).map_err(|error| named(&error))
    };
    let pages: Vec<Page> = pages.iter().map(read).collect::<PyResult<_>>()?;
    let gathered = Page::gathered(title, pages);
    py.detach(|| gathered.save(&out)).map_err(of_report)?;
    Ok(())
}
