//! Data files.

use std::path::{Path, PathBuf};

use pyo3::exceptions::PyIndexError;
use pyo3::prelude::*;
use quaver::{InputFile, Layout, OpenOptions, Resize, Subset};
use quaver_report::RunRecord;
use quaver_store::{Known, Paths, ReopenedData, Which, record};
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
    /// The file of each input, where a store was made from several.
    inputs: Vec<InputFile>,
    options: OpenOptions,
    /// Which samples, as text.
    which: Which,
    /// What is known to be in files already.
    known: Known,
}

impl Dataset {
    /// The samples that a store was made from, for the network that it was made by.
    pub fn reopened(found: ReopenedData, model: &quaver::Model) -> Result<Self, quaver::Error> {
        Ok(Self {
            inner: found.dataset(model)?,
            path: found.path,
            inputs: found.inputs,
            options: found.open,
            which: found.which,
            known: found.known,
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
        described(&self.known, &self.path, with_path)
    }

    /// The same of the file of each input, where they were given one by one.
    pub fn inputs_record(&self, with_path: bool) -> PyResult<Vec<Json>> {
        record::inputs(&self.inputs, |path| described(&self.known, path, with_path))
    }

    /// Where the files lie.
    pub fn paths(&self) -> Paths {
        Paths {
            data: self.inputs.is_empty().then(|| self.path.clone()),
            inputs: self.inputs.iter().map(|input| input.path.clone()).collect(),
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
        let labels = labels.map(|path| described(&self.known, &path, with_path));
        labels.transpose()
    }

    /// The same of the file of class names.
    pub fn class_map_record(&self, with_path: bool) -> PyResult<Option<Json>> {
        let class_map = self.options.class_map.as_ref();
        let class_map = class_map.map(|path| described(&self.known, path, with_path));
        class_map.transpose()
    }

    /// The same of a list of indices, where they are in a file.
    pub fn indices_record(&self, with_path: bool) -> PyResult<Option<Json>> {
        let list = record::file_of_indices(self.which.indices.as_deref());
        let list = list.map(|path| described(&self.known, path, with_path));
        list.transpose()
    }

    /// Adds to a record how it was read.
    pub fn opened(&self, record: RunRecord) -> RunRecord {
        let Which { indices, limit } = &self.which;
        record::of_data(record, &self.options, indices.as_deref(), *limit)
    }
}

/// What is in a file, with its path or its name.
pub fn described(known: &Known, path: &Path, with_path: bool) -> PyResult<Json> {
    match with_path {
        true => known.traced(path),
        false => known.fingerprint(path),
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
        inputs: Vec::new(),
        options,
        which: Which {
            indices: chosen,
            limit: None,
        },
        known: Known::default(),
    })
}
