//! The narrow waist: what every source of samples looks like to the rest of Quaver.

use crate::{DataError, DataErrorKind, Units, fit};

/// One sample, decoded and preprocessed: what a network is given.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The values in row-major order, of the dataset's [`Dataset::shape`].
    pub values: Vec<f64>,
    /// The true class, when the source knows it.
    pub label: Option<usize>,
    /// Where the sample comes from, when there is more to say than its index: [`Dataset::key`].
    pub key: Option<String>,
}

/// A finite sequence of samples of one shape that can be read in any order, from several threads at once.
///
/// Implementations read a sample when it is asked for; none may hold the whole dataset decoded in memory,
/// [`InMemory`] apart, whose caller already does.
pub trait Dataset: Send + Sync {
    /// The number of samples.
    fn len(&self) -> usize;

    /// Whether there is no sample at all.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The shape of one sample, without a batch axis: `[C, H, W]` for images.
    fn shape(&self) -> &[usize];

    /// Reads sample `index`.
    ///
    /// # Errors
    /// Names the file and the sample when it cannot be read, is truncated, or holds NaN or infinity.
    /// [`DataError::is_of_sample`] tells whether others can still be read.
    fn read(&self, index: usize) -> Result<Sample, DataError>;

    /// The label of sample `index`, without reading its values where the source can do that.
    ///
    /// # Errors
    /// As [`Dataset::read`].
    fn label(&self, index: usize) -> Result<Option<usize>, DataError> {
        Ok(self.read(index)?.label)
    }

    /// Whether samples have a [`Sample::key`].
    fn has_keys(&self) -> bool {
        false
    }

    /// Where sample `index` comes from, whether or not it can be read: a file's name inside an image folder, the key
    /// of a member of an archive, the row group and row of a table.
    fn key(&self, _index: usize) -> Option<String> {
        None
    }

    /// The index of sample `index` in the source, where this dataset is a part of it.
    fn original_index(&self, index: usize) -> usize {
        index
    }

    /// How the samples' values relate to the numbers in the data, and what range those have. By default they are the
    /// same, of unknown range.
    fn units(&self) -> Units {
        Units::default()
    }

    /// Class names in label order, when the source has them (the sub-folders of an image folder).
    fn class_names(&self) -> Option<&[String]> {
        None
    }
}

/// A dataset the caller already has in memory.
#[derive(Debug, Clone)]
pub struct InMemory {
    shape: Vec<usize>,
    values: Vec<f64>,
    labels: Option<Vec<usize>>,
}

impl InMemory {
    /// Wraps `values`, samples one after another, each of shape `shape`; `labels`, if given, one per sample.
    ///
    /// # Errors
    /// When the number of values is not a multiple of the shape's, or there is not one label per sample.
    pub fn new(
        shape: &[usize],
        values: Vec<f64>,
        labels: Option<Vec<usize>>,
    ) -> Result<Self, DataError> {
        let per_sample = fit::n_values(shape).unwrap_or(0);
        if per_sample == 0 || !values.len().is_multiple_of(per_sample) {
            return Err(DataError::new(
                DataErrorKind::Shape,
                format!(
                    "{} values do not divide into samples of shape {shape:?}",
                    values.len()
                ),
            ));
        }
        let n_samples = values.len() / per_sample;
        if let Some(labels) = &labels
            && labels.len() != n_samples
        {
            return Err(DataError::new(
                DataErrorKind::Labels,
                format!("{} labels for {n_samples} samples", labels.len()),
            ));
        }
        Ok(Self {
            shape: shape.to_vec(),
            values,
            labels,
        })
    }
}

impl Dataset for InMemory {
    fn len(&self) -> usize {
        self.values.len() / self.shape.iter().product::<usize>()
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn read(&self, index: usize) -> Result<Sample, DataError> {
        let label = self.label(index)?;
        let per_sample: usize = self.shape.iter().product();
        let values = &self.values[index * per_sample..(index + 1) * per_sample];
        Ok(Sample {
            values: values.to_vec(),
            label,
            key: None,
        })
    }

    fn label(&self, index: usize) -> Result<Option<usize>, DataError> {
        if index >= self.len() {
            return Err(DataError::out_of_range(index, self.len()));
        }
        Ok(self.labels.as_ref().map(|labels| labels[index]))
    }
}
