//! CSV and TSV: rows of cells in text, cells in quotes where they need them.
//!
//! A file is gone through once to find where its rows begin, eight bytes each, and what their labels are. A row is
//! parsed when it is read.

use std::io::Read;
use std::path::{Path, PathBuf};

use csv_core::ReadFieldResult;

use crate::class_map::ClassMap;
use crate::file::{Region, Stream};
use crate::label_column::{self, Cell, LabelColumn, Labels, find_column};
use crate::prepare::prepare;
use crate::source::{Content, Raw, Source};
use crate::{DataError, DataErrorKind, Dataset, OpenOptions};

/// A longer row has a quote that is never closed.
const LONGEST_ROW: u64 = 1 << 26;

/// More columns are no table.
const MOST_COLUMNS: usize = 1 << 22;

/// A cell of which more is not looked at: longer ones are neither numbers nor labels.
const LONGEST_CELL: usize = 512;

/// So many rows are looked at to tell whether a column holds numbers.
const MOST_PROBED: usize = 16;

struct Table {
    region: Region,
    delimiter: u8,
    columns: Vec<String>,
    /// Which of them make up a sample.
    features: Vec<usize>,
    /// Where each row begins, and the end of the last one.
    starts: Vec<u64>,
    labels: Labels,
    class_names: Option<Vec<String>>,
}

/// Opens a table whose first row may be the names of its columns, which else are called 0, 1, ….
///
/// Columns are parted by comma, semicolon, tab or bar: what the first row has most of, but in a `.tsv` by tab.
pub(super) fn open(
    path: &Path,
    options: &OpenOptions,
    expected: Option<&[usize]>,
) -> Result<Box<dyn Dataset>, DataError> {
    let region = Stream::open(path)?.into_rest()?;
    let delimiter = delimiter(path, &region)?;
    let classes = ClassMap::of(options)?;
    let mut table = Table {
        region,
        delimiter,
        columns: Vec::new(),
        features: Vec::new(),
        starts: Vec::new(),
        labels: Labels::default(),
        class_names: None,
    };
    let first = table.parse(table.region.reader().take(LONGEST_ROW))?;
    let has_names = first
        .iter()
        .any(|cell| !cell.is_empty() && number(cell).is_none());
    table.columns = match has_names {
        true => first,
        false => (0..first.len()).map(|index| index.to_string()).collect(),
    };
    let label = label_column::find(path, &table.columns, options.label_column.as_deref())?;
    let wanted = label.filter(|_| options.labels.is_none());
    let column = wanted.map(|label| {
        let name = &table.columns[label];
        (label, LabelColumn::new(name, classes.as_ref()))
    });
    table.scan(has_names, column)?;
    table.features = table.choose(options, label)?;
    prepare(table, options.layout, options, expected)
}

/// A number as tables have them.
fn number(cell: &str) -> Option<f64> {
    match cell {
        "true" | "True" | "TRUE" => Some(1.0),
        "false" | "False" | "FALSE" => Some(0.0),
        _ => cell.parse().ok(),
    }
}

fn delimiter(path: &Path, region: &Region) -> Result<u8, DataError> {
    let name = path.to_string_lossy().to_ascii_lowercase();
    if name.trim_end_matches(".gz").ends_with(".tsv") {
        return Ok(b'\t');
    }
    let start = region.bytes(0, region.len().min(1 << 16))?;
    let mut counts = [(b',', 0), (b';', 0), (b'\t', 0), (b'|', 0)];
    let mut quoted = false;
    for &byte in start.iter() {
        quoted ^= byte == b'"';
        if byte == b'\n' && !quoted {
            break;
        }
        for (delimiter, count) in &mut counts {
            *count += usize::from(byte == *delimiter && !quoted);
        }
    }
    // The first of those that are as frequent.
    counts.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
    Ok(counts[0].0)
}

impl Table {
    fn error(&self, kind: DataErrorKind, message: impl std::fmt::Display) -> DataError {
        DataError::at(kind, self.region.name(), message)
    }

    /// Finds where rows begin, and collects labels.
    fn scan(
        &mut self,
        has_names: bool,
        mut labels: Option<(usize, LabelColumn<'_>)>,
    ) -> Result<(), DataError> {
        let mut parser = csv_core::ReaderBuilder::new()
            .delimiter(self.delimiter)
            .build();
        let mut reader = self.region.reader();
        let mut chunk = vec![0; 1 << 16];
        let mut text = [0; 1 << 10];
        let (mut position, mut row_start, mut column) = (0_u64, 0_u64, 0);
        let mut cell = Vec::new();
        let mut names = has_names;
        'file: loop {
            let n = reader
                .read(&mut chunk)
                .map_err(|error| DataError::reading(self.region.name(), error))?;
            let mut rest = &chunk[..n];
            loop {
                // No bytes are what tells the parser that the file is at its end; not so the end of a chunk.
                if rest.is_empty() && n > 0 {
                    break;
                }
                let (result, read, written) = parser.read_field(rest, &mut text);
                rest = &rest[read..];
                position += read as u64;
                let is_label = labels.as_ref().is_some_and(|(label, _)| *label == column);
                if is_label && cell.len() < LONGEST_CELL {
                    cell.extend_from_slice(&text[..written]);
                }
                match result {
                    ReadFieldResult::InputEmpty | ReadFieldResult::OutputFull => {}
                    ReadFieldResult::End => break 'file,
                    ReadFieldResult::Field { record_end } => {
                        column += 1;
                        if !record_end {
                            continue;
                        }
                        column = 0;
                        let names = std::mem::take(&mut names);
                        if !names {
                            self.starts.push(row_start);
                            if let Some((_, labels)) = &mut labels {
                                let text = String::from_utf8_lossy(&cell);
                                labels.push(Cell::Text(&text)).map_err(|message| {
                                    self.error(DataErrorKind::Labels, message)
                                })?;
                            }
                        }
                        cell.clear();
                        row_start = position;
                    }
                }
            }
        }
        if !self.starts.is_empty() {
            self.starts.push(self.region.len());
        }
        if let Some((_, mut column)) = labels {
            column.end_group();
            (self.labels, self.class_names) = column.finish();
        }
        Ok(())
    }

