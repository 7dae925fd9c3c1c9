//! Samples and labels from Python: arrays as they lie in memory, or data files.

use std::borrow::Cow;

use numpy::{PyArrayDyn, PyArrayMethods, PyReadonlyArrayDyn, PyUntypedArrayMethods};
use pyo3::inspect::PyStaticExpr;
use pyo3::prelude::*;
use pyo3::{Borrowed, PyTypeInfo, type_hint_union};
use quaver::{DataError, Sample};

use crate::dataset::Dataset;
use crate::error::data_error;
use crate::hints::ARRAY_LIKE;

/// The samples that a method is called with.
pub enum Samples<'py> {
    Single(PyReadonlyArrayDyn<'py, f32>),
    Double(PyReadonlyArrayDyn<'py, f64>),
    Bytes(PyReadonlyArrayDyn<'py, u8>),
    Files(Bound<'py, Dataset>),
}

impl<'a, 'py> FromPyObject<'a, 'py> for Samples<'py> {
    type Error = PyErr;

    const INPUT_TYPE: PyStaticExpr = type_hint_union!(ARRAY_LIKE, Dataset::TYPE_HINT);

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        if let Ok(files) = object.cast::<Dataset>() {
            return Ok(Self::Files(files.to_owned()));
        }
        // What is an array of real numbers, contiguous and aligned, is taken as it lies; the rest is copied.
        let numpy = object.py().import("numpy")?;
        let array = numpy.call_method1("require", (object, object.py().None(), ["C", "A"]))?;
        Self::of(&array).or_else(|_| {
            let kind: String = array.getattr("dtype")?.getattr("kind")?.extract()?;
            if !["b", "i", "u", "f"].contains(&kind.as_str()) {
                let dtype = array.getattr("dtype")?;
                return Err(data_error(format!(
                    "samples of dtype {dtype}; give real numbers"
                )));
            }
            Self::of(&array.call_method1("astype", ("float64",))?)
        })
    }
}

impl<'py> Samples<'py> {
    fn of(array: &Bound<'py, PyAny>) -> PyResult<Self> {
        if let Ok(array) = array.cast::<PyArrayDyn<f32>>() {
            return Ok(Self::Single(array.try_readonly()?));
        }
        if let Ok(array) = array.cast::<PyArrayDyn<u8>>() {
            return Ok(Self::Bytes(array.try_readonly()?));
        }
        Ok(Self::Double(
            array.cast::<PyArrayDyn<f64>>()?.try_readonly()?,
        ))
    }

    /// The samples as a dataset for a network whose samples have shape `expected`, with `labels` if there are any.
    pub fn view(&self, labels: Option<Labels>, expected: &[usize]) -> PyResult<View<'_>> {
        let (shape, values) = match self {
            Self::Single(array) => (array.shape(), Values::Single(array.as_slice()?)),
            Self::Double(array) => (array.shape(), Values::Double(array.as_slice()?)),
            Self::Bytes(array) => (array.shape(), Values::Bytes(array.as_slice()?)),
            Self::Files(files) => {
                let files = files.get().inner();
                let view = View {
                    n_samples: files.len(),
                    shape: Cow::Borrowed(files.shape()),
                    values: Values::Files(files),
                    labels: None,
                };
                return view.labelled(labels);
            }
        };
        let Some((&n_samples, shape)) = shape.split_first() else {
            return Err(data_error("one number is no array of samples"));
        };
        if shape.iter().product::<usize>() != expected.iter().product::<usize>() {
            let hint = match [&[n_samples], shape].concat() == expected {
                true => "; one sample needs an axis of samples before it: x[None]",
                false => "",
            };
            return Err(data_error(format!(
                "samples have shape {shape:?}, the network takes {expected:?}{hint}"
            )));
        }
        let view = View {
            n_samples,
            shape: Cow::Borrowed(shape),
            values,
            labels: None,
        };
        view.labelled(labels)
    }
}

