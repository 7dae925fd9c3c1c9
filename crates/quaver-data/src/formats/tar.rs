//! Tar archives of samples, as WebDataset has them: the members `0001.jpg` and `0001.cls` are one sample.
//!
//! The headers are gone through once; nothing is ever unpacked to a path that an archive names. A member is read from
//! its place in the archive when a sample is.

use std::io::Read;
use std::path::{Path, PathBuf};

use tar::{Archive, EntryType, PaxExtensions};

use super::npy;
use crate::class_map::ClassMap;
use crate::columns::in_c_order;
use crate::element::{ArrayHeader, Order};
use crate::file::{Region, Stream};
use crate::label_column::NAMES;
use crate::labels::{class_of, to_label};
use crate::picture::{EXTENSIONS, MOST_ENCODED};
use crate::prepare::{no_samples, prepare};
use crate::source::{Content, Raw, Source};
use crate::{DataError, DataErrorKind, Dataset, OpenOptions};

/// Headers of members that only rename the next one; a longer name is none.
const LONGEST_NAME: u64 = 1 << 16;

/// A longer label is another text.
const LONGEST_LABEL: u64 = 1 << 20;

/// What a member with a label is called.
const LABELS: [&str; 2] = ["cls", "json"];

struct Shard {
    region: Region,
    /// The extension of the members that hold the samples, such as `jpg`.
    extension: String,
    /// `None` for images.
    array: Option<Vec<usize>>,
    samples: Vec<Grouped>,
    classes: Option<ClassMap>,
    /// The entry of a `.json` member that holds the label, where it is chosen.
    label_entry: Option<String>,
    /// Whether labels are read from the archive.
    with_labels: bool,
}

/// Where a sample's members lie.
struct Grouped {
    key: String,
    data: Option<Member>,
    label: Option<(Member, bool)>,
}

#[derive(Clone, Copy)]
struct Member {
    start: u64,
    len: u64,
}

/// A member with its name taken apart.
struct Named {
    key: String,
    extension: String,
    member: Member,
}

/// Opens an archive whose members next to each other with the same name, up to the first dot, are one sample.
pub(super) fn open(
    path: &Path,
    options: &OpenOptions,
    expected: Option<&[usize]>,
) -> Result<Box<dyn Dataset>, DataError> {
    let region = Stream::open(path)?.into_rest()?;
    let members = list(&region)?;
    let extension = choose(path, &members, options)?;
    let mut samples: Vec<Grouped> = Vec::new();
    for Named {
        key,
        extension: found,
        member,
    } in members
    {
        if samples.last().is_none_or(|last| last.key != key) {
            samples.push(Grouped {
                key,
                data: None,
                label: None,
            });
        }
        let Some(sample) = samples.last_mut() else {
            continue;
        };
        if found == extension {
            sample.data = Some(member);
        } else if let Some(label) = LABELS.iter().position(|label| *label == found)
            && (label == 0 || sample.label.is_none())
        {
            sample.label = Some((member, label == 1));
        }
    }
    let mut shard = Shard {
        region,
        array: None,
        samples,
        classes: ClassMap::of(options)?,
        label_entry: options.label_column.clone(),
        with_labels: options.labels.is_none(),
        extension,
    };
    if is_array(&shard.extension) {
        shard.array = Some(shard.first_shape()?);
    }
    prepare(shard, options.layout, options, expected)
}

fn is_array(extension: &str) -> bool {
    extension.rsplit('.').next() == Some("npy")
}

fn is_image(extension: &str) -> bool {
    let last = extension.rsplit('.').next().unwrap_or_default();
    EXTENSIONS.contains(&last)
}

