//! The labels in a column of a table: numbers, or names.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use crate::class_map::ClassMap;
use crate::labels::{class_of, to_label};
use crate::{DataError, DataErrorKind};

/// The names by which a column of labels is known where none is chosen.
pub(crate) const NAMES: [&str; 4] = ["label", "labels", "target", "class"];

/// A column with more cells that are no labels is another one.
const MOST_BAD: usize = 1000;

/// A column with more different names is another one.
const MOST_NAMES: usize = 1 << 16;

/// A longer name is another text.
const LONGEST_NAME: usize = 256;

/// A cell without a label, and one that holds something else.
const MISSING: u32 = u32::MAX;
const BAD: u32 = u32::MAX - 1;

/// A cell as it is read.
pub(crate) enum Cell<'a> {
    Missing,
    Number(f64),
    Text(&'a str),
}

/// The labels of all rows, four bytes each, by the groups that the rows are stored in.
#[derive(Debug, Default)]
pub(crate) struct Labels {
    /// A group that cannot be read has what is wrong with it.
    groups: Vec<Result<Vec<u32>, String>>,
    bad: BTreeMap<(usize, usize), String>,
}

impl Labels {
    /// The label of a row; `name` and `place` are what a message calls the file and the row in it.
    pub(crate) fn get(
        &self,
        group: usize,
        row: usize,
        place: impl FnOnce() -> std::path::PathBuf,
    ) -> Result<Option<usize>, DataError> {
        let refuse = |kind, message: &str| Err(DataError::at(kind, &place(), message));
        match self.groups.get(group) {
            None => Ok(None),
            Some(Err(message)) => refuse(DataErrorKind::Format, message),
            Some(Ok(codes)) => match codes.get(row) {
                None | Some(&MISSING) => Ok(None),
                Some(&BAD) => {
                    let message = self.bad.get(&(group, row));
                    refuse(DataErrorKind::Labels, message.map_or("has no label", |m| m))
                }
                Some(&code) => Ok(Some(code as usize)),
            },
        }
    }
}

/// Collects the cells of a column, row by row and group by group.
pub(crate) struct LabelColumn<'a> {
    column: String,
    classes: Option<&'a ClassMap>,
    /// Whether cells are names; told by the first.
    names: Option<bool>,
    codes_of_names: HashMap<String, u32>,
    rows: Vec<u32>,
    labels: Labels,
}

impl<'a> LabelColumn<'a> {
    pub(crate) fn new(column: &str, classes: Option<&'a ClassMap>) -> Self {
        Self {
            column: column.to_owned(),
            classes,
            names: None,
            codes_of_names: HashMap::new(),
            rows: Vec::new(),
            labels: Labels::default(),
        }
    }

    /// Takes the next cell of the group.
    ///
    /// # Errors
    /// When the column is none of labels; then the message says why.
    pub(crate) fn push(&mut self, cell: Cell<'_>) -> Result<(), String> {
        let code = match cell {
            Cell::Missing => Ok(MISSING),
            Cell::Number(number) => to_label(number).ok_or_else(|| number.to_string()),
            Cell::Text(text) => self.code_of(text)?,
        };
        let code = match code {
            Ok(code) if code < BAD || code == MISSING => code,
            Ok(code) => self.bad(code.to_string())?,
            Err(text) => self.bad(text)?,
        };
        self.rows.push(code);
        Ok(())
    }

