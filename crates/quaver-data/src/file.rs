//! Files that are read at positions, so that several threads read one file at once without a lock.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flate2::read::MultiGzDecoder;

use crate::{DataError, DataErrorKind};

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// A packed file may unpack to so many times its own length...
const MOST_EXPANSION: u64 = 100;

/// ...or to so many bytes, whichever is more. Tables of numbers shrink to a third or a tenth, zeros to a thousandth.
const LEAST_UNPACKED: u64 = 1 << 30;

/// A stretch of a file.
#[derive(Debug, Clone)]
pub(crate) struct Region {
    name: PathBuf,
    file: Arc<File>,
    start: u64,
    len: u64,
}

impl Region {
    /// All of the regular file at `path`.
    pub(crate) fn open(path: &Path) -> Result<Self, DataError> {
        // Before it is opened, since to open a named pipe is to wait for its writer.
        let metadata = path
            .metadata()
            .map_err(|error| DataError::reading(path, error))?;
        if !metadata.is_file() {
            return Err(DataError::at(
                DataErrorKind::Io,
                path,
                "is not a regular file",
            ));
        }
        let reading = |error| DataError::reading(path, error);
        let file = File::open(path).map_err(reading)?;
        Ok(Self {
            name: path.to_path_buf(),
            start: 0,
            len: file.metadata().map_err(reading)?.len(),
            file: Arc::new(file),
        })
    }

    /// The `len` bytes from `start` on, to be called `name` in messages.
    pub(crate) fn part(&self, name: PathBuf, start: u64, len: u64) -> Result<Self, DataError> {
        match start.checked_add(len) {
            Some(end) if end <= self.len => Ok(Self {
                name,
                file: Arc::clone(&self.file),
                start: self.start + start,
                len,
            }),
            _ => Err(DataError::truncated(&name)),
        }
    }

    /// What messages call it: the path of the file, with the array's key when it lies in an archive.
    pub(crate) fn name(&self) -> &Path {
        &self.name
    }

    /// The number of bytes.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Fills `buffer` with the bytes from `offset` on.
    pub(crate) fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<(), DataError> {
        let inside = offset
            .checked_add(buffer.len() as u64)
            .is_some_and(|end| end <= self.len);
        if !inside {
            return Err(DataError::truncated(&self.name));
        }
        read_exact_at(&self.file, buffer, self.start + offset).map_err(|error| {
            // The length was checked when the file was opened.
            match error.kind() {
                io::ErrorKind::UnexpectedEof => DataError::at(
                    DataErrorKind::Io,
                    &self.name,
                    "became shorter while it was read",
                ),
                _ => DataError::reading(&self.name, error),
            }
        })
    }

    /// The `len` bytes from `offset` on, if the file has so many.
    pub(crate) fn bytes(&self, offset: u64, len: u64) -> Result<Vec<u8>, DataError> {
        let inside = offset.checked_add(len).is_some_and(|end| end <= self.len);
        let len = usize::try_from(len).ok().filter(|_| inside);
        // Before there is room for them, since a file may declare any number.
        let len = len.ok_or_else(|| DataError::truncated(&self.name))?;
        let mut bytes = vec![0; len];
        self.read(offset, &mut bytes)?;
        Ok(bytes)
    }

    /// A reader of the whole region with a cursor of its own.
    pub(crate) fn reader(&self) -> BufReader<RegionReader> {
        BufReader::new(RegionReader {
            region: self.clone(),
            position: 0,
        })
    }
}

/// Reads a [`Region`] from beginning to end, whatever others do with the file.
#[derive(Debug)]
pub(crate) struct RegionReader {
    region: Region,
    position: u64,
}

impl Read for RegionReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.region.len.saturating_sub(self.position);
        let n = left.min(buffer.len() as u64) as usize;
        read_exact_at(
            &self.region.file,
            &mut buffer[..n],
            self.region.start + self.position,
        )?;
        self.position += n as u64;
        Ok(n)
    }
}

impl Seek for RegionReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::End(delta) => self.region.len.checked_add_signed(delta),
            SeekFrom::Current(delta) => self.position.checked_add_signed(delta),
        };
        self.position = target.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}

/// A file that is read from its beginning until its header is known, and then becomes a [`Region`] that
/// holds what follows the header.
///
/// Packed data (gzip, a deflated member of an archive) must be read in order to be unpacked. They go once
/// through a temporary file that no folder lists and that the system removes, never through memory.
pub(crate) struct Stream<'a> {
    name: PathBuf,
    reader: Box<dyn Read + 'a>,
    consumed: u64,
    packed_len: u64,
    plain: Option<Region>,
}

