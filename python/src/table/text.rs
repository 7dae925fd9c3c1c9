//! A table as people see it: in a terminal, in a notebook.

use quaver::table::{Kind, Value};
use quaver_report::{TextOptions, text_table};

use super::Table;

/// Rows that are shown.
const SHOWN: usize = 10;
/// Terminals are about this wide; a table that is all numbers may be wider.
const WIDTH: usize = 120;

/// The first rows as aligned text, and the note.
pub fn plain(table: &Table) -> String {
    let options = TextOptions {
        width: WIDTH,
        ..TextOptions::default()
    };
    let mut text = text_table(&table.columns, &first(table), &options);
    if let Some(more) = more(table) {
        text.push_str(&more);
        text.push('\n');
    }
    if !table.note.is_empty() {
        text.push('\n');
        text.push_str(&table.note);
    }
    text.trim_end().to_owned()
}

/// The first rows as HTML, what a column means under its name, and the note.
pub fn html(table: &Table) -> String {
    let header = table.columns.iter().map(|column| {
        let (name, doc) = (escaped(&column.name), escaped(&column.doc));
        format!("<th title=\"{doc}\">{name}</th>")
    });
    let rows = first(table).into_iter().map(|row| {
        let cells = row.iter().zip(&table.columns).map(|(value, column)| {
            let align = match column.kind {
                Kind::Text => "left",
                _ => "right",
            };
            format!("<td style=\"text-align:{align}\">{}</td>", cell(value))
        });
        format!("<tr>{}</tr>", cells.collect::<String>())
    });
    let below: String = [more(table), Some(table.note.clone())]
        .into_iter()
        .flatten()
        .filter(|text| !text.is_empty())
        .map(|text| format!("<p>{}</p>", escaped(&text)))
        .collect();
    format!(
        "<div><table><thead><tr>{}</tr></thead><tbody>{}</tbody></table>{below}</div>",
        header.collect::<String>(),
        rows.collect::<String>(),
    )
}

fn first(table: &Table) -> Vec<Vec<Value>> {
    let n = table.batch.num_rows().min(SHOWN);
    (0..n).map(|row| table.row(row)).collect()
}

fn more(table: &Table) -> Option<String> {
    let more = table.batch.num_rows().saturating_sub(SHOWN);
    (more > 0).then(|| format!("and {more} more rows"))
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Int(number) => number.to_string(),
        Value::Float(number) if number.abs() >= 1e-3 && number.abs() < 1e5 => {
            format!("{number:.4}")
        }
        Value::Float(0.0) => "0".to_owned(),
        Value::Float(number) => format!("{number:.3e}"),
        Value::Text(text) => escaped(text),
    }
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            c => escaped.push(c),
        }
    }
    escaped
}