    /// The code of a text, or the text itself where it is no label.
    fn code_of(&mut self, text: &str) -> Result<Result<u32, String>, String> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(Ok(MISSING));
        }
        if text.len() > LONGEST_NAME {
            return Ok(Err("a long text".to_owned()));
        }
        let number = class_of(text, self.classes);
        let named = *self
            .names
            .get_or_insert(number.is_none() && self.classes.is_none());
        if !named {
            return Ok(number.ok_or_else(|| format!("{text:?}")));
        }
        let next = self.codes_of_names.len();
        if next >= MOST_NAMES && !self.codes_of_names.contains_key(text) {
            return Err(format!(
                "column {:?} holds more than {MOST_NAMES} different texts, too many for labels",
                self.column
            ));
        }
        let code = self.codes_of_names.entry(text.to_owned());
        Ok(Ok(*code.or_insert(next as u32)))
    }

    fn bad(&mut self, text: String) -> Result<u32, String> {
        let known = match self.classes {
            Some(_) => ", and no class of the class map",
            None => "",
        };
        let message = format!(
            "label {text} in column {:?} is not a whole number from 0 on{known}",
            self.column
        );
        if self.labels.bad.len() >= MOST_BAD {
            return Err(format!("{message}, and neither are {MOST_BAD} before it"));
        }
        let place = (self.labels.groups.len(), self.rows.len());
        self.labels.bad.insert(place, message);
        Ok(BAD)
    }

    /// Ends a group.
    pub(crate) fn end_group(&mut self) {
        self.labels.groups.push(Ok(std::mem::take(&mut self.rows)));
    }

    /// Ends a group that cannot be read.
    pub(crate) fn end_unreadable_group(&mut self, message: String) {
        self.rows.clear();
        self.labels.groups.push(Err(message));
    }

    /// The labels, and the names of the classes where cells are names: sorted, they are labels 0, 1, ….
    pub(crate) fn finish(mut self) -> (Labels, Option<Vec<String>>) {
        if self.names != Some(true) {
            let names = self.classes.map(|classes| classes.names().to_vec());
            return (self.labels, names);
        }
        let mut names: Vec<(String, u32)> = self.codes_of_names.into_iter().collect();
        names.sort();
        let mut label_of = vec![0; names.len()];
        for (label, (_, code)) in names.iter().enumerate() {
            label_of[*code as usize] = label as u32;
        }
        for code in self.labels.groups.iter_mut().flatten().flatten() {
            if let Some(&label) = label_of.get(*code as usize) {
                *code = label;
            }
        }
        let names = names.into_iter().map(|(name, _)| name).collect();
        (self.labels, Some(names))
    }
}

/// The index of the label column in a table with these columns, if it has one.
pub(crate) fn find(
    name: &Path,
    columns: &[String],
    chosen: Option<&str>,
) -> Result<Option<usize>, DataError> {
    match chosen {
        Some(chosen) => find_column(name, columns, chosen, "--label-column").map(Some),
        None => Ok(NAMES
            .iter()
            .find_map(|name| columns.iter().position(|column| column == name))),
    }
}

/// The index of the column called `chosen`.
pub(crate) fn find_column(
    name: &Path,
    columns: &[String],
    chosen: &str,
    option: &str,
) -> Result<usize, DataError> {
    /// More are only counted.
    const MOST_LISTED: usize = 12;
    let mut found = (0..columns.len()).filter(|&index| columns[index] == chosen);
    let refuse = |message: String| Err(DataError::at(DataErrorKind::Option, name, message));
    match (found.next(), found.next()) {
        (Some(index), None) => Ok(index),
        (Some(_), Some(_)) => refuse(format!("has several columns called {chosen:?}")),
        (None, _) => {
            let mut listed: Vec<String> = columns
                .iter()
                .take(MOST_LISTED)
                .map(|column| format!("{column:?}"))
                .collect();
            if columns.len() > MOST_LISTED {
                listed.push(format!("{} more", columns.len() - MOST_LISTED));
            }
            refuse(format!(
                "has no column {chosen:?}, only {}: choose one with {option}",
                listed.join(", ")
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(labels: &Labels, row: usize) -> Result<Option<usize>, String> {
        let place = || Path::new("t").to_path_buf();
        labels.get(0, row, place).map_err(|error| error.to_string())
    }

    #[test]
    fn names_are_labels_in_sorted_order() {
        let mut column = LabelColumn::new("y", None);
        for text in ["dog", "", "cat", "7", "dog"] {
            column.push(Cell::Text(text)).unwrap();
        }
        column.end_group();
        let (labels, names) = column.finish();
        assert_eq!(names.unwrap(), ["7", "cat", "dog"]);
        let found: Vec<_> = (0..5).map(|row| get(&labels, row).unwrap()).collect();
        assert_eq!(found, [Some(2), None, Some(1), Some(0), Some(2)]);
    }

    #[test]
    fn one_bad_cell_is_one_bad_row() {
        let mut column = LabelColumn::new("y", None);
        for cell in [
            Cell::Number(3.0),
            Cell::Number(0.5),
            Cell::Text("x"),
            Cell::Text("4"),
        ] {
            column.push(cell).unwrap();
        }
        column.end_group();
        let (labels, names) = column.finish();
        // The first text said that cells are names.
        assert_eq!(names.unwrap(), ["4", "x"]);
        assert!(get(&labels, 1).unwrap_err().contains("0.5"));
        let mut column = LabelColumn::new("y", None);
        for _ in 0..MOST_BAD {
            column.push(Cell::Number(-1.0)).unwrap();
        }
        assert!(column.push(Cell::Number(-1.0)).is_err());
    }
}