    /// The columns that make up a sample.
    fn choose(&self, options: &OpenOptions, label: Option<usize>) -> Result<Vec<usize>, DataError> {
        let name = self.region.name();
        if !options.columns.is_empty() {
            let find = |column: &String| find_column(name, &self.columns, column, "--columns");
            return options.columns.iter().map(find).collect();
        }
        // pandas writes the index of a table first, without a name.
        let is_index = |index: usize| index == 0 && self.columns[0].is_empty();
        let features: Vec<usize> = (0..self.columns.len())
            .filter(|&index| Some(index) != label && !is_index(index))
            .collect();
        if features.is_empty() {
            return Err(self.error(DataErrorKind::Shape, "has no columns but that of labels"));
        }
        let probed: Vec<Vec<String>> = (0..self.len().min(MOST_PROBED))
            .filter_map(|index| self.cells(index).ok())
            .collect();
        for &column in &features {
            let mut cells = probed
                .iter()
                .map(|row| &row[column])
                .filter(|cell| !cell.is_empty());
            let Some(first) = cells.next() else { continue };
            if number(first).is_none() && cells.all(|cell| number(cell).is_none()) {
                return Err(self.error(
                    DataErrorKind::Option,
                    format_args!(
                        "column {:?} holds text ({first:?}): choose the columns of numbers with --columns, or the labels with --label-column",
                        self.columns[column]
                    ),
                ));
            }
        }
        Ok(features)
    }

    /// The cells of the first row, without space around them.
    fn parse(&self, bytes: impl Read) -> Result<Vec<String>, DataError> {
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(self.delimiter)
            .has_headers(false)
            .flexible(true)
            .from_reader(bytes);
        let mut record = csv::ByteRecord::new();
        reader
            .read_byte_record(&mut record)
            .map_err(|error| self.error(DataErrorKind::Format, format_args!("corrupt: {error}")))?;
        if record.len() > MOST_COLUMNS {
            return Err(self.error(DataErrorKind::Format, "has too many columns for a table"));
        }
        let cell = |cell: &[u8]| String::from_utf8_lossy(cell).trim().to_owned();
        Ok(record.iter().map(cell).collect())
    }

    /// The cells of the row of a sample, as many as there are columns.
    fn cells(&self, index: usize) -> Result<Vec<String>, DataError> {
        let (start, end) = (self.starts[index], self.starts[index + 1]);
        let refuse = |message: String| {
            Err(DataError::at(
                DataErrorKind::Format,
                &self.place(index),
                message,
            ))
        };
        if end - start > LONGEST_ROW {
            return refuse(format!("has {} bytes: is a quote left open?", end - start));
        }
        let bytes = self.region.bytes(start, end - start)?;
        let cells = self.parse(bytes.as_slice())?;
        if cells.len() != self.columns.len() {
            let (n, columns) = (cells.len(), self.columns.len());
            return refuse(format!("has {n} cells in a table of {columns} columns"));
        }
        Ok(cells)
    }
}

impl Source for Table {
    fn name(&self) -> &Path {
        self.region.name()
    }

    fn len(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }

    fn content(&self) -> Content {
        Content::Arrays(vec![self.features.len()])
    }

    fn read(&self, index: usize) -> Result<Raw, DataError> {
        let cells = self.cells(index)?;
        let value = |&column: &usize| {
            let cell = &cells[column];
            number(cell).ok_or_else(|| {
                let shown: String = cell.chars().take(LONGEST_CELL / 8).collect();
                let problem = match cell.is_empty() {
                    true => "is empty".to_owned(),
                    false => format!("holds {shown:?}, which is no number"),
                };
                DataError::at(
                    DataErrorKind::Format,
                    &self.place(index),
                    format_args!("column {:?} {problem}", self.columns[column]),
                )
            })
        };
        let values: Result<Vec<f64>, DataError> = self.features.iter().map(value).collect();
        Ok(Raw::Numbers(values?))
    }

    fn label(&self, index: usize) -> Result<Option<usize>, DataError> {
        self.labels.get(0, index, || self.place(index))
    }

    fn place(&self, index: usize) -> PathBuf {
        PathBuf::from(format!("{}: row {index}", self.region.name().display()))
    }

    fn class_names(&self) -> Option<&[String]> {
        self.class_names.as_deref()
    }
}
