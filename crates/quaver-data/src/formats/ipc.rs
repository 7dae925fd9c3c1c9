//! Arrow IPC: the file format (Feather 2 is the same), and the stream format that Hugging Face's `save_to_disk`
//! writes.
//!
//! A stream is messages one after another: a length, what it is, and its body. They are walked through once, without
//! their bodies. A file has an index of its messages at its end. A record batch is read whole when a sample of it is.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_buffer::{Buffer, MutableBuffer};
use arrow_ipc::convert::try_fb_to_schema;
use arrow_ipc::reader::FileDecoder;
use arrow_ipc::{Block, MessageHeader, root_as_footer, root_as_message};
use arrow_schema::Schema;

use crate::file::{Region, Stream};
use crate::table::{self, Blocks, guarded};
use crate::{DataError, DataErrorKind, Dataset, OpenOptions};

const MAGIC: &[u8] = b"ARROW1";

/// Before a message's length, since version 0.15 of the format.
const CONTINUATION: u32 = u32::MAX;

/// More is no description of a batch.
const LONGEST_HEADER: u64 = 1 << 26;

/// A batch may hold no more bytes, packed or unpacked, since it is held in memory.
const LARGEST_BATCH: u64 = 1 << 30;

struct Messages {
    region: Region,
    schema: Arc<Schema>,
    decoder: FileDecoder,
    batches: Vec<Batch>,
}

/// Where a record batch lies.
#[derive(Clone, Copy)]
struct Batch {
    start: u64,
    /// Of the length and the header together.
    header: u64,
    body: u64,
    rows: u64,
}

/// Whether a file with these first bytes is of this format.
pub(super) fn is_arrow(magic: &[u8]) -> bool {
    magic == &MAGIC[..4] || magic == CONTINUATION.to_le_bytes()
}

/// Opens a table of record batches.
pub(super) fn open(
    path: &Path,
    options: &OpenOptions,
    expected: Option<&[usize]>,
) -> Result<Box<dyn Dataset>, DataError> {
    let region = Stream::open(path)?.into_rest()?;
    let mut magic = [0; 6];
    let start = region.len().min(6) as usize;
    region.read(0, &mut magic[..start])?;
    if magic.starts_with(b"FEA1") {
        return Err(DataError::at(
            DataErrorKind::Format,
            path,
            "is Feather of version 1: write it anew as version 2",
        ));
    }
    let messages = guarded(path, || match magic == MAGIC {
        true => Messages::index(region),
        false => Messages::walk(region),
    })?;
    table::open(messages, options, expected)
}

impl Messages {
    /// A file, by its index: what lies between its messages need not be one.
    fn index(region: Region) -> Result<Self, DataError> {
        let name = region.name().to_path_buf();
        let corrupt = |error: &dyn std::fmt::Display| {
            DataError::at(
                DataErrorKind::Format,
                &name,
                format_args!("corrupt: {error}"),
            )
        };
        let (start, length) = footer(&region)?;
        let bytes = region.bytes(start, length)?;
        let footer = root_as_footer(&bytes).map_err(|error| corrupt(&error))?;
        let schema = footer.schema().ok_or_else(|| corrupt(&"no schema"))?;
        let schema = Arc::new(try_fb_to_schema(schema).map_err(|error| corrupt(&error))?);
        let mut decoder = FileDecoder::new(Arc::clone(&schema), footer.version());
        let batch = |block: &Block| {
            let size = |size: i64| u64::try_from(size).map_err(|_| DataError::truncated(&name));
            let batch = Batch {
                start: size(block.offset())?,
                header: size(block.metaDataLength().into())?,
                body: size(block.bodyLength())?,
                rows: 0,
            };
            // All of it must lie in the file.
            let length = batch.header.saturating_add(batch.body);
            region.part(name.clone(), batch.start, length)?;
            Ok::<Batch, DataError>(batch)
        };
        for block in footer.dictionaries().iter().flatten() {
            let (block, bytes) = load(&region, batch(block)?)?;
            let read = decoder.read_dictionary(&block, &bytes);
            read.map_err(|error| corrupt(&error))?;
        }
        let mut batches = Vec::new();
        for block in footer.recordBatches().iter().flatten() {
            let mut batch = batch(block)?;
            let mut position = batch.start;
            if let Some((_, length)) = next_message(&region, &mut position)? {
                let header = region.bytes(position, length)?;
                let message = root_as_message(&header).map_err(|error| corrupt(&error))?;
                let rows = message
                    .header_as_record_batch()
                    .map_or(0, |batch| batch.length());
                batch.rows = u64::try_from(rows).unwrap_or(u64::MAX);
            }
            batches.push(batch);
        }
        Ok(Self {
            region,
            schema,
            decoder,
            batches,
        })
    }

