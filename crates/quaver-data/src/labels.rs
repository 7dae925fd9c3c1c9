//! Labels from files of their own, and whether they fit a network.

use std::collections::HashMap;
use std::fmt;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use crate::class_map::ClassMap;
use crate::element::ArrayHeader;
use crate::file::Stream;
use crate::formats::{idx, npy};
use crate::{DataError, DataErrorKind, Dataset, OpenOptions, Sample, Units};

/// A longer line of a text file is no label.
const LONGEST_LINE: u64 = 1 << 12;

/// A longer text is no number.
const LONGEST_NUMBER: usize = 64;

/// Checks that the label of every sample that has one is a class of a network with `n_classes` outputs.
///
/// # Errors
/// Names the first sample whose label is out of range; or the source can no longer be read. Samples that have no
/// readable label are passed over.
pub fn check_labels(dataset: &dyn Dataset, n_classes: usize) -> Result<(), DataError> {
    for index in 0..dataset.len() {
        let label = match dataset.label(index) {
            Ok(label) => label,
            // It will be said when the sample is read.
            Err(error) if error.is_of_sample() => continue,
            Err(error) => return Err(error),
        };
        if let Some(label) = label
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

/// A dataset whose labels or class names come from elsewhere.
struct Labelled {
    dataset: Box<dyn Dataset>,
    labels: Option<Vec<u32>>,
    class_names: Option<Vec<String>>,
}

/// The dataset with the labels and class names that the options give it.
pub(crate) fn apply(
    dataset: Box<dyn Dataset>,
    options: &OpenOptions,
) -> Result<Box<dyn Dataset>, DataError> {
    let classes = ClassMap::of(options)?;
    let labels = match &options.labels {
        Some(path) => Some(read_file(path, &*dataset, classes.as_ref())?),
        None => None,
    };
    if labels.is_none() && classes.is_none() {
        return Ok(dataset);
    }
    Ok(Box::new(Labelled {
        dataset,
        labels,
        class_names: classes.map(|classes| classes.names().to_vec()),
    }))
}

impl Dataset for Labelled {
    fn len(&self) -> usize {
        self.dataset.len()
    }

    fn shape(&self) -> &[usize] {
        self.dataset.shape()
    }

    fn read(&self, index: usize) -> Result<Sample, DataError> {
        let mut sample = self.dataset.read(index)?;
        sample.label = self.label(index)?;
        Ok(sample)
    }

    fn label(&self, index: usize) -> Result<Option<usize>, DataError> {
        let Some(labels) = &self.labels else {
            return self.dataset.label(index);
        };
        match labels.get(index) {
            Some(&label) => Ok(Some(label as usize)),
            None => Err(DataError::out_of_range(index, self.len())),
        }
    }

    fn has_keys(&self) -> bool {
        self.dataset.has_keys()
    }

    fn key(&self, index: usize) -> Option<String> {
        self.dataset.key(index)
    }

    fn original_index(&self, index: usize) -> usize {
        self.dataset.original_index(index)
    }

    fn units(&self) -> Units {
        self.dataset.units()
    }

    fn class_names(&self) -> Option<&[String]> {
        self.class_names.as_deref().or(self.dataset.class_names())
    }
}

/// The labels in the file at `path`, one for each sample of `dataset`.
///
/// The format is told by the first bytes: `.npy`, idx, or else text; each may be gzipped.
fn read_file(
    path: &Path,
    dataset: &dyn Dataset,
    classes: Option<&ClassMap>,
) -> Result<Vec<u32>, DataError> {
    let magic = Stream::open(path)?.magic()?;
    let mut stream = Stream::open(path)?;
    if npy::is_npy(&magic) {
        let header = npy::read_header(&mut stream)?;
        read_array(stream, &header, dataset.len())
    } else if idx::is_idx(&magic) {
        let header = idx::read_header(&mut stream)?;
        read_array(stream, &header, dataset.len())
    } else {
        read_text(stream, dataset, classes)
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

/// One label per line, a name where `classes` knows it; or a sample's key and its label on every line.
///
/// `numpy.savetxt` writes labels as `7.000e+00`, so whole numbers with a point pass.
fn read_text(
    stream: Stream<'_>,
    dataset: &dyn Dataset,
    classes: Option<&ClassMap>,
) -> Result<Vec<u32>, DataError> {
    let name = stream.name().to_path_buf();
    let n_samples = dataset.len();
    let mut reader = BufReader::new(stream);
    let mut labels = Vec::new();
    let mut keyed = Keyed::of(dataset);
    let mut line = Vec::new();
    let mut blank = false;
    for number in 1_usize.. {
        line.clear();
        let n = reader
            .by_ref()
            .take(LONGEST_LINE)
            .read_until(b'\n', &mut line)
            .map_err(|error| DataError::reading(&name, error))?;
        if n == 0 {
            break;
        }
        if line
            .iter()
            .any(|&byte| byte.is_ascii_control() && !byte.is_ascii_whitespace())
        {
            return Err(DataError::at(
                DataErrorKind::Labels,
                &name,
                "holds neither an array (.npy, idx) nor text with a label on every line; an array of an .npz file is given by \
                 its name, where the samples are in the same file",
            ));
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_start_matches('\u{feff}').trim();
        // Blank lines are nothing at the end, and anywhere else a label that is missing.
        if text.is_empty() && line.ends_with(b"\n") {
            blank = true;
            continue;
        }
        if let Some(keyed) = &mut keyed
            && labels.is_empty()
            && keyed.take(text, classes).map_err(|message| {
                DataError::at(
                    DataErrorKind::Labels,
                    &name,
                    format_args!("line {number}: {message}"),
                )
            })?
        {
            continue;
        }
        // A table has a line of headings, and then keys.
        if number == 1 && keyed.is_some() && text.contains([',', '\t']) {
            continue;
        }
        let cut = n as u64 == LONGEST_LINE && !line.ends_with(b"\n");
        let label = class_of(text, classes).filter(|_| !cut);
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
    match keyed.filter(|keyed| keyed.n_found > 0) {
        Some(keyed) => keyed.finish(&name, dataset),
        None => {
            check_count(&name, labels.len(), n_samples)?;
            Ok(labels)
        }
    }
}

/// Labels by the keys of the samples, in lines of any order.
struct Keyed {
    /// Of keys, of files' names alone, and of these without their extension. `None` where two samples share one.
    indices: HashMap<String, Option<usize>>,
    labels: Vec<Option<u32>>,
    n_found: usize,
}

impl Keyed {
    fn of(dataset: &dyn Dataset) -> Option<Self> {
        if !dataset.has_keys() {
            return None;
        }
        let mut indices = HashMap::new();
        for index in 0..dataset.len() {
            let key = dataset.key(index)?;
            let path = Path::new(&key);
            let parts = [path.file_name(), path.file_stem()];
            let mut names: Vec<String> = parts
                .iter()
                .flatten()
                .map(|part| part.to_string_lossy().into_owned())
                .collect();
            names.push(key);
            names.sort();
            names.dedup();
            for name in names {
                let entry = indices.entry(name).or_insert(Some(index));
                if *entry != Some(index) {
                    *entry = None;
                }
            }
        }
        Some(Self {
            indices,
            labels: vec![None; dataset.len()],
            n_found: 0,
        })
    }

    /// Whether the line is about the sample whose key it begins with, or about one that is not of this dataset.
    fn take(&mut self, line: &str, classes: Option<&ClassMap>) -> Result<bool, String> {
        let Some((key, text)) = line.split_once([',', '\t', ' ']) else {
            return Ok(false);
        };
        let (key, text) = (key.trim(), text.trim());
        let Some(index) = self.indices.get(key) else {
            // Of the whole dataset, of which this may be a part.
            return Ok(self.n_found > 0);
        };
        let index = index.ok_or_else(|| format!("several samples are called {key:?}"))?;
        let first = text.split([',', '\t', ' ']).next().unwrap_or_default();
        let label = class_of(text, classes)
            .or_else(|| class_of(first, classes))
            .ok_or_else(|| {
                format!("label {text:?} of {key:?} is no whole number from 0 on, and no class that is known")
            })?;
        if self.labels[index].is_some_and(|other| other != label) {
            return Err(format!("{key:?} has two labels"));
        }
        self.labels[index] = Some(label);
        self.n_found += 1;
        Ok(true)
    }

    fn finish(self, name: &Path, dataset: &dyn Dataset) -> Result<Vec<u32>, DataError> {
        let label = |(index, label): (usize, Option<u32>)| {
            label.ok_or_else(|| {
                let key = dataset.key(index).unwrap_or_default();
                DataError::at(
                    DataErrorKind::Labels,
                    name,
                    format_args!("has no label for {key:?}"),
                )
            })
        };
        self.labels.into_iter().enumerate().map(label).collect()
    }
}

/// The label that a text stands for: a whole number, or the name of a class.
pub(crate) fn class_of(text: &str, classes: Option<&ClassMap>) -> Option<u32> {
    let number = Some(text).filter(|text| text.len() < LONGEST_NUMBER);
    number
        .and_then(|text| text.parse().ok())
        .and_then(to_label)
        .or_else(|| classes?.label(text))
}

/// A label that is a whole number from 0 on.
pub(crate) fn to_label(value: f64) -> Option<u32> {
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
