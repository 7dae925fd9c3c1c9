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

use quaver::table::{Column, Kind, Value};
use quaver::{Dataset, Summary};
use quaver_report::{Axis, RunRecord, Section, Thumbnail, Tone, grouped};
use serde_json::Value as Json;

pub use attacks::{Examples, attack_json, attack_page, attack_table, remarks};
pub use comparison::{Compared, compared_table, comparison, comparison_page, overview_table};
pub use layers::{
    MEAN_NOISE, Names, agreement_table, disturbed_table, layer_columns, layer_row, layers_page,
    layers_sections, left_out, ranking_column, verified_json, verified_text,
};
pub use maps::{
    map_json, map_page, map_rows, map_section, map_sheet, map_table, map_text, map_words,
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

/// Puts the names of classes in place of their numbers in the columns called `which`, where names are known.
fn name_classes(
    columns: &mut [Column],
    rows: &mut [Vec<Value>],
    which: &[&str],
    names: Option<&[String]>,
) {
    if names.is_none() {
        return;
    }
    let columns = columns.iter_mut().enumerate();
    for (at, column) in columns.filter(|(_, column)| which.contains(&column.name.as_str())) {
        column.kind = Kind::Text;
        for cell in rows.iter_mut().filter_map(|row| row.get_mut(at)) {
            if let Value::Int(class) = *cell {
                let class = usize::try_from(class).unwrap_or(usize::MAX);
                *cell = class_name(names, class).into();
            }
        }
    }
}

/// What titles call the network and the data of a run: the names of their files, as its record has them.
fn named(record: &RunRecord) -> (String, String) {
    let name = |file: &Json| -> Option<String> {
        let path = file.get("path").or_else(|| file.get("name"))?.as_str()?;
        let last = std::path::Path::new(path).file_name()?;
        Some(last.to_string_lossy().into_owned())
    };
    let names = |value: &Json| match value {
        Json::Array(files) if files.len() > 2 => Some(format!("{} files", files.len())),
        Json::Array(files) => {
            let names: Option<Vec<String>> = files.iter().map(name).collect();
            names.filter(|n| !n.is_empty()).map(|n| n.join(" and "))
        }
        file => name(file),
    };
    let called = |key: &str| record.get(key).and_then(names);
    (
        called("model").unwrap_or_else(|| "the network".to_owned()),
        called("data").unwrap_or_else(|| "the data".to_owned()),
    )
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn titles_have_the_names_of_files() {
        let of = |model: Json, data: Json| {
            named(&RunRecord::new().with("model", model).with("data", data))
        };
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        let file = |path: &str| json!({"path": path, "n_bytes": 1});
        let (net, data) = (file("nets/net.onnx"), file("a/b.npz"));
        assert_eq!(of(net.clone(), data.clone()), pair("net.onnx", "b.npz"));
        let two = json!([data, file("c.png")]);
        assert_eq!(of(net.clone(), two), pair("net.onnx", "b.npz and c.png"));
        let three = json!([file("a"), file("b"), file("c")]);
        assert_eq!(of(net, three), pair("net.onnx", "3 files"));
        let of_arrays = of(json!({"sha256": ""}), json!([{"shape": [1]}]));
        assert_eq!(of_arrays, pair("the network", "the data"));
    }

    #[test]
    fn classes_have_their_names() {
        let columns = [
            Column::new("label", Kind::Int, ""),
            Column::new("rank", Kind::Int, ""),
        ];
        let rows = [
            vec![1.into(), 1.into()],
            vec![Value::Null, 0.into()],
            vec![7.into()],
        ];
        let names = ["cat".to_owned(), "dog".to_owned()];
        let (mut heads, mut named) = (columns.clone(), rows.clone());
        name_classes(&mut heads, &mut named, &["label"], Some(&names));
        assert_eq!((heads[0].kind, heads[1].kind), (Kind::Text, Kind::Int));
        let expected = [
            vec!["dog".into(), 1.into()],
            vec![Value::Null, 0.into()],
            vec!["7".into()],
        ];
        assert_eq!(named, expected);
        let (mut heads, mut plain) = (columns, rows.clone());
        name_classes(&mut heads, &mut plain, &["label"], None);
        assert_eq!((heads[0].kind, plain), (Kind::Int, rows));
    }
}