/// The members that are files, in their order.
fn list(region: &Region) -> Result<Vec<Named>, DataError> {
    let name = region.name();
    let reading = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::Other => DataError::at(
            DataErrorKind::Format,
            name,
            format_args!("is not a tar archive, or corrupt: {error}"),
        ),
        _ => DataError::reading(name, error),
    };
    let mut archive = Archive::new(region.reader());
    let mut members = Vec::new();
    // Of the next member, from a member of its own before it.
    let mut long_name: Option<Vec<u8>> = None;
    for entry in archive.entries_with_seek().map_err(reading)?.raw(true) {
        let mut entry = entry.map_err(reading)?;
        let kind = entry.header().entry_type();
        let member = Member {
            start: entry.raw_file_position(),
            len: entry.size(),
        };
        if kind.is_gnu_longname() || kind.is_pax_local_extensions() {
            if member.len > LONGEST_NAME {
                return Err(DataError::at(
                    DataErrorKind::Format,
                    name,
                    format_args!("has a member with {} bytes of name", member.len),
                ));
            }
            let mut text = Vec::new();
            entry.read_to_end(&mut text).map_err(reading)?;
            match kind.is_gnu_longname() {
                true => {
                    long_name = Some(
                        text.split(|&byte| byte == 0)
                            .next()
                            .unwrap_or_default()
                            .to_vec(),
                    )
                }
                false => {
                    let mut found = PaxExtensions::new(&text).flatten();
                    let path = found.find(|extension| extension.key_bytes() == b"path");
                    long_name = path.map(|path| path.value_bytes().to_vec()).or(long_name);
                }
            }
            continue;
        }
        let path = long_name
            .take()
            .unwrap_or_else(|| entry.path_bytes().into_owned());
        if !matches!(kind, EntryType::Regular | EntryType::Continuous) {
            // Folders and links are no samples; a sparse file is stored in pieces, and nobody writes one here.
            continue;
        }
        if member
            .start
            .checked_add(member.len)
            .is_none_or(|end| end > region.len())
        {
            return Err(DataError::truncated(name));
        }
        let path = String::from_utf8_lossy(&path);
        let (folder, file) = path.rsplit_once('/').unwrap_or(("", &path));
        let Some((stem, extension)) = file.split_once('.').filter(|(stem, _)| !stem.is_empty())
        else {
            continue;
        };
        members.push(Named {
            key: match folder {
                "" | "." => stem.to_owned(),
                folder => format!("{}/{stem}", folder.trim_start_matches("./")),
            },
            extension: extension.to_ascii_lowercase(),
            member,
        });
    }
    Ok(members)
}

/// The extension of the members that hold the samples.
fn choose(path: &Path, members: &[Named], options: &OpenOptions) -> Result<String, DataError> {
    let mut found: Vec<&str> = members
        .iter()
        .map(|member| member.extension.as_str())
        .collect();
    found.sort_unstable();
    found.dedup();
    if options.x_key != OpenOptions::default().x_key {
        if found.contains(&options.x_key.as_str()) {
            return Ok(options.x_key.clone());
        }
        let listed = found
            .iter()
            .take(12)
            .copied()
            .collect::<Vec<_>>()
            .join(", ");
        return Err(DataError::at(
            DataErrorKind::Option,
            path,
            format_args!(
                "has no members .{}, only .{listed}: choose with --x-key",
                options.x_key
            ),
        ));
    }
    found.retain(|extension| is_image(extension) || is_array(extension));
    match found.as_slice() {
        [] => Err(DataError::at(
            DataErrorKind::Format,
            path,
            format_args!(
                "no samples: no member is a .npy array or an image (.{})",
                EXTENSIONS.join(", .")
            ),
        )),
        [extension] => Ok((*extension).to_owned()),
        several => Err(DataError::at(
            DataErrorKind::Option,
            path,
            format_args!(
                "members .{} could each be the samples: choose with --x-key",
                several.join(", .")
            ),
        )),
    }
}

impl Shard {
    fn member(&self, index: usize) -> Result<Member, DataError> {
        self.samples[index].data.ok_or_else(|| {
            DataError::at(
                DataErrorKind::Format,
                &self.place(index),
                "is not in the archive",
            )
        })
    }

    /// The header of an array and the stretch of the archive that holds it.
    fn header(&self, index: usize) -> Result<(ArrayHeader, Region), DataError> {
        let Member { start, len } = self.member(index)?;
        let region = self.region.part(self.place(index), start, len)?;
        let mut stream = Stream::plain(region);
        let header = npy::read_header(&mut stream)?;
        let n_bytes = header.n_bytes().unwrap_or(u64::MAX);
        Ok((header, stream.into_region(n_bytes)?))
    }

