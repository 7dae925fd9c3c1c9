//! Results of one size per sample, written one after another into one array.

use numpy::Element;
use pyo3::prelude::*;

use crate::hints::{Array, Named};

/// An array (N, shape…) that is filled sample by sample.
pub struct Rows<T> {
    values: Vec<T>,
    shape: Vec<usize>,
}

impl<T: Named + Element> Rows<T> {
    /// Room for `n_samples` results of shape `shape`.
    pub fn new(n_samples: usize, shape: &[usize]) -> Self {
        let n: usize = shape.iter().product();
        Self {
            values: Vec::with_capacity(n_samples.saturating_mul(n)),
            shape: [&[n_samples], shape].concat(),
        }
    }

    /// Appends one sample's numbers.
    pub fn push(&mut self, numbers: &[T])
    where
        T: Copy,
    {
        self.values.extend_from_slice(numbers);
    }

    /// The array; the numbers are not copied.
    pub fn finish(self, py: Python<'_>) -> PyResult<Array<'_, T>> {
        Array::new(py, self.values, &self.shape)
    }
}
