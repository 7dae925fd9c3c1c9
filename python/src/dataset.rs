//! Data files.

use std::path::{Path, PathBuf};

use pyo3::exceptions::PyIndexError;
use pyo3::prelude::*;
use quaver::{Layout, OpenOptions, Resize, Subset};
use quaver_report::RunRecord;
use quaver_store::{Paths, Reopened, record};
use serde_json::Value as Json;

use crate::error::{option_error, raised};
use crate::hints::Array;
use crate::model::Model;

/// A data file or folder, read sample by sample when it is needed. `quaver.open` makes one.
///
/// `len(data)` samples; `data[i]` is a pair of values, float64 in the shape of a sample, and label (None without one).
#[pyclass(frozen, module = "quaver")]
pub struct Dataset {
    inner: Box<dyn quaver::Dataset>,
    path: PathBuf,
    options: OpenOptions,
    /// Which samples, as text.
    indices: Option<String>,
    /// The first so many of them.
    limit: Option<usize>,
}

impl Dataset {
    /// The samples that a store was made from.
    pub fn reopened(found: &Reopened) -> Result<Self, quaver::Error> {
        let inner = quaver::open(&found.data, &found.open, Some(found.model.input_shape()))?;
        Ok(Self {
            inner: Subset::choose(inner, found.indices.as_deref(), found.limit)?,
            path: found.data.clone(),
            options: found.open.clone(),
            indices: found.indices.clone(),
            limit: found.limit,
        })
    }

    /// What the library sees.
    pub fn inner(&self) -> &dyn quaver::Dataset {
        &*self.inner
    }

    /// What titles call it.
    pub fn name(&self) -> String {
        let name = self.path.file_name().unwrap_or(self.path.as_os_str());
        name.to_string_lossy().into_owned()
    }

    /// What is in the file, with its path or its name.
    pub fn record(&self, with_path: bool) -> PyResult<Json> {
        described(&self.path, with_path)
    }

    /// Where the files lie.
    pub fn paths(&self) -> Paths {
        Paths {
            data: Some(self.path.clone()),
            labels: self.options.labels.clone(),
            class_map: self.options.class_map.clone(),
            ..Paths::default()
        }
    }

    /// The same of the file of labels, which may lie beside images by its name.
    pub fn labels_record(&self, with_path: bool) -> PyResult<Option<Json>> {
        let labels = self.options.labels.clone();
        let labels = match with_path {
            true => record::labels_of(&self.path, labels.as_deref()),
            false => labels,
        };
        labels.map(|path| described(&path, with_path)).transpose()
    }

    /// The same of the file of class names.
    pub fn class_map_record(&self, with_path: bool) -> PyResult<Option<Json>> {
        let class_map = self.options.class_map.as_ref();
        class_map.map(|path| described(path, with_path)).transpose()
    }

    /// Adds to a record how it was read.
    pub fn opened(&self, record: RunRecord) -> RunRecord {
        record::of_data(record, &self.options, self.indices.as_deref(), self.limit)
    }
}

/// What is in a file, with its path or its name.
pub fn described(path: &Path, with_path: bool) -> PyResult<Json> {
    match with_path {
        true => record::traced(path),
        false => quaver_store::fingerprint(path),
    }
    .map_err(raised)
}

#[pymethods]
impl Dataset {
    fn __len__(&self) -> usize {
        self.inner.len()
    }

    /// The shape of one sample, without an axis of samples.
    #[getter]
    fn shape(&self) -> Vec<usize> {
        self.inner.shape().to_vec()
    }

    /// The names of the classes in label order, or None.
    #[getter]
    fn class_names(&self) -> Option<Vec<String>> {
        self.inner.class_names().map(<[String]>::to_vec)
    }

