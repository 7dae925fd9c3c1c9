//! Parquet: columns in row groups, each column in pages.
//!
//! A page can only be unpacked whole, and rows are found by going through the pages before them. So blocks of rows are
//! decoded, and a reader that has given one block is kept for the next: in order, every page is unpacked once.

use std::io::{BufReader, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;
use std::sync::PoisonError;

use arrow_array::RecordBatch;
use arrow_schema::Schema;
use bytes::Bytes;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
    ParquetRecordBatchReaderBuilder,
};
use parquet::errors::ParquetError;
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::reader::{ChunkReader, Length};

use super::parquet_pages;
use crate::file::{Region, RegionReader};
use crate::table::{self, Blocks, Recent, guarded};
use crate::{DataError, DataErrorKind, Dataset, OpenOptions};

const MAGIC: &[u8] = b"PAR1";

/// What a footer may take; thousands of columns in thousands of row groups need less.
const LONGEST_FOOTER: u64 = 1 << 28;

/// A block of rows aims at so many bytes...
const BLOCK_BYTES: u64 = 1 << 22;

/// ...and has at most so many rows.
const BLOCK_ROWS: u64 = 1 << 12;

/// So many readers are kept for the blocks that follow.
const READERS_KEPT: usize = 3;

struct File {
    region: Region,
    metadata: ArrowReaderMetadata,
    readers: Recent<(usize, Chosen), Progress>,
    checked: Recent<(usize, Chosen), ()>,
}

/// Which columns a reader reads, the samples' or the labels': the first of them, and how many.
type Chosen = (Option<usize>, usize);

fn chosen(columns: &[usize]) -> Chosen {
    (columns.first().copied(), columns.len())
}

/// A reader of a row group, and the row that it gives next.
struct Progress {
    reader: ParquetRecordBatchReader,
    next: usize,
}

/// Whether a file with these first bytes is of this format.
pub(super) fn is_parquet(magic: &[u8]) -> bool {
    magic == MAGIC
}

/// Opens a table of row groups.
pub(super) fn open(
    path: &Path,
    options: &OpenOptions,
    expected: Option<&[usize]>,
) -> Result<Box<dyn Dataset>, DataError> {
    let region = Region::open(path)?;
    check_footer(&region)?;
    let metadata = guarded(path, || {
        // An index of pages would only be one more part of the file to trust.
        ArrowReaderMetadata::load(&Chunks(region.clone()), ArrowReaderOptions::new())
            .map_err(|error| unreadable(&region, "corrupt", error))
    })?;
    let file = File {
        region,
        metadata,
        readers: Recent::new(READERS_KEPT),
        checked: Recent::new(1 << 10),
    };
    table::open(file, options, expected)
}

/// The footer's length is the last thing but the magic number in a file.
fn check_footer(region: &Region) -> Result<(), DataError> {
    let refuse = |message: &str| Err(DataError::at(DataErrorKind::Format, region.name(), message));
    let mut end = [0; 8];
    let Some(start) = region.len().checked_sub(8) else {
        return refuse("is not a Parquet file: it is too short");
    };
    region.read(start, &mut end)?;
    let [a, b, c, d, magic @ ..] = end;
    if magic == *b"PARE" {
        return refuse("is an encrypted Parquet file, which cannot be read");
    }
    if magic != MAGIC {
        return refuse("is not a Parquet file, or truncated: it does not end with PAR1");
    }
    if u64::from(u32::from_le_bytes([a, b, c, d])) > LONGEST_FOOTER {
        return refuse("declares a footer that is too long");
    }
    Ok(())
}

fn unreadable(region: &Region, what: &str, error: impl std::fmt::Display) -> DataError {
    // The decoder turns every error of ours into text; a file that is gone, or cut short since, is still so.
    if let Err(error) = region.read(region.len().saturating_sub(1), &mut [0]) {
        return error;
    }
    let message = format!("{what}: {error}");
    DataError::at(DataErrorKind::Format, region.name(), message)
}

/// The file as the decoder reads it: at positions, without a lock.
struct Chunks(Region);

impl Length for Chunks {
    fn len(&self) -> u64 {
        self.0.len()
    }
}

impl ChunkReader for Chunks {
    type T = BufReader<RegionReader>;

