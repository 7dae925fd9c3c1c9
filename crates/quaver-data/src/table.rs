//! Tables of columns that are stored in groups of rows, as Parquet and Arrow files are: which columns make up a
//! sample, and a row of them as numbers or as an image.

mod cells;
mod recent;

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, Schema};

use crate::class_map::ClassMap;
use crate::label_column::{self, LabelColumn, Labels, find_column};
use crate::picture::MOST_ENCODED;
use crate::prepare::prepare;
use crate::source::{Content, Raw, Source};
use crate::{DataError, DataErrorKind, Dataset, OpenOptions};
use cells::{extend, is_image, is_numeric, n_axes, push_label};

pub(crate) use recent::Recent;

/// So many decoded blocks are kept, so that threads that read neighbouring rows decode them once.
const BLOCKS_KEPT: usize = 3;

/// A table has at most so many rows for each byte of its file, constant columns packed tightly included.
const MOST_ROWS_PER_BYTE: u64 = 1 << 10;

/// Pandas writes the index of a table as columns of this name.
const PANDAS_INDEX: &str = "__index_level_";

/// What a format does for a [`Table`]: its columns, and the rows of a group.
pub(crate) trait Blocks: Send + Sync {
    /// What messages call the file.
    fn name(&self) -> &Path;

    /// The length of the file in bytes.
    fn n_bytes(&self) -> u64;

    /// The columns.
    fn schema(&self) -> &Schema;

    /// The number of rows of each group.
    fn group_rows(&self) -> Vec<u64>;

    /// What messages and keys call a group.
    fn group_name(&self) -> &'static str;

    /// How many rows of a group are decoded at once, when these columns are read.
    fn rows_per_block(&self, group: usize, columns: &[usize]) -> usize;

    /// The `columns`, in ascending order, of these rows of a group.
    fn read(
        &self,
        group: usize,
        rows: Range<usize>,
        columns: &[usize],
    ) -> Result<RecordBatch, DataError>;
}

/// A dataset's source over [`Blocks`].
struct Table<B> {
    blocks: B,
    groups: Vec<Group>,
    len: usize,
    /// Their indices in ascending order, each once, as [`Blocks::read`] takes them.
    columns: Vec<usize>,
    /// Which of `columns` make up a sample, in its order.
    order: Vec<usize>,
    content: Content,
    labels: Labels,
    class_names: Option<Vec<String>>,
    recent: Recent<(usize, usize), RecordBatch>,
}

struct Group {
    first: usize,
    rows: usize,
    per_block: usize,
}

/// Opens the samples and labels that the options choose.
pub(crate) fn open(
    blocks: impl Blocks + 'static,
    options: &OpenOptions,
    expected: Option<&[usize]>,
) -> Result<Box<dyn Dataset>, DataError> {
    let name = blocks.name().to_path_buf();
    let schema = blocks.schema().clone();
    let names: Vec<String> = schema
        .fields()
        .iter()
        .map(|field| field.name().clone())
        .collect();
    let label = label_column::find(&name, &names, options.label_column.as_deref())?;
    let chosen = choose(&name, &schema, &names, options, label)?;
    let mut columns = chosen.clone();
    columns.sort();
    columns.dedup();
    let order = chosen
        .iter()
        .filter_map(|column| columns.binary_search(column).ok())
        .collect();
    let (groups, len) = groups(&blocks, &columns)?;
    let mut table = Table {
        blocks,
        groups,
        len,
        columns,
        order,
        content: Content::Images,
        labels: Labels::default(),
        class_names: None,
        recent: Recent::new(BLOCKS_KEPT),
    };
    if let (Some(label), None) = (label, &options.labels) {
        let classes = ClassMap::of(options)?;
        table.read_labels(label, classes.as_ref())?;
        let declared = || declared_classes(&schema, &names[label]);
        table.class_names = table.class_names.or_else(declared);
    }
    let is_image = chosen.iter().any(|&column| is_image(schema.field(column)));
    if !is_image {
        table.content = Content::Arrays(table.first_shape()?);
    }
    prepare(table, options.layout, options, expected)
}

