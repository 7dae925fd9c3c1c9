//! A table in the page.

use serde_json::{Value as Json, json};

use super::{Order, RankingTable, TableRow};
use crate::html::figure::write_picture;
use crate::html::section::Tone;
use crate::markup::Markup;
use crate::number::{ColumnFormat, grouped};
use quaver::table::{Kind, Value};

/// Rows that are elements from the start, and that without scripts are all there are.
const FIRST: usize = 100;

impl RankingTable {
    pub(in crate::html) fn write(&self, section: &mut Markup) {
        let formats = self.formats();
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
                    table.element("caption", &[], |caption| {
                        caption.leaf("span", &[], &self.caption);
                    });
                    table.element("thead", &[], |head| self.write_head(head));
                    table.element("tbody", &[], |body| self.write_rows(body, &formats));
                });
            });
            if self.rows.len() > FIRST {
                let rest = self.rows[FIRST..].iter();
                let rest: Vec<Json> = rest.map(|row| self.packed(row, &formats)).collect();
                let attributes = [("type", "application/json"), ("class", "rest")];
                ranking.element("script", &attributes, |data| data.json(&Json::from(rest)));
            }
            if let Some(note) = self.note() {
                ranking.leaf("p", &[("class", "more")], &note);
            }
            self.write_meanings(ranking);
        });
        section.line();
    }

    fn formats(&self) -> Vec<ColumnFormat> {
        let format = |column: usize| {
            let cells = self.rows.iter().map(|row| row.value(column));
            let numbers = cells.filter_map(|value| match value {
                Value::Float(number) => Some(*number),
                _ => None,
            });
            ColumnFormat::of(numbers, self.digits)
        };
        (0..self.columns.len()).map(format).collect()
    }

    /// How many rows there are where not all are in the page, and where the others are.
    fn note(&self) -> Option<String> {
        let (shown, all) = (self.rows.len(), self.n_rows);
        if shown == all {
            return None;
        }
        let (shown, all) = (grouped(shown as u64), grouped(all as u64));
        Some(match &*self.all_in {
            "" => format!("Showing {shown} of {all} rows."),
            file => format!("Showing {shown} of {all} rows; all are in {file}."),
        })
    }

    /// The filter stays hidden for the script that makes it work. Enlarging pictures needs none.
    fn write_tools(&self, ranking: &mut Markup) {
        ranking.element("div", &[("class", "tools")], |tools| {
            tools.element("label", &[("class", "filter"), ("hidden", "")], |label| {
                label.text("Filter rows ");
                let attributes = [
                    ("type", "search"),
                    ("autocomplete", "off"),
                    ("spellcheck", "false"),
                    ("placeholder", &*self.filter_example()),
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

    /// What may be typed, with a column of this table.
    fn filter_example(&self) -> String {
        let mut floats = self
            .columns
            .iter()
            .filter(|column| column.kind == Kind::Float);
        match floats.next() {
            Some(column) => format!("text, or {}>0.5", column.name),
            None => "text".to_owned(),
        }
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

    fn write_rows(&self, body: &mut Markup, formats: &[ColumnFormat]) {
        let (has_pictures, has_badges) = (self.has_pictures(), self.has_badges());
        for row in self.rows.iter().take(FIRST) {
            body.line();
            body.element("tr", &[], |line| {
                if has_pictures {
                    line.element("td", &[("class", "picture")], |cell| {
                        if let Some(picture) = &row.picture {
                            write_picture(cell, picture, 1);
                        }
                    });
                }
                for (position, (column, format)) in self.columns.iter().zip(formats).enumerate() {
                    write_cell(line, row.value(position), column.kind, *format);
                }
                if has_badges {
                    line.element("td", &[("class", "remarks")], |cell| {
                        write_badges(cell, &row.badges);
                    });
                }
            });
        }
    }

    /// A row for the script: its cells, its picture or 0, its remarks. A real number is what the reader sees and what
    /// is sorted by.
    fn packed(&self, row: &TableRow, formats: &[ColumnFormat]) -> Json {
        let cells = (0..self.columns.len()).map(|column| match row.value(column) {
            Value::Null => Json::Null,
            Value::Int(number) => json!(number),
            Value::Float(number) => {
                let exact = match number.is_finite() {
                    true => json!(number),
                    false => json!(sortable(*number)),
                };
                json!([formats[column].typeset(*number), exact])
            }
            Value::Text(text) => json!(text),
        });
        let cells: Vec<Json> = cells.collect();
        let picture = row.picture.as_ref().map_or(json!(0), |picture| {
            let (width, height) = (picture.width, picture.height);
            json!([picture.class(), picture.uri, picture.alt, width, height])
        });
        let badge = |(tone, text): &(Tone, String)| json!([tone.class(), tone.shape(), text]);
        let badges: Vec<Json> = row.badges.iter().map(badge).collect();
        json!([cells, picture, badges])
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

/// A number as JavaScript reads it.
fn sortable(number: f64) -> String {
    match number.is_infinite() {
        true if number < 0.0 => "-Infinity".to_owned(),
        true => "Infinity".to_owned(),
        false => format!("{number:?}"),
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
            let attributes = [("class", "number"), ("data-value", &*sortable(*value))];
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
