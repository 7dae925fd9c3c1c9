//! Pages of results, written where the user wants them.

use std::path::{Path, PathBuf};

use quaver_report::{Page, RunRecord, Section, check_output};

use crate::console::Console;
use crate::failure::Failure;

pub use quaver_results::{
    Compared, Subjects, compared_table, comparison, comparison_page, overview_table, study,
};

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

/// Refuses, before anything is computed, a page that could not be written afterwards, or its numbers beside it.
pub fn check(path: Option<&PathBuf>) -> Result<(), Failure> {
    let Some(path) = path else {
        return Ok(());
    };
    let name = path.display();
    let extension = path.extension().and_then(|extension| extension.to_str());
    let is_page = |extension: &str| {
        ["html", "htm"]
            .iter()
            .any(|known| known.eq_ignore_ascii_case(extension))
    };
    if !extension.is_some_and(is_page) {
        return Err(Failure::Input(format!(
            "{name}: a page's name ends in .html"
        )));
    }
    check_output(path)?;
    Ok(check_output(&path.with_extension("json"))?)
}

/// The last part of a path, for titles.
pub fn file_name(path: &Path) -> String {
    path.file_name()
        .unwrap_or(path.as_os_str())
        .to_string_lossy()
        .into_owned()
}
