//! Pages of results, written where the user wants them.

use std::path::Path;

use quaver_report::{Page, RunRecord, Section};

use crate::console::Console;
use crate::failure::Failure;

pub use quaver_results::{Compared, Subjects, compared_table, comparison, overview_table, study};

/// Writes a page with these sections and the record of its run, and says so.
pub fn write(
    console: &Console,
    path: &Path,
    page: Page,
    sections: Vec<Section>,
    record: &RunRecord,
) -> Result<(), Failure> {
    let page = sections.into_iter().fold(page, Page::section);
    let beside = page.record(record.clone()).save(path)?;
    let (page, beside) = (path.display(), beside.display());
    console.note(format_args!(
        "page written to {page}, its numbers to {beside}"
    ));
    Ok(())
}

/// The last part of a path, for titles.
pub fn file_name(path: &Path) -> String {
    path.file_name()
        .unwrap_or(path.as_os_str())
        .to_string_lossy()
        .into_owned()
}