/// The columns that make up a sample.
fn choose(
    name: &Path,
    schema: &Schema,
    names: &[String],
    options: &OpenOptions,
    label: Option<usize>,
) -> Result<Vec<usize>, DataError> {
    let refuse = |message: String| Err(DataError::at(DataErrorKind::Option, name, message));
    let is_array = |column: &usize| n_axes(schema.field(*column).data_type()) > 0;
    let is_image = |column: &usize| is_image(schema.field(*column));
    if !options.columns.is_empty() {
        let find = |column: &String| find_column(name, names, column, "--columns");
        let chosen: Vec<usize> = options.columns.iter().map(find).collect::<Result<_, _>>()?;
        for &column in &chosen {
            let data_type = schema.field(column).data_type();
            if !is_image(&column) && !is_numeric(data_type) {
                return refuse(format!(
                    "column {:?} holds {data_type}, which is neither numbers nor images",
                    names[column]
                ));
            }
        }
        if chosen.len() > 1 && chosen.iter().any(is_image) {
            return refuse("a sample is one image, and --columns chooses more".to_owned());
        }
        return Ok(chosen);
    }
    let others: Vec<usize> = (0..names.len())
        .filter(|&column| Some(column) != label && !names[column].starts_with(PANDAS_INDEX))
        .collect();
    for kind in [&is_image as &dyn Fn(&usize) -> bool, &is_array] {
        let found: Vec<usize> = others.iter().copied().filter(kind).collect();
        match found.as_slice() {
            [] => {}
            [column] => return Ok(vec![*column]),
            several => {
                let several: Vec<String> = several
                    .iter()
                    .map(|&column| format!("{:?}", names[column]))
                    .collect();
                return refuse(format!(
                    "columns {} could each be the samples: choose with --columns",
                    several.join(", ")
                ));
            }
        }
    }
    if others.is_empty() {
        return refuse("has no columns but that of labels".to_owned());
    }
    for &column in &others {
        let data_type = schema.field(column).data_type();
        if !is_numeric(data_type) {
            return refuse(format!(
                "column {:?} holds {data_type}: choose the columns of numbers with --columns, or the labels with --label-column",
                names[column]
            ));
        }
    }
    Ok(others)
}

/// The groups that have rows keep their number; the others have none.
fn groups(blocks: &impl Blocks, columns: &[usize]) -> Result<(Vec<Group>, usize), DataError> {
    let most = blocks.n_bytes().saturating_mul(MOST_ROWS_PER_BYTE);
    let mut groups = Vec::new();
    let mut first = 0_u64;
    for (index, rows) in blocks.group_rows().into_iter().enumerate() {
        let end = first.checked_add(rows).filter(|&end| end <= most);
        let (Some(end), Ok(rows), Ok(start)) = (end, usize::try_from(rows), usize::try_from(first))
        else {
            return Err(DataError::at(
                DataErrorKind::Format,
                blocks.name(),
                "declares more rows than a file of its length can hold",
            ));
        };
        groups.push(Group {
            first: start,
            rows,
            per_block: blocks.rows_per_block(index, columns).max(1),
        });
        first = end;
    }
    Ok((groups, first as usize))
}

/// The class names that Hugging Face's datasets write beside a table.
fn declared_classes(schema: &Schema, label: &str) -> Option<Vec<String>> {
    let text = schema.metadata().get("huggingface")?;
    let value: serde_json::Value = serde_json::from_str(text).ok()?;
    let names = value
        .get("info")?
        .get("features")?
        .get(label)?
        .get("names")?;
    let names = names.as_array()?.iter();
    names.map(|name| Some(name.as_str()?.to_owned())).collect()
}

/// What `work` gives, and an error in place of a panic: the decoders of these formats are not ours, and a file may
/// lead them astray.
pub(crate) fn guarded<T>(
    name: &Path,
    work: impl FnOnce() -> Result<T, DataError>,
) -> Result<T, DataError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        Err(DataError::at(
            DataErrorKind::Format,
            name,
            "corrupt: its decoder gave up",
        ))
    })
}

impl<B: Blocks> Table<B> {
    /// The group of a sample and its row there.
    fn locate(&self, index: usize) -> (usize, usize) {
        let after = self.groups.partition_point(|group| group.first <= index);
        let group = after.saturating_sub(1);
        (group, index - self.groups[group].first)
    }

    fn read_rows(
        &self,
        group: usize,
        rows: Range<usize>,
        columns: &[usize],
    ) -> Result<RecordBatch, DataError> {
        let n_rows = rows.len();
        let batch = guarded(self.blocks.name(), || {
            self.blocks.read(group, rows, columns)
        })?;
        if batch.num_rows() != n_rows || batch.num_columns() != columns.len() {
            let message = format!(
                "corrupt: {} {group} has fewer rows",
                self.blocks.group_name()
            );
            return Err(DataError::at(
                DataErrorKind::Format,
                self.blocks.name(),
                message,
            ));
        }
        Ok(batch)
    }

    /// Goes through the column of labels once.
    fn read_labels(&mut self, label: usize, classes: Option<&ClassMap>) -> Result<(), DataError> {
        let name = self.blocks.name();
        let field = self.blocks.schema().field(label).clone();
        let mut column = LabelColumn::new(field.name(), classes);
        let refuse = |message: String| DataError::at(DataErrorKind::Labels, name, message);
        for (index, group) in self.groups.iter().enumerate() {
            let per_block = self.blocks.rows_per_block(index, &[label]).max(1);
            let mut first = 0;
            let mut failure = None;
            while first < group.rows && failure.is_none() {
                let end = (first + per_block).min(group.rows);
                match self.read_rows(index, first..end, &[label]) {
                    Ok(batch) => {
                        let cells = batch.column(0);
                        for row in 0..cells.len() {
                            push_label(cells, row, &mut column).map_err(refuse)?;
                        }
                    }
                    Err(error) if error.kind() == DataErrorKind::Io => return Err(error),
                    Err(error) => failure = Some(error),
                }
                first = end;
            }
            match failure {
                None => column.end_group(),
                Some(error) => {
                    let prefix = format!("{}: ", name.display());
                    let message = error.to_string();
                    let message = message.strip_prefix(&prefix).unwrap_or(&message);
                    column.end_unreadable_group(message.to_owned());
                }
            }
        }
        (self.labels, self.class_names) = column.finish();
        Ok(())
    }

