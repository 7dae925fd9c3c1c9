//! The binary records of CIFAR-10 and CIFAR-100: labels, then a red, a green and a blue plane of 32 × 32 bytes.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::element::Element;
use crate::file::Region;
use crate::prepare::{no_samples, prepare};
use crate::records::Records;
use crate::{DataError, DataErrorKind, Dataset, Layout, OpenOptions};

const SHAPE: [usize; 3] = [3, 32, 32];
const N_VALUES: u64 = 3 * 32 * 32;

/// A longer file of class names is something else.
const LONGEST_NAMES: u64 = 1 << 16;

struct Variant {
    name: &'static str,
    /// The label bytes of a record.
    n_labels: u64,
    /// Which of them is the label.
    label: u64,
    n_classes: usize,
    names_file: &'static str,
}

const TEN: Variant = Variant {
    name: "CIFAR-10",
    n_labels: 1,
    label: 0,
    n_classes: 10,
    names_file: "batches.meta.txt",
};

const HUNDRED: Variant = Variant {
    name: "CIFAR-100",
    n_labels: 2,
    label: 1,
    n_classes: 100,
    names_file: "fine_label_names.txt",
};

const HUNDRED_COARSE: Variant = Variant {
    label: 0,
    n_classes: 20,
    names_file: "coarse_label_names.txt",
    ..HUNDRED
};

/// Opens one file of records, with the fine labels where there are fine and coarse ones.
///
/// The length of the file tells which records it holds. Where it fits both, the file of class names that lies
/// beside it does.
pub(super) fn open(
    path: &Path,
    options: &OpenOptions,
    expected: Option<&[usize]>,
) -> Result<Box<dyn Dataset>, DataError> {
    let region = Region::open(path)?;
    let fits = |variant: &Variant| region.len().is_multiple_of(variant.n_labels + N_VALUES);
    let named = |variant: &Variant| path.with_file_name(variant.names_file).is_file();
    let variant = match (fits(&TEN), fits(&HUNDRED)) {
        (true, false) => &TEN,
        (false, true) => &HUNDRED,
        (false, false) => {
            return Err(DataError::at(
                DataErrorKind::Format,
                path,
                format_args!(
                    "{} bytes are whole records neither of CIFAR-10 (3073 bytes) nor of CIFAR-100 (3074 bytes)",
                    region.len()
                ),
            ));
        }
        (true, true) if region.len() == 0 => return Err(no_samples(path)),
        (true, true) => match (named(&TEN), named(&HUNDRED)) {
            (true, false) => &TEN,
            (false, true) => &HUNDRED,
            _ => {
                return Err(DataError::at(
                    DataErrorKind::Format,
                    path,
                    format_args!(
                        "{} bytes are whole records both of CIFAR-10 and of CIFAR-100: choose with --format cifar10 or cifar100",
                        region.len()
                    ),
                ));
            }
        },
    };
    open_region(region, variant, options, expected)
}

/// Opens one file of CIFAR-10.
pub(super) fn open_10(
    path: &Path,
    options: &OpenOptions,
    expected: Option<&[usize]>,
) -> Result<Box<dyn Dataset>, DataError> {
    open_region(Region::open(path)?, &TEN, options, expected)
}

/// Opens one file of CIFAR-100 with its fine labels.
pub(super) fn open_100(
    path: &Path,
    options: &OpenOptions,
    expected: Option<&[usize]>,
) -> Result<Box<dyn Dataset>, DataError> {
    open_region(Region::open(path)?, &HUNDRED, options, expected)
}

/// Opens one file of CIFAR-100 with its coarse labels.
pub(super) fn open_100_coarse(
    path: &Path,
    options: &OpenOptions,
    expected: Option<&[usize]>,
) -> Result<Box<dyn Dataset>, DataError> {
    open_region(Region::open(path)?, &HUNDRED_COARSE, options, expected)
}

fn open_region(
    region: Region,
    variant: &Variant,
    options: &OpenOptions,
    expected: Option<&[usize]>,
) -> Result<Box<dyn Dataset>, DataError> {
    let refuse =
        |kind, message: fmt::Arguments<'_>| Err(DataError::at(kind, region.name(), message));
    if options.layout == Layout::Nhwc {
        return refuse(
            DataErrorKind::Option,
            format_args!("layout nhwc does not fit: CIFAR records hold one plane per channel"),
        );
    }
    let stride = variant.n_labels + N_VALUES;
    if !region.len().is_multiple_of(stride) {
        return refuse(
            DataErrorKind::Format,
            format_args!(
                "{} bytes are no whole records of {}, {stride} bytes each",
                region.len(),
                variant.name
            ),
        );
    }
    let Ok(count) = usize::try_from(region.len() / stride) else {
        return refuse(DataErrorKind::Format, format_args!("has too many records"));
    };
    let labels = match &options.labels {
        Some(_) => None,
        None => Some(read_labels(&region, variant, count)?),
    };
    let class_names = class_names(region.name(), variant);
    let records = Records {
        region,
        element: Element::U8,
        count,
        skip: variant.n_labels,
        shape: SHAPE.to_vec(),
        columns: None,
        labels,
        class_names,
    };
    prepare(records, Layout::Nchw, options, expected)
}

fn read_labels(region: &Region, variant: &Variant, count: usize) -> Result<Vec<u32>, DataError> {
    let stride = variant.n_labels + N_VALUES;
    let mut labels = Vec::new();
    for index in 0..count {
        let mut label = [0];
        region.read(index as u64 * stride + variant.label, &mut label)?;
        if usize::from(label[0]) >= variant.n_classes {
            return Err(DataError::at(
                DataErrorKind::Format,
                region.name(),
                format_args!(
                    "does not hold {} records: record {index} has label {}",
                    variant.name, label[0]
                ),
            ));
        }
        labels.push(u32::from(label[0]));
    }
    Ok(labels)
}

/// The names in the file that comes with the records, where it lies beside them and is complete.
fn class_names(path: &Path, variant: &Variant) -> Option<Vec<String>> {
    let file = File::open(path.with_file_name(variant.names_file)).ok()?;
    let mut text = String::new();
    file.take(LONGEST_NAMES).read_to_string(&mut text).ok()?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let names: Vec<String> = lines.map(str::to_owned).collect();
    (names.len() == variant.n_classes).then_some(names)
}
