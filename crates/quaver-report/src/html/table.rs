//! Tables that can be sorted and filtered, with a picture and a few badges per row.
//!
//! The first rows stand in the page as a table, which is there without scripts; the others wait in a block of data and
//! become rows when they are asked for. Ten thousand rows as elements would keep a browser busy for seconds.

mod form;
mod markup;

use serde::{Deserialize, Serialize};

use super::section::Tone;
use crate::picture::Thumbnail;
use quaver::table::{Column, Value};

/// A table of samples, layers or whatever is ranked.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(into = "form::TableForm", try_from = "form::TableForm")]
pub struct RankingTable {
    caption: String,
    columns: Vec<Column>,
    rows: Vec<TableRow>,
    order: Option<(String, Order)>,
    limit: usize,
    n_rows: usize,
    all_in: String,
    digits: usize,
}

/// A row of a table.
#[derive(Debug, Clone, Default)]
pub struct TableRow {
    values: Vec<Value>,
    picture: Option<Thumbnail>,
    badges: Vec<(Tone, String)>,
}

/// Which end of a column comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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

    fn value(&self, column: usize) -> &Value {
        self.values.get(column).unwrap_or(&Value::Null)
    }
}

impl RankingTable {
    /// Rows in the page unless said otherwise. Default 10,000. A picture is some hundred bytes: leave them out of rows
    /// that nobody will look at.
    pub const DEFAULT_LIMIT: usize = 10_000;

    /// A table without rows. The caption says what its rows are.
    pub fn new(caption: impl Into<String>, columns: Vec<Column>) -> Self {
        Self {
            caption: caption.into(),
            columns,
            rows: Vec::new(),
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
        if self.rows.len() < self.limit {
            self.rows.push(row);
        }
    }

    /// Adds rows, as [`push`](Self::push) does.
    #[must_use]
    pub fn rows(mut self, rows: impl IntoIterator<Item = TableRow>) -> Self {
        rows.into_iter().for_each(|row| self.push(row));
        self
    }

    /// Keeps at most `limit` rows. To be said before rows are added.
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

    fn has_pictures(&self) -> bool {
        self.rows.iter().any(|row| row.picture.is_some())
    }

    fn has_badges(&self) -> bool {
        self.rows.iter().any(|row| !row.badges.is_empty())
    }
}
