//! Tables that can be sorted and filtered, with a picture and a few badges per row.
//!
//! The table stands in the page as a table; the script only rearranges it.

use super::figure::write_picture;
use super::section::Tone;
use crate::markup::Markup;
use crate::number::{ColumnFormat, grouped};
use crate::picture::Thumbnail;
use crate::text::floats;
use quaver::table::{Column, Kind, Value};

/// A table of samples, layers or whatever is ranked.
#[derive(Debug, Clone)]
pub struct RankingTable {
    caption: String,
    columns: Vec<Column>,
    values: Vec<Vec<Value>>,
    extras: Vec<Extras>,
    order: Option<(String, Order)>,
    limit: usize,
    n_rows: usize,
    all_in: String,
    digits: usize,
}

/// What stands beside the cells of a row: its picture and its remarks.
type Extras = (Option<Thumbnail>, Vec<(Tone, String)>);

/// A row of a table.
#[derive(Debug, Clone, Default)]
pub struct TableRow {
    values: Vec<Value>,
    picture: Option<Thumbnail>,
    badges: Vec<(Tone, String)>,
}

/// Which end of a column comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// The smallest.
    Ascending,
    /// The largest.
    Descending,
}

impl TableRow {
    /// A row with one cell per column. Cells that are not given are missing values.
    pub fn new(values: Vec<Value>) -> Self {
        Self {
            values,
            ..Self::default()
        }
    }

    /// Puts a picture before the cells.
    #[must_use]
    pub fn picture(mut self, picture: Thumbnail) -> Self {
        self.picture = Some(picture);
        self
    }

    /// Adds a remark after the cells, of a word or two.
    #[must_use]
    pub fn badge(mut self, tone: Tone, text: impl Into<String>) -> Self {
        self.badges.push((tone, text.into()));
        self
    }
}

impl RankingTable {
    /// Rows shown unless said otherwise. Default 200.
    pub const DEFAULT_LIMIT: usize = 200;

    /// A table without rows. The caption says what its rows are.
    pub fn new(caption: impl Into<String>, columns: Vec<Column>) -> Self {
        Self {
            caption: caption.into(),
            columns,
            values: Vec::new(),
            extras: Vec::new(),
            order: None,
            limit: Self::DEFAULT_LIMIT,
            n_rows: 0,
            all_in: String::new(),
            digits: 4,
        }
    }

    /// Adds a row, in the order in which rows are shown. Rows past the limit are counted and let go.
    pub fn push(&mut self, row: TableRow) {
        self.n_rows += 1;
        if self.values.len() < self.limit {
            self.values.push(row.values);
            self.extras.push((row.picture, row.badges));
        }
    }

    /// Adds rows, as [`push`](Self::push) does.
    #[must_use]
    pub fn rows(mut self, rows: impl IntoIterator<Item = TableRow>) -> Self {
        rows.into_iter().for_each(|row| self.push(row));
        self
    }

    /// Shows at most `limit` rows. To be said before rows are added.
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    /// Says by which column the rows are ordered; the table does not order them itself.
    #[must_use]
    pub fn ordered_by(mut self, column: impl Into<String>, order: Order) -> Self {
        self.order = Some((column.into(), order));
        self
    }

    /// Says that there are `n_rows` rows, of which those added are the first, and which file has them all.
    #[must_use]
    pub fn all_in(mut self, n_rows: usize, file: impl Into<String>) -> Self {
        self.n_rows = self.n_rows.max(n_rows);
        self.all_in = file.into();
        self
    }

    /// Shows real numbers to so many significant digits. Default 4.
    #[must_use]
    pub fn digits(mut self, digits: usize) -> Self {
        self.digits = digits;
        self
    }

    pub(super) fn write(&self, section: &mut Markup) {
        section.element("div", &[("class", "ranking")], |ranking| {
            self.write_tools(ranking);
            let attributes = [
                ("class", "scroll"),
                ("role", "region"),
                ("aria-label", &*self.caption),
                ("tabindex", "0"),
            ];
            ranking.element("div", &attributes, |scroll| {
                scroll.element("table", &[], |table| {
                    table.leaf("caption", &[], &self.caption);
                    table.element("thead", &[], |head| self.write_head(head));
                    table.element("tbody", &[], |body| self.write_rows(body));
                });
            });
            if let Some(note) = self.note() {
                ranking.leaf("p", &[("class", "more")], &note);
            }
            self.write_meanings(ranking);
        });
        section.line();
    }

    fn has_pictures(&self) -> bool {
        self.extras.iter().any(|(picture, _)| picture.is_some())
    }

    fn has_badges(&self) -> bool {
        self.extras.iter().any(|(_, badges)| !badges.is_empty())
    }

