//! What the pages of several commands have in common: names of classes, pictures of samples, axes of measures.

mod comparison;
mod study;

use std::collections::BTreeMap;
use std::path::Path;

use quaver::{Dataset, Summary};
use quaver_report::{Axis, Page, RunRecord, Section, Thumbnail, Tone};

use crate::console::Console;
use crate::failure::Failure;

pub use comparison::{Compared, comparison, overview_table};
pub use study::study;

use quaver_report::grouped;

/// The data that a page is about.
pub struct Subjects<'a> {
    /// None where only a store of Grams is left.
    dataset: Option<&'a dyn Dataset>,
    class_names: Option<&'a [String]>,
    /// Where in the dataset a sample lies, by its index in the data as they are on disk.
    positions: BTreeMap<usize, usize>,
}

impl<'a> Subjects<'a> {
    pub fn new(dataset: Option<&'a dyn Dataset>, class_names: Option<&'a [String]>) -> Self {
        let positions = dataset
            .into_iter()
            .flat_map(|dataset| (0..dataset.len()).map(|at| (dataset.original_index(at), at)));
        Self {
            dataset,
            class_names,
            positions: positions.collect(),
        }
    }

    /// A class by its name, or else by its number.
    pub fn class(&self, class: usize) -> String {
        class_name(self.class_names, class)
    }

    /// A picture of the sample with this index, if samples are pictures.
    pub fn picture(&self, index: usize) -> Option<Thumbnail> {
        let dataset = self.dataset?;
        let sample = dataset.read(*self.positions.get(&index)?).ok()?;
        let alt = match sample.label {
            Some(label) => format!("sample {index}, labelled {}", self.class(label)),
            None => format!("sample {index}"),
        };
        Thumbnail::of_values(dataset.shape(), &sample.values, alt)
    }
}

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

/// A class by its name, or else by its number.
pub fn class_name(names: Option<&[String]>, class: usize) -> String {
    let name = names.and_then(|names| names.get(class));
    name.cloned().unwrap_or_else(|| class.to_string())
}

/// The axis on which a measure is drawn.
pub fn axis(measure: &str) -> Axis {
    match measure {
        "saturation" | "p_label" => Axis::linear(measure).spanning(0.0, 1.0),
        "margin_radius" => Axis::linear(measure),
        _ => Axis::log(measure),
    }
}

/// A share in percent.
pub fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "–".to_owned(), |share| format!("{:.1} %", 100.0 * share))
}

/// What the saturation of FI means for the reader.
fn verdict(section: Section, summary: &Summary) -> Section {
    match summary.saturated_share() {
        None => section,
        Some(0.0) => section.callout(Tone::Good, summary.verdict()),
        Some(_) => section.callout(Tone::Caution, summary.verdict()),
    }
}
