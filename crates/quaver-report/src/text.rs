//! Tables for the terminal: aligned, readable, and no wider than asked where text can give way.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::number::ColumnFormat;
use quaver::table::{Column, Kind, Value};

/// How a table is laid out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextOptions {
    /// Columns of the terminal. Wide text is cut to fit; a table that is all numbers may stay wider. Default 100.
    pub width: usize,
    /// Significant digits of real numbers. Default 4.
    pub digits: usize,
}

impl Default for TextOptions {
    fn default() -> Self {
        Self {
            width: 100,
            digits: 4,
        }
    }
}

impl TextOptions {
    /// Nothing is cut: names that are long are often alike at the start.
    pub fn uncut() -> Self {
        Self {
            width: usize::MAX,
            ..Self::default()
        }
    }
}

/// Between two columns.
const GAP: &str = "  ";
/// Text is never cut to less than this.
const NARROWEST_TEXT: usize = 8;
/// What stands where there is no value.
const NO_VALUE: &str = "-";

/// The table as lines of text, each ending in a line feed: a header, a rule, and one line per row.
///
/// Numbers stand right-aligned and rounded, text left-aligned with its control characters escaped, so that a name
/// in a dataset cannot drive the terminal. A row that is shorter than the columns ends in missing values.
pub fn text_table(columns: &[Column], rows: &[Vec<Value>], options: &TextOptions) -> String {
    let formats: Vec<ColumnFormat> = (0..columns.len())
        .map(|position| ColumnFormat::of(floats(rows, position), options.digits))
        .collect();
    let cells: Vec<Vec<String>> = rows.iter().map(|row| cells(&formats, row)).collect();
    let mut widths: Vec<usize> = Vec::with_capacity(columns.len());
    for (position, column) in columns.iter().enumerate() {
        let widest = cells.iter().map(|row| row[position].width()).max();
        widths.push(widest.unwrap_or(0).max(column.name.width()));
    }
    shrink(columns, &mut widths, options.width);

    let mut text = String::new();
    let header: Vec<String> = columns
        .iter()
        .map(|column| printable(&column.name))
        .collect();
    push_line(&mut text, columns, &widths, &header);
    let rule: Vec<String> = widths.iter().map(|width| "─".repeat(*width)).collect();
    push_line(&mut text, columns, &widths, &rule);
    for row in &cells {
        push_line(&mut text, columns, &widths, row);
    }
    text
}

fn cells(formats: &[ColumnFormat], row: &[Value]) -> Vec<String> {
    let cell = |(position, format): (usize, &ColumnFormat)| match row.get(position) {
        None | Some(Value::Null) => NO_VALUE.to_owned(),
        Some(Value::Int(value)) => value.to_string(),
        Some(Value::Float(value)) => format.ascii(*value),
        Some(Value::Text(value)) => printable(value),
    };
    formats.iter().enumerate().map(cell).collect()
}

/// The real numbers of a column.
pub(crate) fn floats(rows: &[Vec<Value>], position: usize) -> impl Iterator<Item = f64> {
    rows.iter().filter_map(move |row| match row.get(position) {
        Some(Value::Float(value)) => Some(*value),
        _ => None,
    })
}

/// Takes from the widest text column, one step at a time, until the table fits or no text can give way.
fn shrink(columns: &[Column], widths: &mut [usize], limit: usize) {
    let gaps = GAP.len() * widths.len().saturating_sub(1);
    let mut excess = (widths.iter().sum::<usize>() + gaps).saturating_sub(limit);
    while excess > 0 {
        let texts = columns.iter().zip(widths.iter_mut());
        let texts = texts.filter(|(column, _)| column.kind == Kind::Text);
        match texts.map(|(_, width)| width).max() {
            Some(width) if *width > NARROWEST_TEXT => *width -= 1,
            _ => return,
        }
        excess -= 1;
    }
}

fn push_line(text: &mut String, columns: &[Column], widths: &[usize], cells: &[String]) {
    let start = text.len();
    for (position, ((column, width), cell)) in columns.iter().zip(widths).zip(cells).enumerate() {
        if position > 0 {
            text.push_str(GAP);
        }
        let cell = fit(cell, *width);
        let padding = " ".repeat(width.saturating_sub(cell.width()));
        match column.kind {
            Kind::Text => text.extend([&*cell, &padding]),
            Kind::Int | Kind::Float => text.extend([&*padding, &cell]),
        }
    }
    let end = text.trim_end().len().max(start);
    text.truncate(end);
    text.push('\n');
}

/// Cuts a text to `width` columns, the last of which then says that it was cut.
fn fit(cell: &str, width: usize) -> String {
    if cell.width() <= width {
        return cell.to_owned();
    }
    let mut cut = String::new();
    let mut used = 0;
    for c in cell.chars() {
        used += c.width().unwrap_or(0);
        if used >= width {
            break;
        }
        cut.push(c);
    }
    cut.push('…');
    cut
}

/// The text with what moves the cursor or turns the writing direction escaped.
fn printable(text: &str) -> String {
    let steers = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let escape = |c: char| match steers(c) {
        true => c.escape_default().to_string(),
        false => c.to_string(),
    };
    text.chars().map(escape).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns() -> Vec<Column> {
        vec![
            Column::new("sample", Kind::Int, ""),
            Column::new("class", Kind::Text, ""),
            Column::new("fi", Kind::Float, ""),
        ]
    }

    fn check(rows: &[Vec<Value>], width: usize, expected: &[&str]) {
        let options = TextOptions {
            width,
            ..TextOptions::default()
        };
        let text = text_table(&columns(), rows, &options);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines, expected);
    }

    #[test]
    fn aligns_numbers_right_and_text_left() {
        let rows = [
            vec![7.into(), "cat".into(), 0.98512.into()],
            vec![12345678.into(), "大きい猫".into(), 1.5e-9.into()],
            vec![1.into(), Value::Null, f64::INFINITY.into()],
        ];
        check(
            &rows,
            80,
            &[
                "  sample  class           fi",
                "────────  ────────  ────────",
                "       7  cat         0.9851",
                "12345678  大きい猫  1.500e-9",
                "       1  -              inf",
            ],
        );
    }

    #[test]
    fn cuts_text_by_its_width() {
        let rows = [
            vec![7.into(), "a very long name of a class".into(), 1.0.into()],
            vec![8.into(), "大きい猫と小さい犬".into(), 1.0.into()],
        ];
        check(
            &rows,
            26,
            &[
                "sample  class           fi",
                "──────  ───────────  ─────",
                "     7  a very lon…  1.000",
                "     8  大きい猫と…  1.000",
            ],
        );
    }

    #[test]
    fn text_cannot_drive_the_terminal() {
        let rows = [vec![1.into(), "\u{1b}[2Jx\n\u{202e}".into(), 1.0.into()]];
        let text = text_table(&columns(), &rows, &TextOptions::default());
        assert!(text.contains("\\u{1b}[2Jx\\n\\u{202e}"), "{text}");
        assert_eq!(text.lines().count(), 3);
    }

    #[test]
    fn no_rows_is_a_header() {
        check(&[], 80, &["sample  class  fi", "──────  ─────  ──"]);
    }
}