    /// A stream, message by message.
    fn walk(region: Region) -> Result<Self, DataError> {
        let name = region.name().to_path_buf();
        let refuse = |message: &str| DataError::at(DataErrorKind::Format, &name, message);
        let corrupt = |error: &dyn std::fmt::Display| refuse(&format!("corrupt: {error}"));
        let mut position = 0;
        let mut decoder: Option<(Arc<Schema>, FileDecoder)> = None;
        let mut batches = Vec::new();
        while let Some((start, length)) = next_message(&region, &mut position)? {
            let header = region.bytes(position, length)?;
            position += length;
            let message = root_as_message(&header).map_err(|error| corrupt(&error))?;
            let body = u64::try_from(message.bodyLength()).ok();
            let end = body.and_then(|body| position.checked_add(body));
            let (Some(body), Some(end)) = (body, end.filter(|&end| end <= region.len())) else {
                return Err(DataError::truncated(&name));
            };
            let batch = |rows: i64| Batch {
                start,
                header: position - start,
                body,
                rows: u64::try_from(rows).unwrap_or(u64::MAX),
            };
            match (message.header_type(), &mut decoder) {
                (MessageHeader::Schema, None) => {
                    let schema = message.header_as_schema();
                    let schema = schema.ok_or_else(|| corrupt(&"no schema"))?;
                    let schema = try_fb_to_schema(schema).map_err(|error| corrupt(&error))?;
                    let schema = Arc::new(schema);
                    let new = FileDecoder::new(Arc::clone(&schema), message.version());
                    decoder = Some((schema, new));
                }
                (MessageHeader::DictionaryBatch, Some((_, decoder))) => {
                    let (block, bytes) = load(&region, batch(0))?;
                    let read = decoder.read_dictionary(&block, &bytes);
                    read.map_err(|error| corrupt(&error))?;
                }
                (MessageHeader::RecordBatch, Some(_)) => {
                    let header = message.header_as_record_batch();
                    batches.push(batch(header.map_or(0, |header| header.length())));
                }
                _ => return Err(refuse("is no Arrow stream: its messages are in no order")),
            }
            position = end;
        }
        let Some((schema, decoder)) = decoder else {
            return Err(refuse("is no Arrow file: it has no schema"));
        };
        Ok(Self {
            region,
            schema,
            decoder,
            batches,
        })
    }
}

/// Where the index of a file begins, and its length: after it come the length and the magic number.
fn footer(region: &Region) -> Result<(u64, u64), DataError> {
    let mut end = [0; 10];
    let truncated = || DataError::truncated(region.name());
    let start = region.len().checked_sub(10).ok_or_else(truncated)?;
    region.read(start, &mut end)?;
    let [a, b, c, d, magic @ ..] = end;
    if magic != MAGIC {
        return Err(truncated());
    }
    let length = u64::from(u32::from_le_bytes([a, b, c, d]));
    let footer = start
        .checked_sub(length)
        .filter(|_| length <= LONGEST_HEADER);
    Ok((footer.ok_or_else(truncated)?, length))
}