/// Labels from Python: whole numbers from 0, one a sample.
pub struct Labels(Vec<usize>);

impl<'a, 'py> FromPyObject<'a, 'py> for Labels {
    type Error = PyErr;

    const INPUT_TYPE: PyStaticExpr = ARRAY_LIKE;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        let numpy = object.py().import("numpy")?;
        let array = numpy.call_method1("asarray", (object,))?;
        let dtype = array.getattr("dtype")?;
        let kind: String = dtype.getattr("kind")?.extract()?;
        if !["b", "i", "u"].contains(&kind.as_str()) {
            return Err(data_error(format!(
                "labels of dtype {dtype}; give whole numbers, classes numbered from 0"
            )));
        }
        let array = array.call_method1("astype", ("int64",))?;
        let array = array.cast::<PyArrayDyn<i64>>()?.try_readonly()?;
        if array.ndim() != 1 {
            return Err(data_error(format!(
                "labels have shape {:?}; give one a sample",
                array.shape()
            )));
        }
        let labels = array.as_array();
        let label = |(index, &label): (usize, &i64)| {
            usize::try_from(label).map_err(|_| {
                data_error(format!(
                    "sample {index}: label {label}; classes are numbered from 0"
                ))
            })
        };
        Ok(Self(
            labels
                .iter()
                .enumerate()
                .map(label)
                .collect::<PyResult<_>>()?,
        ))
    }
}

/// Samples that nobody copied.
pub struct View<'a> {
    n_samples: usize,
    shape: Cow<'a, [usize]>,
    values: Values<'a>,
    labels: Option<Vec<usize>>,
}

#[derive(Clone, Copy)]
enum Values<'a> {
    Single(&'a [f32]),
    Double(&'a [f64]),
    Bytes(&'a [u8]),
    Files(&'a dyn quaver::Dataset),
}

impl View<'_> {
    fn labelled(mut self, labels: Option<Labels>) -> PyResult<Self> {
        if let Some(Labels(labels)) = labels {
            if labels.len() != self.n_samples {
                return Err(data_error(format!(
                    "{} labels for {} samples",
                    labels.len(),
                    self.n_samples
                )));
            }
            self.labels = Some(labels);
        }
        Ok(self)
    }

    fn file(&self) -> Option<&dyn quaver::Dataset> {
        match self.values {
            Values::Files(files) => Some(files),
            _ => None,
        }
    }
}

impl quaver::Dataset for View<'_> {
    fn len(&self) -> usize {
        self.n_samples
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn read(&self, index: usize) -> Result<Sample, DataError> {
        let n: usize = self.shape.iter().product();
        let at = index * n..(index + 1) * n;
        let values = match self.values {
            Values::Single(values) => values[at].iter().map(|&x| x.into()).collect(),
            Values::Double(values) => values[at].to_vec(),
            Values::Bytes(values) => values[at].iter().map(|&x| x.into()).collect(),
            Values::Files(files) => {
                let mut sample = files.read(index)?;
                if let Some(labels) = &self.labels {
                    sample.label = Some(labels[index]);
                }
                return Ok(sample);
            }
        };
        Ok(Sample {
            values,
            label: self.labels.as_ref().map(|labels| labels[index]),
            key: None,
        })
    }

    fn label(&self, index: usize) -> Result<Option<usize>, DataError> {
        match (&self.labels, self.values) {
            (Some(labels), _) => Ok(labels.get(index).copied()),
            (None, Values::Files(files)) => files.label(index),
            (None, _) => Ok(None),
        }
    }

    fn has_keys(&self) -> bool {
        self.file().is_some_and(quaver::Dataset::has_keys)
    }

    fn original_index(&self, index: usize) -> usize {
        self.file()
            .map_or(index, |files| files.original_index(index))
    }

    fn class_names(&self) -> Option<&[String]> {
        self.file().and_then(quaver::Dataset::class_names)
    }
}
