//! What the pages of a Parquet column declare of themselves, read before they are unpacked: a page of a few bytes may
//! unpack to gigabytes. Where a decoder does not mind what they declare, they are unpacked once to see that it is true.
//!
//! A page's header is a struct in Thrift's compact protocol: fields of a type and a number each, counted up from the
//! one before, until a stop byte.

use std::io;

use flate2::bufread::MultiGzDecoder;
use parquet::basic::Compression;
use parquet::file::metadata::ColumnChunkMetaData;

use crate::file::Region;
use crate::{DataError, DataErrorKind};

/// Writers aim at a mebibyte; one value, such as an image, makes a larger page.
const LARGEST_PAGE: u64 = 1 << 29;

/// A column of a row group may have so many values however few bytes they take...
const FEW_VALUES: u64 = 1 << 26;

/// ...and so many for each of these.
const MOST_VALUES_PER_BYTE: u64 = 8;

/// Headers fit into the first, but for one with long statistics.
const WINDOWS: [u64; 2] = [1 << 12, 1 << 20];

/// Structs within structs go no deeper than this in a header.
const DEEPEST: usize = 8;

/// Walks through the headers of the pages of a chunk, which must hold at least one value for each of `rows`.
pub(super) fn check(
    region: &Region,
    chunk: &ColumnChunkMetaData,
    rows: i64,
) -> Result<(), DataError> {
    let refuse = |message: &str| {
        let column = chunk.column_path().string();
        DataError::at(
            DataErrorKind::Format,
            region.name(),
            format_args!("column {column:?} {message}"),
        )
    };
    let corrupt = || refuse("has corrupt pages");
    let packed_by = match chunk.compression() {
        Compression::BROTLI(_) => Some("Brotli"),
        Compression::LZO => Some("LZO"),
        _ => None,
    };
    if let Some(name) = packed_by {
        return Err(refuse(&format!(
            "is packed by {name}, which is not read: write the file again with Zstandard, Snappy, LZ4 or gzip"
        )));
    }
    let (start, length) = chunk.byte_range();
    let end = start.checked_add(length).filter(|&end| end <= region.len());
    let end = end.ok_or_else(|| refuse("lies past the end of the file"))?;
    let wanted = u64::try_from(chunk.num_values()).map_err(|_| corrupt())?;
    if wanted < u64::try_from(rows).map_err(|_| corrupt())? {
        return Err(refuse("has fewer values than its row group has rows"));
    }
    let (mut position, mut values, mut bytes) = (start, 0_u64, 0_u64);
    // To the end, for so does the decoder read.
    while position < end {
        let mut page = None;
        for window in WINDOWS {
            let header = region.bytes(position, window.min(region.len() - position))?;
            page = Page::read(&header);
            if page.is_some() {
                break;
            }
        }
        let page = page.ok_or_else(corrupt)?;
        if page.unpacked > LARGEST_PAGE {
            return Err(refuse(
                "has a page that unpacks to more than half a gibibyte",
            ));
        }
        if let Compression::GZIP(_) = chunk.compression()
            && !page.is_as_small(region, position)?
        {
            return Err(refuse(&format!(
                "has a page that unpacks to more than the {} bytes it declares",
                page.unpacked
            )));
        }
        values = values.saturating_add(page.values);
        bytes = bytes.saturating_add(page.unpacked);
        position += page.header + page.packed;
    }
    if values > FEW_VALUES.max(bytes.saturating_mul(MOST_VALUES_PER_BYTE)) {
        return Err(refuse("declares more values than its bytes can hold"));
    }
    Ok(())
}

/// What a page's header says.
#[derive(Debug, Default, PartialEq, Eq)]
struct Page {
    /// The length of the header itself.
    header: u64,
    unpacked: u64,
    packed: u64,
    /// Of a page of data; a dictionary has none of its own.
    values: u64,
    /// Bytes before what is packed: repetition and definition levels, in pages of the second version.
    levels: [u64; 2],
    /// Whether it is not packed though its column is.
    is_plain: bool,
}

impl Page {
    fn read(bytes: &[u8]) -> Option<Self> {
        let mut reader = Compact { rest: bytes };
        let mut page = Self::default();
        let mut field = 0;
        while let Some(kind) = reader.field(&mut field)? {
            match (field, kind) {
                (2, INTEGER) => page.unpacked = reader.size()?,
                (3, INTEGER) => page.packed = reader.size()?,
                (version @ (5 | 8), STRUCT) => {
                    if version == 8 {
                        (page.levels, page.is_plain) = ([0; 2], false);
                    }
                    let mut inner = 0;
                    while let Some(kind) = reader.field(&mut inner)? {
                        match (version, inner, kind) {
                            (_, 1, INTEGER) => page.values = reader.size()?,
                            (8, 5 | 6, INTEGER) => {
                                page.levels[usize::from(inner == 5)] = reader.size()?;
                            }
                            (8, 7, TRUE | FALSE) => page.is_plain = kind == FALSE,
                            _ => reader.skip(kind, DEEPEST)?,
                        }
                    }
                }
                _ => reader.skip(kind, DEEPEST)?,
            }
        }
        page.header = (bytes.len() - reader.rest.len()) as u64;
        Some(page)
    }