/// Where the next message starts, and the length of its header, to which `position` is moved; `None` at the end.
fn next_message(region: &Region, position: &mut u64) -> Result<Option<(u64, u64)>, DataError> {
    let start = *position;
    let mut word = [0; 4];
    // A stream may end without saying so.
    if region.len() == start {
        return Ok(None);
    }
    region.read(start, &mut word)?;
    *position += 4;
    if u32::from_le_bytes(word) == CONTINUATION {
        region.read(*position, &mut word)?;
        *position += 4;
    }
    let length = u64::from(u32::from_le_bytes(word));
    if length > LONGEST_HEADER {
        return Err(DataError::at(
            DataErrorKind::Format,
            region.name(),
            format_args!("is not an Arrow file, or corrupt: a message of {length} bytes"),
        ));
    }
    Ok((length > 0).then_some((start, length)))
}

/// The bytes of a message, whose unpacked length was checked.
fn load(region: &Region, batch: Batch) -> Result<(Block, Buffer), DataError> {
    let refuse = |message: String| DataError::at(DataErrorKind::Format, region.name(), message);
    let total = batch.header + batch.body;
    let too_large = |bytes: u64| {
        refuse(format!(
            "has a record batch of {bytes} bytes, and at most {LARGEST_BATCH} are read at once: write smaller batches"
        ))
    };
    if total > LARGEST_BATCH {
        return Err(too_large(total));
    }
    let mut bytes = MutableBuffer::from_len_zeroed(total as usize);
    region.read(batch.start, bytes.as_slice_mut())?;
    let buffer = Buffer::from(bytes);
    let unpacked = unpacked_bytes(&buffer, batch).ok_or_else(|| refuse("corrupt".to_owned()))?;
    if unpacked > LARGEST_BATCH {
        return Err(too_large(unpacked));
    }
    // Both fit: the total does.
    let block = Block::new(batch.start as i64, batch.header as i32, batch.body as i64);
    Ok((block, buffer))
}

/// The bytes that the buffers of a packed batch declare, each in its first eight bytes; 0 for one that is not packed.
fn unpacked_bytes(buffer: &[u8], batch: Batch) -> Option<u64> {
    let (header, body) = buffer.split_at_checked(batch.header as usize)?;
    let prefix = if header.starts_with(&CONTINUATION.to_le_bytes()) {
        8
    } else {
        4
    };
    let message = root_as_message(header.get(prefix..)?).ok()?;
    let data = message
        .header_as_dictionary_batch()
        .and_then(|batch| batch.data());
    let record = message.header_as_record_batch().or(data)?;
    if record.compression().is_none() {
        return Some(0);
    }
    let mut sum = 0_u64;
    for buffer in record.buffers()?.iter() {
        let start = usize::try_from(buffer.offset()).ok()?;
        if buffer.length() == 0 {
            continue;
        }
        let length = body.get(start..)?.first_chunk::<8>()?;
        // −1 marks a buffer that was not worth packing.
        let length = u64::try_from(i64::from_le_bytes(*length)).unwrap_or(0);
        sum = sum.checked_add(length)?;
    }
    Some(sum)
}

impl Blocks for Messages {
    fn name(&self) -> &Path {
        self.region.name()
    }

    fn n_bytes(&self) -> u64 {
        self.region.len()
    }

    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn group_rows(&self) -> Vec<u64> {
        self.batches.iter().map(|batch| batch.rows).collect()
    }

    fn group_name(&self) -> &'static str {
        "batch"
    }

    fn rows_per_block(&self, group: usize, _columns: &[usize]) -> usize {
        usize::try_from(self.batches[group].rows).unwrap_or(usize::MAX)
    }

    fn read(
        &self,
        group: usize,
        _rows: Range<usize>,
        columns: &[usize],
    ) -> Result<RecordBatch, DataError> {
        let corrupt = |message: String| {
            DataError::at(
                DataErrorKind::Format,
                self.region.name(),
                format_args!("batch {group} is corrupt: {message}"),
            )
        };
        let (block, bytes) = load(&self.region, self.batches[group])?;
        let batch = self.decoder.read_record_batch(&block, &bytes);
        let batch = batch.map_err(|error| corrupt(error.to_string()))?;
        let batch = batch.ok_or_else(|| corrupt("it is empty".to_owned()))?;
        batch
            .project(columns)
            .map_err(|error| corrupt(error.to_string()))
    }
}
