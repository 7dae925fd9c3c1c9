//! Pages of results, written where the user wants them.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use quaver_report::{Page, RunRecord, Section, check_output, unlike};

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
    save(console, path, &page.record(record.clone()))
}

/// Writes a page that has its sections and its record, and says so.
pub fn save(console: &Console, path: &Path, page: &Page) -> Result<(), Failure> {
    let beside = page.save(path)?;
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

/// What titles call several files: the last part of each path, and as much before it as tells them apart.
pub fn distinct_names(paths: &[&Path]) -> Vec<String> {
    let last = |path: &Path, n: usize| -> String {
        let parts: Vec<_> = path.components().collect();
        let tail: PathBuf = parts[parts.len().saturating_sub(n)..].iter().collect();
        tail.to_string_lossy().into_owned()
    };
    let longest = paths.iter().map(|path| path.components().count()).max();
    let mut names: Vec<String> = paths.iter().map(|path| file_name(path)).collect();
    for n in 2..=longest.unwrap_or(1) {
        let before = names.clone();
        for (name, path) in names.iter_mut().zip(paths) {
            if before.iter().filter(|other| *other == name).count() > 1 {
                *name = last(path, n);
            }
        }
    }
    // One file several times.
    let mut given = HashSet::new();
    names.iter().map(|name| unlike(&mut given, name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_files_apart() {
        let names = |paths: &[&str]| {
            let paths: Vec<&Path> = paths.iter().map(Path::new).collect();
            distinct_names(&paths)
        };
        assert_eq!(
            names(&["a/net.onnx", "b/other.onnx"]),
            ["net.onnx", "other.onnx"]
        );
        assert_eq!(
            names(&["a/net.onnx", "b/net.onnx", "c.onnx"]),
            ["a/net.onnx", "b/net.onnx", "c.onnx"]
        );
        assert_eq!(
            names(&["1/x/net.onnx", "2/x/net.onnx"]),
            ["1/x/net.onnx", "2/x/net.onnx"]
        );
        assert_eq!(
            names(&["net.onnx", "net.onnx"]),
            ["net.onnx", "net.onnx (2)"]
        );
        assert_eq!(
            names(&["a/net.onnx", "net.onnx"]),
            ["a/net.onnx", "net.onnx"]
        );
    }
}