    fn __getitem__<'py>(
        &self,
        py: Python<'py>,
        index: isize,
    ) -> PyResult<(Array<'py, f64>, Option<usize>)> {
        let n = self.inner.len();
        // From the end, as of any sequence.
        let place = match index < 0 {
            true => n.checked_sub(index.unsigned_abs()),
            false => Some(index.unsigned_abs()).filter(|&place| place < n),
        };
        let index = place.ok_or_else(|| PyIndexError::new_err(format!("sample {index} of {n}")))?;
        let sample = py.detach(|| self.inner.read(index));
        let sample = sample.map_err(|error| raised(error.into()))?;
        let values = Array::new(py, sample.values, self.inner.shape())?;
        Ok((values, sample.label))
    }

    fn __repr__(&self) -> String {
        let (n, shape) = (self.inner.len(), self.inner.shape());
        format!("<quaver.Dataset of {n} samples of shape {shape:?}>")
    }
}

/// Opens a data file or folder: .npz, .npy, idx (MNIST, gzipped or not), CIFAR binary records, Parquet, Arrow, CSV,
/// WebDataset tar, a folder of images with one sub-folder per class.
///
/// Every value a network is given is `(value * scale - mean) / std`, `mean` and `std` being one number or one per
/// channel. `model` says which shape is wanted, where the file leaves a choice. `indices` takes some of the samples.
/// `columns` and `label_column` choose from a table, `class_map` is a file of class names. `transform` is a file of
/// preprocessing (TOML, JSON, `preprocessor_config.json`); arguments override what it says.
///
/// Raises `DataError` naming the file, and `OptionError`.
#[pyfunction]
#[pyo3(signature = (path, *, model = None, format = None, labels = None, layout = None, scale = None, mean = None, std = None, resize = None, indices = None, x_key = "x", y_key = "y", columns = None, label_column = None, class_map = None, transform = None))]
#[allow(clippy::too_many_arguments, reason = "keyword arguments")]
pub fn open(
    py: Python<'_>,
    path: PathBuf,
    model: Option<&Bound<'_, Model>>,
    format: Option<String>,
    labels: Option<PathBuf>,
    layout: Option<&str>,
    scale: Option<f64>,
    mean: Option<Vec<f64>>,
    std: Option<Vec<f64>>,
    resize: Option<(usize, usize)>,
    indices: Option<Vec<usize>>,
    x_key: &str,
    y_key: &str,
    columns: Option<Vec<String>>,
    label_column: Option<String>,
    class_map: Option<PathBuf>,
    transform: Option<PathBuf>,
) -> PyResult<Dataset> {
    let mut options = OpenOptions {
        format,
        x_key: x_key.to_owned(),
        y_key: y_key.to_owned(),
        labels,
        columns: columns.unwrap_or_default(),
        label_column,
        class_map,
        ..OpenOptions::default()
    };
    if let Some(path) = transform {
        let read = options.read_transform(&path);
        read.map_err(|error| raised(error.into()))?;
    }
    options.layout = match layout {
        None => options.layout,
        Some("nchw") => Layout::Nchw,
        Some("nhwc") => Layout::Nhwc,
        Some(layout) => {
            return Err(option_error(format!(
                "layout '{layout}': give nchw or nhwc"
            )));
        }
    };
    options.scale = scale.unwrap_or(options.scale);
    options.mean = mean.unwrap_or(options.mean);
    options.std = std.unwrap_or(options.std);
    options.resize = resize.map(Resize::from).or(options.resize);
    let expected = model.map(|model| model.get().inner().input_shape().to_vec());
    let chosen = indices.as_ref().map(|indices| {
        let indices: Vec<String> = indices.iter().map(usize::to_string).collect();
        indices.join(",")
    });
    let opened = py.detach(|| -> Result<_, quaver::Error> {
        let dataset = quaver::open(&path, &options, expected.as_deref())?;
        Ok(match indices {
            None => dataset,
            Some(indices) => Box::new(Subset::new(dataset, indices)?),
        })
    });
    Ok(Dataset {
        inner: opened.map_err(raised)?,
        path,
        options,
        indices: chosen,
        limit: None,
    })
}
