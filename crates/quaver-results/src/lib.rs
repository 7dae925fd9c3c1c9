//! What the tasks of Quaver found, as people look at it: sections of pages, sheets of pictures, arrays in files.
//!
//! It is its own crate because the command and the Python package both show results, and neither is the other's: it knows
//! the tasks of [`quaver`] and the forms of `quaver-report`, and reads no options, prints nothing, and opens no data.
#![forbid(unsafe_code)]

mod attacks;
mod comparison;
mod layers;
mod maps;
mod study;

use std::collections::BTreeMap;

use quaver::{Dataset, Summary};
use quaver_report::{Axis, Section, Thumbnail, Tone, grouped};

pub use attacks::{Examples, attack_json, attack_page, attack_table, remarks};
pub use comparison::{Compared, compared_table, comparison, overview_table};
pub use layers::{
    MEAN_NOISE, Names, agreement_table, disturbed_table, layer_columns, layer_row, layers_sections,
    left_out, ranking_column, verified_json, verified_text,
};
pub use maps::{
    map_json, map_numbers, map_rows, map_section, map_sheet, map_table, map_text, map_words,
    maps_table, write_map,
};
pub use study::study;

/// The data that a page is about.
pub struct Subjects<'a> {
    /// None where only a store of Grams is left.
    dataset: Option<&'a dyn Dataset>,
    class_names: Option<&'a [String]>,
    /// Where in the dataset a sample lies, by its index in the data as they are on disk.
    positions: BTreeMap<usize, usize>,
}

impl<'a> Subjects<'a> {
    /// Samples, where they are at hand, and the names of their classes in label order.
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
fn percent(share: Option<f64>) -> String {
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
