//! Labels from files of their own, and whether they fit a network.

use std::fmt;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use crate::element::ArrayHeader;
use crate::file::Stream;
use crate::formats::{idx, npy};
use crate::{DataError, DataErrorKind, Dataset};

/// A longer line of a text file is no label.
const LONGEST_LINE: u64 = 64;

/// Checks that the label of every sample that has one is a class of a network with `n_classes` outputs.
///
/// # Errors
/// Names the first sample whose label is out of range; or a label cannot be read.
pub fn check_labels(dataset: &dyn Dataset, n_classes: usize) -> Result<(), DataError> {
    for index in 0..dataset.len() {
        if let Some(label) = dataset.label(index)?
            && label >= n_classes
        {
            let index = dataset.original_index(index);
            return Err(DataError::new(
                DataErrorKind::Labels,
                format!(
                    "sample {index} has label {label}, and the network has {n_classes} classes, counted from 0"
                ),
            ));
        }
    }
    Ok(())
}

/// The labels in the file at `path`, one for each of `n_samples` samples.
///
/// The format is told by the first bytes: `.npy`, idx, or else text; each may be gzipped.
pub(crate) fn read_file(path: &Path, n_samples: usize) -> Result<Vec<u32>, DataError> {
    let magic = Stream::open(path)?.magic()?;
    let mut stream = Stream::open(path)?;
    if npy::is_npy(&magic) {
        let header = npy::read_header(&mut stream)?;
        read_array(stream, &header, n_samples)
    } else if idx::is_idx(&magic) {
        let header = idx::read_header(&mut stream)?;
        read_array(stream, &header, n_samples)
    } else {
        read_text(stream, n_samples)
    }
}

/// The labels of an array whose header was read from `stream`: of shape `[N]`, or with more axes of length 1.
pub(crate) fn read_array(
    mut stream: Stream<'_>,
    header: &ArrayHeader,
    n_samples: usize,
) -> Result<Vec<u32>, DataError> {
    let shape = &header.shape;
    let one_each = shape
        .split_first()
        .is_some_and(|(_, rest)| rest.iter().all(|&axis| axis == 1));
    if !one_each {
        return Err(DataError::at(
            DataErrorKind::Labels,
            stream.name(),
            format_args!("labels have shape {shape:?}, and one integer per sample is needed"),
        ));
    }
    check_count(stream.name(), shape[0], n_samples)?;
    // Not with the capacity for all: a header declares their number, and the file may not hold them.
    let mut labels = Vec::new();
    let mut bytes = vec![0; (1 << 12) * header.element.size()];
    while labels.len() < n_samples {
        let n = (n_samples - labels.len()).min(1 << 12);
        let bytes = &mut bytes[..n * header.element.size()];
        stream.fill(bytes)?;
        for value in header.element.decode(bytes) {
            let label = to_label(value).ok_or_else(|| bad(stream.name(), labels.len(), value))?;
            labels.push(label);
        }
    }
    let more = stream
        .read(&mut [0])
        .map_err(|error| DataError::reading(stream.name(), error))?;
    if more > 0 {
        return Err(DataError::at(
            DataErrorKind::Format,
            stream.name(),
            format_args!("has more data than the {n_samples} labels its header declares"),
        ));
    }
    Ok(labels)
}

/// One label per line. `numpy.savetxt` writes them as `7.000e+00`, so whole numbers with a point pass.
fn read_text(stream: Stream<'_>, n_samples: usize) -> Result<Vec<u32>, DataError> {
    let name = stream.name().to_path_buf();
    let mut reader = BufReader::new(stream);
    let mut labels = Vec::new();
    let mut line = Vec::new();
    let mut blank = false;
    loop {
        line.clear();
        let n = reader
            .by_ref()
            .take(LONGEST_LINE)
            .read_until(b'\n', &mut line)
            .map_err(|error| DataError::reading(&name, error))?;
        if n == 0 {
            break;
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_start_matches('\u{feff}').trim();
        // Blank lines are nothing at the end, and anywhere else a label that is missing.
        if text.is_empty() && line.ends_with(b"\n") {
            blank = true;
            continue;
        }
        let cut = n as u64 == LONGEST_LINE && !line.ends_with(b"\n");
        let label = text.parse::<f64>().ok().filter(|_| !cut);
        let label = label.and_then(to_label);
        match label {
            Some(label) if !blank && labels.len() < n_samples => labels.push(label),
            Some(_) if !blank => {
                return Err(DataError::at(
                    DataErrorKind::Labels,
                    &name,
                    format_args!("more than {n_samples} labels for {n_samples} samples"),
                ));
            }
            _ => {
                let text = if blank { "" } else { text };
                return Err(bad(&name, labels.len(), format_args!("{text:?}")));
            }
        }
    }
    check_count(&name, labels.len(), n_samples)?;
    Ok(labels)
}

/// A label that is a whole number from 0 on.
fn to_label(value: f64) -> Option<u32> {
    let label = value as u32;
    (f64::from(label) == value).then_some(label)
}

fn check_count(name: &Path, n_labels: usize, n_samples: usize) -> Result<(), DataError> {
    if n_labels == n_samples {
        return Ok(());
    }
    Err(DataError::at(
        DataErrorKind::Labels,
        name,
        format_args!("{n_labels} labels for {n_samples} samples"),
    ))
}

fn bad(name: &Path, index: usize, value: impl fmt::Display) -> DataError {
    DataError::at(
        DataErrorKind::Labels,
        name,
        format_args!("label {value} of sample {index} is not a whole number from 0 on"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::InMemory;

    #[test]
    fn labels_are_whole_numbers_from_zero_on() {
        assert_eq!(to_label(3.0), Some(3));
        assert_eq!(to_label(-0.0), Some(0));
        for value in [-1.0, 0.5, f64::NAN, f64::INFINITY, 4_294_967_296.0] {
            assert_eq!(to_label(value), None, "{value}");
        }
    }

    #[test]
    fn the_first_label_out_of_range_is_named() {
        let dataset = InMemory::new(&[1], vec![0.0; 3], Some(vec![0, 9, 10])).unwrap();
        check_labels(&dataset, 11).unwrap();
        let error = check_labels(&dataset, 5).unwrap_err();
        assert_eq!(error.kind(), DataErrorKind::Labels);
        assert!(
            error.to_string().contains("sample 1 has label 9"),
            "{error}"
        );
        let unlabelled = InMemory::new(&[1], vec![0.0; 3], None).unwrap();
        check_labels(&unlabelled, 1).unwrap();
    }
}
