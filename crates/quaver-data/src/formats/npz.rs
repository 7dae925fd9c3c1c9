//! NumPy's `.npz`: a zip archive of `.npy` arrays, each under its key.

use std::io::BufReader;
use std::path::{Path, PathBuf};

use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive};

use super::npy;
use crate::file::{Region, RegionReader, Stream};
use crate::prepare::prepare;
use crate::{DataError, DataErrorKind, Dataset, OpenOptions, labels, records};

/// More keys than these are only counted in a message.
const MOST_KEYS_LISTED: usize = 12;

/// Whether a file with these first bytes is of this format.
pub(super) fn is_zip(magic: &[u8]) -> bool {
    magic == b"PK\x03\x04"
}

/// Opens the array of samples and, where there is one, that of labels.
///
/// The samples of a stored array are read from the archive itself, without its checksum. A deflated array is
/// unpacked once, into a temporary file.
pub(super) fn open(
    path: &Path,
    options: &OpenOptions,
    expected: Option<&[usize]>,
) -> Result<Box<dyn Dataset>, DataError> {
    let mut archive = Archive::open(path)?;
    let absent = |archive: &Archive, key: &str, option: &str| {
        DataError::at(
            DataErrorKind::Option,
            path,
            format_args!(
                "has no array {key:?}, only {}: choose one with {option}",
                archive.keys()
            ),
        )
    };
    let Some(mut stream) = archive.array(&options.x_key)? else {
        return Err(absent(&archive, &options.x_key, "--x-key"));
    };
    let header = npy::read_header(&mut stream)?;
    let mut records = records::array(stream, &header)?;
    if options.labels.is_some() {
        // They take the place of those in the archive.
    } else if let Some(mut stream) = archive.array(&options.y_key)? {
        let header = npy::read_header(&mut stream)?;
        records.labels = Some(labels::read_array(stream, &header, records.count)?);
    } else if options.y_key != OpenOptions::default().y_key {
        return Err(absent(&archive, &options.y_key, "--y-key"));
    }
    prepare(records, options.layout, options, expected)
}

struct Archive {
    region: Region,
    zip: ZipArchive<BufReader<RegionReader>>,
}

impl Archive {
    fn open(path: &Path) -> Result<Self, DataError> {
        let region = Region::open(path)?;
        let zip = ZipArchive::new(region.reader()).map_err(|error| unreadable(path, error))?;
        Ok(Self { region, zip })
    }

    /// The array under `key`, if there is one.
    fn array(&mut self, key: &str) -> Result<Option<Stream<'_>>, DataError> {
        let name = PathBuf::from(format!("{}[{key}]", self.region.name().display()));
        let mut index = self.zip.index_for_name(&format!("{key}.npy"));
        if index.is_none() {
            index = self.zip.index_for_name(key);
        }
        let Some(index) = index else {
            return Ok(None);
        };
        let member = self
            .zip
            .by_index(index)
            .map_err(|error| unreadable(&name, error))?;
        if member.compression() != CompressionMethod::Stored {
            let packed = member.compressed_size();
            return Ok(Some(Stream::packed(name, Box::new(member), packed)));
        }
        let start = member.data_start().unwrap_or(u64::MAX);
        let region = self.region.part(name, start, member.size())?;
        Ok(Some(Stream::plain(region)))
    }

    /// The keys of all arrays, for a message.
    fn keys(&self) -> String {
        let names = self.zip.file_names_raw().map(String::from_utf8_lossy);
        let mut keys: Vec<String> = names
            .take(MOST_KEYS_LISTED)
            .map(|name| format!("{:?}", name.strip_suffix(".npy").unwrap_or(&name)))
            .collect();
        if self.zip.len() > keys.len() {
            keys.push(format!("{} more", self.zip.len() - keys.len()));
        }
        if keys.is_empty() {
            keys.push("no array at all".to_owned());
        }
        keys.join(", ")
    }
}

fn unreadable(name: &Path, error: ZipError) -> DataError {
    match error {
        ZipError::Io(error) => DataError::reading(name, error),
        error => DataError::at(
            DataErrorKind::Format,
            name,
            format_args!("cannot be read as an .npz archive: {error}"),
        )
        .with_source(error),
    }
}