impl<'a> Stream<'a> {
    /// The file at `path`, unpacked when its first bytes say that it is gzip.
    pub(crate) fn open(path: &Path) -> Result<Stream<'static>, DataError> {
        let region = Region::open(path)?;
        let mut magic = [0; 2];
        if region.len() >= 2 {
            region.read(0, &mut magic)?;
        }
        if magic == GZIP_MAGIC {
            let decoder = MultiGzDecoder::new(region.reader());
            let name = path.to_path_buf();
            return Ok(Stream::packed(name, Box::new(decoder), region.len()));
        }
        Ok(Stream::plain(region))
    }

    /// A region that is not packed.
    pub(crate) fn plain(region: Region) -> Stream<'static> {
        Stream {
            name: region.name.clone(),
            reader: Box::new(region.reader()),
            consumed: 0,
            packed_len: 0,
            plain: Some(region),
        }
    }

    /// What `reader` unpacks from `packed_len` bytes.
    pub(crate) fn packed(name: PathBuf, reader: Box<dyn Read + 'a>, packed_len: u64) -> Self {
        Self {
            name,
            reader,
            consumed: 0,
            packed_len,
            plain: None,
        }
    }

    /// What messages call it.
    pub(crate) fn name(&self) -> &Path {
        &self.name
    }

    /// The first four bytes, or fewer when there are no more, by which a format is recognised.
    pub(crate) fn magic(self) -> Result<Vec<u8>, DataError> {
        let mut magic = Vec::new();
        self.reader
            .take(4)
            .read_to_end(&mut magic)
            .map_err(|error| DataError::reading(&self.name, error))?;
        Ok(magic)
    }

    /// Fills `buffer` with the next bytes.
    pub(crate) fn fill(&mut self, buffer: &mut [u8]) -> Result<(), DataError> {
        self.read_exact(buffer)
            .map_err(|error| DataError::reading(&self.name, error))
    }

    /// The next `len` bytes up to the end as a region; there must be neither fewer nor more.
    ///
    /// `len` is what the header declares. It caps what is unpacked, and is capped itself, so that a small file cannot
    /// fill the disk.
    pub(crate) fn into_region(mut self, len: u64) -> Result<Region, DataError> {
        if let Some(region) = self.plain {
            let available = region.len - self.consumed.min(region.len);
            check_length(&self.name, available, len)?;
            return region.part(self.name, self.consumed, len);
        }
        if len > self.most_unpacked() {
            let packed = self.packed_len;
            return Err(self.is_bomb(format_args!("declares {len} bytes, unpacked from {packed}")));
        }
        let region = self.unpack(len.saturating_add(1))?;
        check_length(&region.name, region.len, len)?;
        Ok(region)
    }

    /// All that is left, of a file whose format does not say how much that is, as a region.
    pub(crate) fn into_rest(mut self) -> Result<Region, DataError> {
        if let Some(region) = self.plain {
            let available = region.len - self.consumed.min(region.len);
            return region.part(self.name, self.consumed, available);
        }
        let most = self.most_unpacked();
        let region = self.unpack(most.saturating_add(1))?;
        if region.len > most {
            return Err(self.is_bomb(format_args!("unpacks to more than {most} bytes")));
        }
        Ok(region)
    }

    fn most_unpacked(&self) -> u64 {
        LEAST_UNPACKED.max(self.packed_len.saturating_mul(MOST_EXPANSION))
    }

    fn is_bomb(&self, what: std::fmt::Arguments) -> DataError {
        DataError::at(
            DataErrorKind::Format,
            &self.name,
            format_args!("{what}, which no real data do: unpack it yourself if they are"),
        )
    }

    /// What the reader yields, `most` bytes of it, in a temporary file.
    fn unpack(&mut self, most: u64) -> Result<Region, DataError> {
        let unpacking = |error: io::Error| {
            DataError::at(
                DataErrorKind::Io,
                &self.name,
                format_args!("cannot be unpacked into a temporary file: {error}"),
            )
            .with_source(error)
        };
        let mut file = tempfile::tempfile().map_err(unpacking)?;
        let mut buffer = vec![0; 1 << 16];
        let mut len = 0;
        let mut limited = self.reader.by_ref().take(most);
        loop {
            let n = match limited.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(DataError::reading(&self.name, error)),
            };
            io::Write::write_all(&mut file, &buffer[..n]).map_err(unpacking)?;
            len += n as u64;
        }
        Ok(Region {
            name: self.name.clone(),
            file: Arc::new(file),
            start: 0,
            len,
        })
    }
}

impl Read for Stream<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.reader.read(buffer)?;
        self.consumed += n as u64;
        Ok(n)
    }
}

fn check_length(name: &Path, available: u64, declared: u64) -> Result<(), DataError> {
    match available.cmp(&declared) {
        std::cmp::Ordering::Equal => Ok(()),
        std::cmp::Ordering::Less => Err(DataError::at(
            DataErrorKind::Format,
            name,
            format_args!(
                "truncated: {available} bytes of data where its header declares {declared}"
            ),
        )),
        std::cmp::Ordering::Greater => Err(DataError::at(
            DataErrorKind::Format,
            name,
            format_args!("has more data than the {declared} bytes its header declares"),
        )),
    }
}

#[cfg(unix)]
fn read_exact_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buffer, offset)
}

#[cfg(windows)]
fn read_exact_at(file: &File, mut buffer: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !buffer.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, buffer, offset) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(n) => {
                buffer = &mut buffer[n..];
                offset += n as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