    /// Whether the page at `position`, packed by gzip, unpacks to no more than it declares. One that is corrupt ends before
    /// that, for the decoder as for us, and the decoder says it.
    fn is_as_small(&self, region: &Region, position: u64) -> Result<bool, DataError> {
        let levels = self.levels[0] + self.levels[1];
        let sizes = (
            self.packed.checked_sub(levels),
            self.unpacked.checked_sub(levels),
        );
        let (false, (Some(packed), Some(most))) = (self.is_plain, sizes) else {
            // Neither does the decoder unpack it.
            return Ok(true);
        };
        let start = position + self.header + levels;
        let packed = region.part(region.name().to_owned(), start, packed)?;
        let unpacked = MultiGzDecoder::new(packed.reader());
        let n = io::copy(&mut io::Read::take(unpacked, most + 1), &mut io::sink());
        Ok(n.map_or(true, |n| n <= most))
    }
}

/// Types of the compact protocol.
const TRUE: u8 = 1;
const FALSE: u8 = 2;
const INTEGER: u8 = 5;
const STRUCT: u8 = 12;

/// Bytes of the compact protocol, still to be read. All methods give `None` where they end too early.
struct Compact<'a> {
    rest: &'a [u8],
}

impl Compact<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (&byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(byte)
    }

    /// The type of the next field, whose number is counted up; `Some(None)` at the end of a struct.
    fn field(&mut self, number: &mut i64) -> Option<Option<u8>> {
        let byte = self.byte()?;
        let kind = byte & 0xf;
        if kind == 0 {
            return Some(None);
        }
        *number = match byte >> 4 {
            0 => self.zigzag()?,
            delta => number.checked_add(i64::from(delta))?,
        };
        Some(Some(kind))
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn zigzag(&mut self) -> Option<i64> {
        let value = self.varint()?;
        Some((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// An integer that is a size.
    fn size(&mut self) -> Option<u64> {
        let size = self.zigzag()?;
        i32::try_from(size).ok()?;
        u64::try_from(size).ok()
    }

    fn skip(&mut self, kind: u8, depth: usize) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        match kind {
            // True and false are types of fields.
            1 | 2 => {}
            3 => drop(self.byte()?),
            4..=6 => drop(self.varint()?),
            7 => self.rest = self.rest.get(8..)?,
            8 => {
                let length = usize::try_from(self.varint()?).ok()?;
                self.rest = self.rest.get(length..)?;
            }
            9 | 10 => {
                let byte = self.byte()?;
                let length = match byte >> 4 {
                    15 => self.varint()?,
                    length => u64::from(length),
                };
                // Every element but a bool takes a byte at least, and so does a bool in a list.
                for _ in 0..length {
                    match byte & 0xf {
                        1 | 2 => drop(self.byte()?),
                        kind => self.skip(kind, depth)?,
                    }
                }
            }
            STRUCT => {
                let mut number = 0;
                while let Some(kind) = self.field(&mut number)? {
                    self.skip(kind, depth)?;
                }
            }
            // Maps do not occur.
            _ => return None,
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_past_what_does_not_matter() {
        let header = [
            0x15, 0x00, // 1: the type, a page of data
            0x15, 0xa0, 0x1f, // 2: 2000 bytes unpacked
            0x15, 0xc8, 0x01, // 3: 100 bytes packed
            0x2c, // 5: a struct
            0x15, 0x14, // 1: 10 values
            0x15, 0x00, 0x15, 0x06, 0x15, 0x06, // 2 to 4: encodings
            0x1c, 0x18, 0x03, b'm', b'a', b'x', 0x00, // 5: statistics
            0x00, // the struct's end
            0x00, 0xff, // the end, and what follows
        ];
        let page = Page {
            header: header.len() as u64 - 1,
            unpacked: 2000,
            packed: 100,
            values: 10,
            ..Page::default()
        };
        assert_eq!(Page::read(&header), Some(page));
        for length in 0..header.len() - 1 {
            assert_eq!(Page::read(&header[..length]), None);
        }
        // The second version: what is before the packed bytes, and whether there are any.
        let second = [
            0x15, 0x06, 0x15, 0x64, 0x15,
            0x46, // 1 to 3: its type, 50 bytes unpacked, 35 packed
            0x5c, // 8: a struct
            0x15, 0x14, 0x15, 0x00, 0x15, 0x14, 0x15,
            0x00, // 1 to 4: 10 values, nulls, rows, encoding
            0x15, 0x06, 0x15,
            0x04, // 5 and 6: 3 bytes of definition levels, 2 of repetition levels
            0x12, // 7: not packed
            0x00, 0x00,
        ];
        let page = Page::read(&second).expect("a whole header");
        assert_eq!((page.unpacked, page.packed, page.values), (50, 35, 10));
        assert_eq!((page.levels, page.is_plain), ([2, 3], true));
        // Structs in structs without end.
        assert_eq!(Page::read(&[0x1c; 1 << 16]), None);
    }
}
