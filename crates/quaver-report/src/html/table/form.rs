//! A table as JSON: columns with their meaning, rows as lists of cells.

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::{Order, RankingTable, TableRow};
use crate::html::section::Tone;
use crate::json::{self, read_cell};
use crate::picture::Thumbnail;
use quaver::table::Column;

#[derive(Serialize, Deserialize)]
pub(super) struct TableForm {
    caption: String,
    #[serde(with = "json::columns")]
    columns: Vec<Column>,
    rows: Vec<RowForm>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ordered_by: Option<(String, Order)>,
    n_rows: usize,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    all_in: String,
    digits: usize,
}

#[derive(Serialize, Deserialize)]
struct RowForm {
    cells: Vec<Json>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    picture: Option<Thumbnail>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    remarks: Vec<(Tone, String)>,
}

impl From<RankingTable> for TableForm {
    fn from(table: RankingTable) -> Self {
        let row = |row: TableRow| RowForm {
            cells: row.values.iter().map(json::cell).collect(),
            picture: row.picture,
            remarks: row.badges,
        };
        Self {
            caption: table.caption,
            columns: table.columns,
            rows: table.rows.into_iter().map(row).collect(),
            ordered_by: table.order,
            n_rows: table.n_rows,
            all_in: table.all_in,
            digits: table.digits,
        }
    }
}

impl TryFrom<TableForm> for RankingTable {
    type Error = String;

    fn try_from(form: TableForm) -> Result<Self, String> {
        let mut table = RankingTable::new(form.caption, form.columns).digits(form.digits);
        table.limit = form.rows.len();
        for (index, row) in form.rows.into_iter().enumerate() {
            let cells = row.cells.iter().zip(&table.columns).map(|(cell, column)| {
                read_cell(cell, column.kind).ok_or_else(|| {
                    let (name, kind) = (&column.name, column.kind.name());
                    format!("row {index}, column {name:?}: {cell} is not {kind}")
                })
            });
            let mut read = TableRow::new(cells.collect::<Result<_, _>>()?);
            read.picture = row.picture;
            read.badges = row.remarks;
            table.push(read);
        }
        table.order = form.ordered_by;
        Ok(table.all_in(form.n_rows, form.all_in))
    }
}
