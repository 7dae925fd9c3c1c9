//! The tasks of the command line, a file each: a function and the class of its result.
//!
//! Every file has options, the function, what the result holds, its methods, in this order. A result that is a table is
//! a subclass of `Table`; its page is that of the command line.

pub mod attack;
pub mod compare;
pub mod layers;
pub mod map;
pub mod outliers;
pub mod report;
pub mod simulate;
pub mod store;

use std::path::Path;

use pyo3::prelude::*;
use quaver_report::{Page, RunRecord, Section};

use crate::error::of_report;

/// Writes a page with these sections, and its numbers beside it as JSON.
pub fn save_page(
    py: Python<'_>,
    path: &Path,
    page: Page,
    sections: Vec<Section>,
    record: RunRecord,
) -> PyResult<()> {
    let page = sections
        .into_iter()
        .fold(page, Page::section)
        .record(record);
    py.detach(|| page.save(path)).map_err(of_report)?;
    Ok(())
}