    /// The shape of the first array that can be read, which all must have.
    fn first_shape(&self) -> Result<Vec<usize>, DataError> {
        let mut failure = None;
        for index in 0..self.samples.len() {
            match self.header(index) {
                Ok((header, _)) => return Ok(header.shape),
                Err(error) if error.kind() == DataErrorKind::Io => return Err(error),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        Err(failure.unwrap_or_else(|| no_samples(self.region.name())))
    }

    fn label_in(&self, text: &str) -> Option<u32> {
        class_of(text.trim(), self.classes.as_ref())
    }

    fn label_in_json(&self, text: &str) -> Option<u32> {
        let value: serde_json::Value = serde_json::from_str(text).ok()?;
        let label = match &self.label_entry {
            Some(entry) => value.get(entry)?,
            None => {
                let names = ["cls"].iter().chain(&NAMES);
                names.filter_map(|name| value.get(name)).next()?
            }
        };
        match label {
            serde_json::Value::Number(number) => number.as_f64().and_then(to_label),
            serde_json::Value::String(text) => self.label_in(text),
            _ => None,
        }
    }
}

impl Source for Shard {
    fn name(&self) -> &Path {
        self.region.name()
    }

    fn len(&self) -> usize {
        self.samples.len()
    }

    fn content(&self) -> Content {
        match &self.array {
            Some(shape) => Content::Arrays(shape.clone()),
            None => Content::Images,
        }
    }

    fn read(&self, index: usize) -> Result<Raw, DataError> {
        let refuse = |kind, message: String| Err(DataError::at(kind, &self.place(index), message));
        let Some(expected) = &self.array else {
            let Member { start, len } = self.member(index)?;
            if len > MOST_ENCODED {
                return refuse(
                    DataErrorKind::Format,
                    format!("has {len} bytes, too many for an image"),
                );
            }
            return Ok(Raw::Image(self.region.bytes(start, len)?));
        };
        let (header, region) = self.header(index)?;
        if header.shape != *expected {
            let message = format!(
                "has shape {:?}, and the first has {expected:?}",
                header.shape
            );
            return refuse(DataErrorKind::Shape, message);
        }
        let bytes = region.bytes(0, region.len())?;
        let numbers = header.element.decode(&bytes);
        Ok(Raw::Numbers(match header.order {
            Order::C => numbers,
            Order::Fortran => in_c_order(&numbers, expected),
        }))
    }

    fn label(&self, index: usize) -> Result<Option<usize>, DataError> {
        let Some((member, is_json)) = self.samples[index].label.filter(|_| self.with_labels) else {
            return Ok(None);
        };
        let extension = LABELS[usize::from(is_json)];
        let key = &self.samples[index].key;
        let place = PathBuf::from(format!(
            "{}[{key}.{extension}]",
            self.region.name().display()
        ));
        let refuse = |message: String| DataError::at(DataErrorKind::Labels, &place, message);
        if member.len > LONGEST_LABEL {
            return Err(refuse("is too long for a label".to_owned()));
        }
        let bytes = self.region.bytes(member.start, member.len)?;
        let text = String::from_utf8_lossy(&bytes);
        let label = match is_json {
            true => self.label_in_json(&text),
            false => self.label_in(&text),
        };
        // Of a .json that was not written for its label, none is expected.
        if label.is_none() && is_json && self.label_entry.is_none() {
            return Ok(None);
        }
        let label = label.ok_or_else(|| {
            refuse(
                "holds no label: a whole number from 0 on, or a name in the class map".to_owned(),
            )
        })?;
        Ok(Some(label as usize))
    }

    fn key(&self, index: usize) -> Option<String> {
        Some(self.samples[index].key.clone())
    }

    fn place(&self, index: usize) -> PathBuf {
        let key = &self.samples[index].key;
        PathBuf::from(format!(
            "{}[{key}.{}]",
            self.region.name().display(),
            self.extension
        ))
    }

    fn class_names(&self) -> Option<&[String]> {
        self.classes.as_ref().map(ClassMap::names)
    }
}