    fn note(&self) -> Option<String> {
        let shown = self.values.len();
        if shown >= self.n_rows {
            return None;
        }
        let (shown, n_rows) = (grouped(shown as u64), grouped(self.n_rows as u64));
        Some(match &*self.all_in {
            "" => format!("Showing {shown} of {n_rows} rows."),
            file => format!("Showing {shown} of {n_rows} rows; all are in {file}."),
        })
    }

    /// The filter waits, hidden, for the script that makes it work. Enlarging pictures needs none.
    fn write_tools(&self, ranking: &mut Markup) {
        ranking.element("div", &[("class", "tools")], |tools| {
            tools.element("label", &[("class", "filter"), ("hidden", "")], |label| {
                label.text("Filter rows ");
                let attributes = [
                    ("type", "search"),
                    ("autocomplete", "off"),
                    ("spellcheck", "false"),
                ];
                label.void("input", &attributes);
            });
            if self.has_pictures() {
                tools.element("label", &[("class", "enlarge")], |label| {
                    label.void("input", &[("type", "checkbox")]);
                    label.text(" Large pictures");
                });
            }
            tools.leaf("output", &[("aria-live", "polite")], "");
        });
    }

    fn write_head(&self, head: &mut Markup) {
        head.element("tr", &[], |row| {
            if self.has_pictures() {
                row.leaf("th", &[("scope", "col")], "picture");
            }
            for column in &self.columns {
                let kind = class_of(column.kind);
                let order = match &self.order {
                    Some((name, Order::Ascending)) if *name == column.name => "ascending",
                    Some((name, Order::Descending)) if *name == column.name => "descending",
                    _ => "none",
                };
                let attributes = [
                    ("scope", "col"),
                    ("class", kind),
                    ("data-sort", kind),
                    ("aria-sort", order),
                    ("title", &*column.doc),
                ];
                row.leaf("th", &attributes, &column.name);
            }
            if self.has_badges() {
                let attributes = [
                    ("scope", "col"),
                    ("data-sort", "text"),
                    ("aria-sort", "none"),
                ];
                row.leaf("th", &attributes, "remarks");
            }
        });
    }

    fn write_rows(&self, body: &mut Markup) {
        let format = |position| ColumnFormat::of(floats(&self.values, position), self.digits);
        let formats: Vec<ColumnFormat> = (0..self.columns.len()).map(format).collect();
        let (has_pictures, has_badges) = (self.has_pictures(), self.has_badges());
        for (values, (picture, badges)) in self.values.iter().zip(&self.extras) {
            body.line();
            body.element("tr", &[], |row| {
                if has_pictures {
                    row.element("td", &[("class", "picture")], |cell| {
                        if let Some(picture) = picture {
                            write_picture(cell, picture, 1);
                        }
                    });
                }
                for (position, (column, format)) in self.columns.iter().zip(&formats).enumerate() {
                    write_cell(
                        row,
                        values.get(position).unwrap_or(&Value::Null),
                        column.kind,
                        *format,
                    );
                }
                if has_badges {
                    row.element("td", &[("class", "remarks")], |cell| {
                        write_badges(cell, badges);
                    });
                }
            });
        }
    }

    fn write_meanings(&self, ranking: &mut Markup) {
        ranking.element("details", &[], |details| {
            details.leaf("summary", &[], "What the columns mean");
            details.element("dl", &[], |list| {
                for column in &self.columns {
                    list.leaf("dt", &[], &column.name);
                    list.leaf("dd", &[], &column.doc);
                }
            });
        });
    }
}

/// How a column is aligned and sorted.
fn class_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Int | Kind::Float => "number",
        Kind::Text => "text",
    }
}

/// A cell. `data-value` is what the script sorts by where it is not what the reader sees.
fn write_cell(row: &mut Markup, value: &Value, kind: Kind, format: ColumnFormat) {
    match value {
        Value::Null => {
            let class = format!("{} missing", class_of(kind));
            let attributes = [("class", &*class), ("data-value", "")];
            row.element("td", &attributes, |cell| {
                cell.leaf("span", &[("aria-label", "no value"), ("role", "img")], "–");
            });
        }
        Value::Int(value) => row.leaf("td", &[("class", "number")], &value.to_string()),
        Value::Float(value) => {
            let exact = match value.is_infinite() {
                true if *value < 0.0 => "-Infinity".to_owned(),
                true => "Infinity".to_owned(),
                false => format!("{value:?}"),
            };
            let attributes = [("class", "number"), ("data-value", &*exact)];
            row.leaf("td", &attributes, &format.typeset(*value));
        }
        Value::Text(text) => row.leaf("td", &[("dir", "auto")], text),
    }
}

fn write_badges(cell: &mut Markup, badges: &[(Tone, String)]) {
    for (tone, text) in badges {
        let class = format!("badge {}", tone.class());
        cell.element("span", &[("class", &class)], |badge| {
            badge.leaf("span", &[("aria-hidden", "true")], tone.shape());
            badge.text(" ");
            badge.text(text);
        });
        cell.text(" ");
    }
}
