//! Samples that lie one after another in a file, each as an array of numbers.

use std::path::Path;

use crate::element::{ArrayHeader, Element};
use crate::file::{Region, Stream};
use crate::fit::{fit, fits};
use crate::transform::{Channels, Transform};
use crate::{DataError, DataErrorKind, Dataset, Layout, OpenOptions, Sample, Units};

/// Where the samples lie in a file and what they are.
pub(crate) struct Records {
    pub(crate) region: Region,
    pub(crate) element: Element,
    /// The number of samples.
    pub(crate) count: usize,
    /// Bytes of each sample before its values.
    pub(crate) skip: u64,
    /// The shape of one sample as the file has it.
    pub(crate) shape: Vec<usize>,
    /// One per sample, four bytes each: the only part of the data that is held in memory.
    pub(crate) labels: Option<Vec<u32>>,
    pub(crate) class_names: Option<Vec<String>>,
}

/// A dataset over [`Records`].
struct RecordFile {
    records: Records,
    n_values: usize,
    shape: Vec<usize>,
    transform: Transform,
}

impl Records {
    /// Makes the records fit the `expected` shape.
    pub(crate) fn into_dataset(
        self,
        layout: Layout,
        options: &OpenOptions,
        expected: Option<&[usize]>,
    ) -> Result<Box<dyn Dataset>, DataError> {
        let name = self.region.name();
        if self.count == 0 {
            return Err(no_samples(name));
        }
        if options.resize.is_some() {
            return Err(DataError::at(
                DataErrorKind::Option,
                name,
                "resize is for folders of images; the shape of this file's samples is fixed",
            ));
        }
        let (data_shape, channels) = match (layout, self.shape.as_slice()) {
            (Layout::Nchw, shape) => (shape.to_vec(), Channels::First),
            (Layout::Nhwc, &[h, w, c]) => {
                // A network may want the channels last as well.
                let as_is = expected
                    .is_some_and(|expected| expected == self.shape && !fits(&[c, h, w], expected));
                match as_is {
                    true => (self.shape.clone(), Channels::Last),
                    false => (vec![c, h, w], Channels::LastToFirst([h, w, c])),
                }
            }
            (Layout::Nhwc, shape) => {
                return Err(DataError::at(
                    DataErrorKind::Option,
                    name,
                    format_args!(
                        "layout nhwc needs samples of three axes, and these have shape {shape:?}"
                    ),
                ));
            }
        };
        let shape = fit(name, &data_shape, expected, |expected| {
            self.hint(layout, expected)
        })?;
        let n_values = shape.iter().product();
        let n_channels = [&data_shape, &shape].map(|shape| match channels {
            Channels::Last => shape.last().copied().unwrap_or(1),
            Channels::First | Channels::LastToFirst(_) => shape.first().copied().unwrap_or(1),
        });
        let transform = Transform::new(options, channels, n_channels)?;
        Ok(Box::new(RecordFile {
            records: self,
            n_values,
            shape,
            transform,
        }))
    }

    /// How samples of a shape that does not fit could be made to fit.
    fn hint(&self, layout: Layout, expected: &[usize]) -> Option<String> {
        if let &[h, w, c] = self.shape.as_slice() {
            if layout == Layout::Nchw && fits(&[c, h, w], expected) {
                return Some("they would with --layout nhwc".to_owned());
            }
            if layout == Layout::Nhwc && fits(&self.shape, expected) {
                return Some("they would without --layout nhwc".to_owned());
            }
        }
        let mut whole = vec![self.count];
        whole.extend(&self.shape);
        (whole == expected).then(|| {
            "the whole array would; give it a first axis that counts the samples".to_owned()
        })
    }
}

/// The samples, still without labels, of an array whose header was read from `stream`. Its first axis counts them.
pub(crate) fn array(stream: Stream<'_>, header: &ArrayHeader) -> Result<Records, DataError> {
    let refuse = |message: String| Err(DataError::at(DataErrorKind::Shape, stream.name(), message));
    let (count, shape) = match header.shape.as_slice() {
        [] => return refuse("holds a single number, not samples".to_owned()),
        [0, ..] => return Err(no_samples(stream.name())),
        [_] => {
            return refuse(format!(
                "has shape {:?}: the first axis counts the samples, and none is left for their values",
                header.shape
            ));
        }
        // Without values the length of the file would not bound the number of samples.
        [_, shape @ ..] if shape.contains(&0) => {
            return refuse(format!("samples of shape {shape:?} hold no values"));
        }
        [count, shape @ ..] => (*count, shape.to_vec()),
    };
    let Some(n_bytes) = header.n_bytes() else {
        return Err(DataError::at(
            DataErrorKind::Format,
            stream.name(),
            format_args!("declares shape {:?}, which no file can hold", header.shape),
        ));
    };
    Ok(Records {
        region: stream.into_region(n_bytes)?,
        element: header.element,
        count,
        skip: 0,
        shape,
        labels: None,
        class_names: None,
    })
}

/// The error of every format for data without samples.
pub(crate) fn no_samples(name: &Path) -> DataError {
    DataError::at(DataErrorKind::Format, name, "no samples")
}

impl RecordFile {
    fn check_index(&self, index: usize) -> Result<(), DataError> {
        if index >= self.records.count {
            return Err(DataError::out_of_range(index, self.records.count));
        }
        Ok(())
    }
}

impl Dataset for RecordFile {
    fn len(&self) -> usize {
        self.records.count
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn read(&self, index: usize) -> Result<Sample, DataError> {
        let label = self.label(index)?;
        let records = &self.records;
        let mut bytes = vec![0; self.n_values * records.element.size()];
        let stride = records.skip + bytes.len() as u64;
        records
            .region
            .read(index as u64 * stride + records.skip, &mut bytes)?;
        let values = records.element.decode(&bytes);
        let values = self.transform.apply(values).map_err(|problem| {
            DataError::at(
                DataErrorKind::NotFinite,
                records.region.name(),
                format_args!("sample {index} {problem}"),
            )
        })?;
        Ok(Sample {
            values,
            label,
            key: None,
        })
    }

    fn label(&self, index: usize) -> Result<Option<usize>, DataError> {
        self.check_index(index)?;
        let labels = self.records.labels.as_ref();
        Ok(labels.map(|labels| labels[index] as usize))
    }

    fn units(&self) -> Units {
        self.transform.units(self.records.element.range())
    }

    fn class_names(&self) -> Option<&[String]> {
        self.records.class_names.as_deref()
    }
}