    /// The shape of the first sample that can be read, which all must have.
    fn first_shape(&self) -> Result<Vec<usize>, DataError> {
        /// Samples before it that cannot be read, as when a first row group is corrupt.
        const MOST_TRIED: usize = 64;
        let starts = self.groups.iter().map(|group| group.first);
        let tried = (0..self.len.min(MOST_TRIED)).chain(starts.take(MOST_TRIED));
        let mut failure = None;
        for index in tried.filter(|&index| index < self.len) {
            match self.numbers(index) {
                Ok((_, shape)) => return Ok(shape),
                Err(error) if error.kind() == DataErrorKind::Io => return Err(error),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        Err(failure.unwrap_or_else(|| crate::prepare::no_samples(self.blocks.name())))
    }

    /// The block that a sample lies in, and its row there.
    fn block(&self, index: usize) -> Result<(RecordBatch, usize), DataError> {
        let (group_index, row) = self.locate(index);
        let group = &self.groups[group_index];
        let block = row / group.per_block;
        let first = block * group.per_block;
        let end = (first + group.per_block).min(group.rows);
        let batch = self.recent.get((group_index, block), || {
            self.read_rows(group_index, first..end, &self.columns)
        });
        let batch = batch.map_err(|error| match error.kind() {
            DataErrorKind::Io => error,
            // All samples of the block fail, and others need not.
            _ => error.for_sample(),
        })?;
        Ok((batch, row - first))
    }

    fn refuse(&self, index: usize, kind: DataErrorKind, message: String) -> DataError {
        DataError::at(kind, &self.place(index), message)
    }

    /// The values of a sample and its shape.
    fn numbers(&self, index: usize) -> Result<(Vec<f64>, Vec<usize>), DataError> {
        let (batch, row) = self.block(index)?;
        let mut values = Vec::new();
        let mut shape = Vec::new();
        for &column in &self.order {
            let found = extend(batch.column(column), row..row + 1, &mut values);
            shape = found.map_err(|problem| {
                let column = self.blocks.schema().field(self.columns[column]).name();
                let message = format!("column {column:?} {problem}");
                self.refuse(index, DataErrorKind::Format, message)
            })?;
        }
        // One column keeps its shape; several make one axis.
        if self.order.len() > 1 || shape.is_empty() {
            shape = vec![values.len()];
        }
        Ok((values, shape))
    }

    fn image(&self, index: usize) -> Result<Vec<u8>, DataError> {
        let (batch, row) = self.block(index)?;
        let column = batch.column(self.order[0]);
        let inner = column.as_struct_opt().filter(|_| column.is_valid(row));
        let inner = inner.and_then(|image| image.column_by_name("bytes").cloned());
        let column = inner.as_ref().unwrap_or(column);
        let bytes = match column.data_type() {
            _ if column.is_null(row) => None,
            DataType::Binary => Some(column.as_binary::<i32>().value(row)),
            DataType::LargeBinary => Some(column.as_binary::<i64>().value(row)),
            DataType::BinaryView => Some(column.as_binary_view().value(row)),
            _ => None,
        };
        let bytes = bytes.filter(|bytes| bytes.len() as u64 <= MOST_ENCODED);
        bytes.map(<[u8]>::to_vec).ok_or_else(|| {
            let message = "holds no image: its bytes are missing, or too many".to_owned();
            self.refuse(index, DataErrorKind::Format, message)
        })
    }
}

impl<B: Blocks> Source for Table<B> {
    fn name(&self) -> &Path {
        self.blocks.name()
    }

    fn len(&self) -> usize {
        self.len
    }

    fn content(&self) -> Content {
        self.content.clone()
    }

    fn read(&self, index: usize) -> Result<Raw, DataError> {
        let Content::Arrays(expected) = &self.content else {
            return Ok(Raw::Image(self.image(index)?));
        };
        let (values, shape) = self.numbers(index)?;
        if shape != *expected {
            let message = format!("has shape {shape:?}, and the first sample has {expected:?}");
            return Err(self.refuse(index, DataErrorKind::Shape, message));
        }
        Ok(Raw::Numbers(values))
    }

    fn label(&self, index: usize) -> Result<Option<usize>, DataError> {
        let (group, row) = self.locate(index);
        self.labels.get(group, row, || self.place(index))
    }

    fn key(&self, index: usize) -> Option<String> {
        let (group, row) = self.locate(index);
        Some(format!("{} {group}, row {row}", self.blocks.group_name()))
    }

    fn place(&self, index: usize) -> PathBuf {
        let key = self.key(index).unwrap_or_default();
        PathBuf::from(format!("{}: {key}", self.blocks.name().display()))
    }

    fn class_names(&self) -> Option<&[String]> {
        self.class_names.as_deref()
    }
}