    fn get_read(&self, start: u64) -> parquet::errors::Result<Self::T> {
        let mut reader = self.0.reader();
        reader.seek(SeekFrom::Start(start))?;
        Ok(reader)
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<Bytes> {
        let bytes = self.0.bytes(start, length as u64);
        let bytes = bytes.map_err(|error| ParquetError::External(Box::new(error)))?;
        Ok(Bytes::from(bytes))
    }
}

impl File {
    fn group(&self, group: usize) -> &RowGroupMetaData {
        self.metadata.metadata().row_group(group)
    }

    /// Refuses pages that would unpack to more than memory should hold, once for each row group.
    fn check_pages(&self, group: usize, columns: &[usize]) -> Result<(), DataError> {
        let slot = self.checked.slot((group, chosen(columns)));
        let mut checked = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if checked.is_none() {
            let schema = self.metadata.metadata().file_metadata().schema_descr();
            let rows = self.group(group).num_rows();
            for (leaf, chunk) in self.group(group).columns().iter().enumerate() {
                if columns.contains(&schema.get_column_root_idx(leaf)) {
                    parquet_pages::check(&self.region, chunk, rows)?;
                }
            }
            *checked = Some(());
        }
        Ok(())
    }

    /// A reader of blocks of these columns from a row on.
    fn start(
        &self,
        group: usize,
        first: usize,
        columns: &[usize],
    ) -> Result<ParquetRecordBatchReader, ParquetError> {
        let schema = self.metadata.metadata().file_metadata().schema_descr();
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(
            Chunks(self.region.clone()),
            self.metadata.clone(),
        );
        builder
            .with_row_groups(vec![group])
            .with_projection(ProjectionMask::roots(schema, columns.iter().copied()))
            .with_batch_size(self.rows_per_block(group, columns))
            .with_offset(first)
            .build()
    }
}

impl Blocks for File {
    fn name(&self) -> &Path {
        self.region.name()
    }

    fn n_bytes(&self) -> u64 {
        self.region.len()
    }

    fn schema(&self) -> &Schema {
        self.metadata.schema()
    }

    fn group_rows(&self) -> Vec<u64> {
        let groups = self.metadata.metadata().row_groups().iter();
        groups
            .map(|group| u64::try_from(group.num_rows()).unwrap_or(u64::MAX))
            .collect()
    }

    fn group_name(&self) -> &'static str {
        "row group"
    }

    fn rows_per_block(&self, group: usize, columns: &[usize]) -> usize {
        let schema = self.metadata.metadata().file_metadata().schema_descr();
        let group = self.group(group);
        let chunks = group.columns().iter().enumerate();
        let bytes: i64 = chunks
            .filter(|(leaf, _)| columns.contains(&schema.get_column_root_idx(*leaf)))
            .fold(0, |sum, (_, chunk)| {
                sum.saturating_add(chunk.uncompressed_size())
            });
        let rows = u64::try_from(group.num_rows()).unwrap_or(0).max(1);
        let per_row = u64::try_from(bytes).unwrap_or(0) / rows;
        (BLOCK_BYTES / per_row.max(1)).clamp(1, BLOCK_ROWS) as usize
    }

    fn read(
        &self,
        group: usize,
        rows: Range<usize>,
        columns: &[usize],
    ) -> Result<RecordBatch, DataError> {
        self.check_pages(group, columns)?;
        let what = format!("row group {group} is corrupt");
        let slot = self.readers.slot((group, chosen(columns)));
        let mut progress = slot.lock().unwrap_or_else(PoisonError::into_inner);
        // It is put back only when all went well.
        let mut reader = match progress.take() {
            Some(Progress { reader, next }) if next == rows.start => reader,
            _ => self
                .start(group, rows.start, columns)
                .map_err(|error| unreadable(&self.region, &what, error))?,
        };
        let batch = reader
            .next()
            .unwrap_or_else(|| Ok(RecordBatch::new_empty(reader.schema_of_batches())))
            .map_err(|error| unreadable(&self.region, &what, error))?;
        let next = rows.end;
        if next < usize::try_from(self.group(group).num_rows()).unwrap_or(0) {
            *progress = Some(Progress { reader, next });
        }
        Ok(batch)
    }
}

/// The schema that an empty batch has.
trait BatchSchema {
    fn schema_of_batches(&self) -> arrow_schema::SchemaRef;
}

impl BatchSchema for ParquetRecordBatchReader {
    fn schema_of_batches(&self) -> arrow_schema::SchemaRef {
        arrow_array::RecordBatchReader::schema(self)
    }
}
