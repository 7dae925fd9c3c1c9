//! The idx format of MNIST: a number type, the axes, and the values, all big-endian.

use std::path::{Path, PathBuf};

use crate::element::{ArrayHeader, Element, Number, Order};
use crate::file::Stream;
use crate::prepare::prepare;
use crate::{DataError, DataErrorKind, Dataset, Layout, OpenOptions, labels, records};

/// Whether a file with these first bytes is of this format.
pub(crate) fn is_idx(magic: &[u8]) -> bool {
    matches!(magic, [0, 0, code, 1..=255, ..] if number(*code).is_some())
}

/// Opens images of shape `[N, H, W]`, which become samples of shape `[1, H, W]`, or an array of other axes.
///
/// Without a labels option the labels are looked for under the name that MNIST gives them beside its images.
pub(super) fn open(
    path: &Path,
    options: &OpenOptions,
    expected: Option<&[usize]>,
) -> Result<Box<dyn Dataset>, DataError> {
    let mut stream = Stream::open(path)?;
    let header = read_header(&mut stream)?;
    let mut records = records::array(stream, &header)?;
    if options.labels.is_none()
        && let Some(path) = labels_beside(path)
    {
        records.labels = Some(read_labels(&path, records.count)?);
    }
    // Grey images have no axis for their one channel, and networks do.
    if records.shape.len() == 2 {
        records.shape.insert(0, 1);
        return prepare(records, Layout::Nchw, options, expected);
    }
    prepare(records, options.layout, options, expected)
}

fn read_labels(path: &Path, count: usize) -> Result<Vec<u32>, DataError> {
    let mut stream = Stream::open(path)?;
    let header = read_header(&mut stream)?;
    labels::read_array(stream, &header, count)
}

/// Reads the header, so that `stream` is left at the first value.
pub(crate) fn read_header(stream: &mut Stream<'_>) -> Result<ArrayHeader, DataError> {
    let mut start = [0; 4];
    stream.fill(&mut start)?;
    let [zero, zero_too, code, n_axes] = start;
    let number = number(code).filter(|_| zero == 0 && zero_too == 0);
    let Some(number) = number else {
        return Err(DataError::at(
            DataErrorKind::Format,
            stream.name(),
            format_args!("is not an idx file: it begins with {start:02x?}"),
        ));
    };
    let mut shape = Vec::new();
    for _ in 0..n_axes {
        let mut axis = [0; 4];
        stream.fill(&mut axis)?;
        shape.push(u32::from_be_bytes(axis) as usize);
    }
    Ok(ArrayHeader {
        element: Element {
            number,
            big_endian: true,
        },
        shape,
        order: Order::C,
    })
}

fn number(code: u8) -> Option<Number> {
    Some(match code {
        0x08 => Number::U8,
        0x09 => Number::I8,
        0x0b => Number::I16,
        0x0c => Number::I32,
        0x0d => Number::F32,
        0x0e => Number::F64,
        _ => return None,
    })
}

/// The file of labels that lies beside a file of images with the names of MNIST, if there is one.
pub fn labels_beside(images: &Path) -> Option<PathBuf> {
    let name = images.file_name()?.to_str()?;
    let name = [
        ("images-idx3-ubyte", "labels-idx1-ubyte"),
        ("images.idx3-ubyte", "labels.idx1-ubyte"),
    ]
    .iter()
    .find(|(images, _)| name.contains(images))
    .map(|(images, labels)| name.replace(images, labels))?;
    let plain = name.strip_suffix(".gz").unwrap_or(&name);
    [name.clone(), plain.to_owned(), format!("{plain}.gz")]
        .iter()
        .map(|name| images.with_file_name(name))
        .find(|path| path.is_file())
}
