//! Results of one size per sample, written one after another into one array.

use numpy::Element;
use pyo3::exceptions::PyMemoryError;
use pyo3::prelude::*;

use crate::hints::{Array, Named};

/// An array (N, shape…) that is filled sample by sample.
pub struct Rows<T> {
    values: Vec<T>,
    shape: Vec<usize>,
}

impl<T: Named + Element> Rows<T> {
    /// Room for `n_samples` results of shape `shape`. Where there is none it is Python's own error, as NumPy has it: that
    /// an allocation fails would end the interpreter.
    pub fn new(n_samples: usize, shape: &[usize]) -> PyResult<Self> {
        let n: usize = shape.iter().product();
        let shape = [&[n_samples], shape].concat();
        let mut values = Vec::new();
        match values.try_reserve_exact(n_samples.saturating_mul(n)) {
            Ok(()) => Ok(Self { values, shape }),
            Err(_) => Err(PyMemoryError::new_err(format!(
                "a result of shape {shape:?} does not fit into memory: give fewer samples at a time"
            ))),
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
