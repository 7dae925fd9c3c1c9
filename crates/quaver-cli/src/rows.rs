//! Where a command's rows go: to a file, to stdout, or nowhere.

use std::io::{self, BufWriter, Stdout, Write};
use std::path::Path;

use quaver::table::{Column, Value};
use quaver_report::{RunRecord, TableWriter};

use crate::failure::Failure;

/// Refuses, before anything is computed, a place where rows could not go, and a JSON object beside rows on stdout.
pub fn check(out: Option<&Path>, json: bool) -> Result<(), Failure> {
    match out {
        Some(path) if path.as_os_str() != "-" => Ok(quaver_report::check_table_path(path)?),
        Some(_) if json => {
            let why = "--json: rows go to stdout already (-o -); name a file for one of them";
            Err(Failure::Input(why.to_owned()))
        }
        _ => Ok(()),
    }
}

/// Where the rows go.
pub enum Rows {
    Nowhere,
    File(TableWriter),
    Stdout(BufWriter<Stdout>, Vec<Column>),
}

impl Rows {
    pub fn create(
        out: Option<&Path>,
        columns: &[Column],
        record: &RunRecord,
    ) -> Result<Self, Failure> {
        Ok(match out {
            None => Rows::Nowhere,
            Some(path) if path.as_os_str() == "-" => {
                Rows::Stdout(BufWriter::new(io::stdout()), columns.to_vec())
            }
            Some(path) => Rows::File(TableWriter::create(path, columns, record)?),
        })
    }

    pub fn write(&mut self, row: &[Value]) -> Result<(), Failure> {
        match self {
            Rows::Nowhere => Ok(()),
            Rows::File(writer) => Ok(writer.write_row(row)?),
            Rows::Stdout(stdout, columns) => {
                writeln!(stdout, "{}", RunRecord::of_row(columns, row).to_json())
                    .map_err(|error| Failure::stdout(&error))
            }
        }
    }

    pub fn finish(self) -> Result<(), Failure> {
        match self {
            Rows::Nowhere => Ok(()),
            Rows::File(writer) => Ok(writer.finish()?),
            Rows::Stdout(mut stdout, _) => stdout.flush().map_err(|error| Failure::stdout(&error)),
        }
    }
}
