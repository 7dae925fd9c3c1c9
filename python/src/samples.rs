//! Samples and labels from Python: arrays as they lie in memory, or data files.

use numpy::{PyArrayDyn, PyArrayMethods, PyReadonlyArrayDyn, PyUntypedArrayMethods};
use pyo3::inspect::PyStaticExpr;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use pyo3::{Borrowed, PyTypeInfo, type_hint_identifier, type_hint_subscript, type_hint_union};
use quaver::{DataError, Port, Sample, Units};
use quaver_report::RunRecord;
use quaver_store::{Paths, fingerprint_of_bytes};
use serde_json::Value as Json;

use crate::dataset::Dataset;
use crate::error::{data_error, raised};
use crate::hints::ARRAY_LIKE;

/// The samples that a method is called with.
pub struct Samples<'py> {
    /// As they were given, for a result to keep.
    object: Bound<'py, PyAny>,
    kind: Kind<'py>,
}

enum Kind<'py> {
    /// One array, or one for every input.
    Arrays(Vec<Input<'py>>),
    /// Data files.
    Files(Bound<'py, Dataset>),
}

/// The samples' values of one input, by the input's name where several have one.
pub struct Input<'py> {
    name: Option<String>,
    array: Numbers<'py>,
}

enum Numbers<'py> {
    Single(PyReadonlyArrayDyn<'py, f32>),
    Double(PyReadonlyArrayDyn<'py, f64>),
    Bytes(PyReadonlyArrayDyn<'py, u8>),
}

impl<'a, 'py> FromPyObject<'a, 'py> for Samples<'py> {
    type Error = PyErr;

    const INPUT_TYPE: PyStaticExpr = type_hint_union!(
        ARRAY_LIKE,
        type_hint_subscript!(
            type_hint_identifier!("collections.abc", "Mapping"),
            type_hint_identifier!("builtins", "str"),
            ARRAY_LIKE
        ),
        Dataset::TYPE_HINT
    );

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        let kind = match (object.cast::<Dataset>(), object.cast::<PyDict>()) {
            (Ok(files), _) => Kind::Files(files.to_owned()),
            (_, Ok(named)) => {
                let input = |(name, array): (Bound<'py, PyAny>, Bound<'py, PyAny>)| {
                    Ok(Input {
                        name: Some(name.extract()?),
                        array: Numbers::of(&array)?,
                    })
                };
                Kind::Arrays(named.iter().map(input).collect::<PyResult<_>>()?)
            }
            _ => Kind::Arrays(vec![Input {
                name: None,
                array: Numbers::of(&object)?,
            }]),
        };
        Ok(Self {
            object: object.to_owned(),
            kind,
        })
    }
}

impl<'py> Numbers<'py> {
    /// What is an array of real numbers, contiguous and aligned, is taken as it lies; the rest is copied.
    fn of(object: &Bound<'py, PyAny>) -> PyResult<Self> {
        let py = object.py();
        let array = py
            .import("numpy")?
            .call_method1("require", (object, py.None(), ["C", "A"]))?;
        Self::as_it_is(&array).or_else(|_| {
            let dtype = array.getattr("dtype")?;
            let kind: String = dtype.getattr("kind")?.extract()?;
            if !["b", "i", "u", "f"].contains(&kind.as_str()) {
                return Err(data_error(format!(
                    "samples of dtype {dtype}; give real numbers"
                )));
            }
            Self::as_it_is(&array.call_method1("astype", ("float64",))?)
        })
    }

    fn as_it_is(array: &Bound<'py, PyAny>) -> PyResult<Self> {
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

    fn shape(&self) -> &[usize] {
        match self {
            Self::Single(array) => array.shape(),
            Self::Double(array) => array.shape(),
            Self::Bytes(array) => array.shape(),
        }
    }

    fn values(&self) -> PyResult<Values<'_>> {
        Ok(match self {
            Self::Single(array) => Values::Single(array.as_slice()?),
            Self::Double(array) => Values::Double(array.as_slice()?),
            Self::Bytes(array) => Values::Bytes(array.as_slice()?),
        })
    }
}

impl<'py> Samples<'py> {
    /// The samples as a dataset for a network with these inputs, with `labels` if there are any.
    pub fn view(&self, labels: Option<Labels>, wanted: &[Port]) -> PyResult<View<'_>> {
        let view = match &self.kind {
            Kind::Files(files) => of_files(files),
            Kind::Arrays(inputs) => arrays(inputs, wanted)?,
        };
        view.labelled(labels)
    }

    /// The samples in their own shape, whatever a network would want.
    pub fn as_it_is(&self, labels: Option<Labels>) -> PyResult<View<'_>> {
        let view = match &self.kind {
            Kind::Files(files) => of_files(files),
            Kind::Arrays(inputs) => {
                let [input] = inputs.as_slice() else {
                    return Err(data_error("give one array of samples"));
                };
                let Some((_, shape)) = input.array.shape().split_first() else {
                    return Err(data_error("one number is no array of samples"));
                };
                let port = Port {
                    name: "x".to_owned(),
                    shape: shape.to_vec(),
                };
                arrays(inputs, &[port])?
            }
        };
        view.labelled(labels)
    }

    /// The same once more.
    pub fn again(&self) -> PyResult<Self> {
        self.object.extract()
    }

    /// The object that was given.
    pub fn into_object(self) -> Py<PyAny> {
        self.object.unbind()
    }

    /// What titles call them.
    pub fn name(&self) -> String {
        match &self.kind {
            Kind::Files(files) => files.get().name(),
            Kind::Arrays(_) => "the data".to_owned(),
        }
    }

    /// What they are, by which a result can be traced to them; `view` is of these samples.
    pub fn record(&self, view: &View<'_>, with_path: bool) -> PyResult<Json> {
        match &self.kind {
            Kind::Files(files) => files.get().record(with_path),
            Kind::Arrays(_) => Ok(view.fingerprint()),
        }
    }

    /// The file of their labels, where there is one.
    pub fn labels_record(&self, with_path: bool) -> PyResult<Option<Json>> {
        match &self.kind {
            Kind::Files(files) => files.get().labels_record(with_path),
            Kind::Arrays(_) => Ok(None),
        }
    }

    /// The file of class names, where there is one.
    pub fn class_map_record(&self, with_path: bool) -> PyResult<Option<Json>> {
        match &self.kind {
            Kind::Files(files) => files.get().class_map_record(with_path),
            Kind::Arrays(_) => Ok(None),
        }
    }

    /// The file of each input, where a store was made from several.
    pub fn inputs_record(&self, with_path: bool) -> PyResult<Vec<Json>> {
        match &self.kind {
            Kind::Files(files) => files.get().inputs_record(with_path),
            Kind::Arrays(_) => Ok(Vec::new()),
        }
    }

    /// The file of a list of indices, where there is one.
    pub fn indices_record(&self, with_path: bool) -> PyResult<Option<Json>> {
        match &self.kind {
            Kind::Files(files) => files.get().indices_record(with_path),
            Kind::Arrays(_) => Ok(None),
        }
    }

    /// Where their files lie, if they are in files.
    pub fn paths(&self) -> Paths {
        match &self.kind {
            Kind::Files(files) => files.get().paths(),
            Kind::Arrays(_) => Paths::default(),
        }
    }

    /// Adds to a record how files were read.
    pub fn opened(&self, record: RunRecord) -> RunRecord {
        match &self.kind {
            Kind::Files(files) => files.get().opened(record),
            Kind::Arrays(_) => record,
        }
    }
}

fn of_files<'a>(files: &'a Bound<'_, Dataset>) -> View<'a> {
    View {
        n_samples: files.get().inner().len(),
        shape: files.get().inner().shape().to_vec(),
        source: Origin::Files(files.get().inner()),
        labels: None,
        chosen: None,
    }
}

/// Arrays in the order of the network's inputs.
fn arrays<'a>(inputs: &'a [Input<'_>], wanted: &[Port]) -> PyResult<View<'a>> {
    let names = || {
        let names: Vec<&str> = wanted.iter().map(|port| port.name.as_str()).collect();
        names.join(", ")
    };
    if inputs.len() != wanted.len() {
        return Err(data_error(format!(
            "{} arrays for a network of {} inputs; give a dict with an array for each of: {}",
            inputs.len(),
            wanted.len(),
            names()
        )));
    }
    let mut parts = Vec::with_capacity(inputs.len());
    let mut n_samples = None;
    for port in wanted {
        let named = |input: &&Input<'_>| input.name.as_ref().is_none_or(|name| *name == port.name);
        let Some(input) = inputs.iter().find(named) else {
            return Err(data_error(format!(
                "no array for input '{}'; the network's inputs are {}",
                port.name,
                names()
            )));
        };
        let given = input.array.shape();
        let Some((&n, shape)) = given.split_first() else {
            return Err(data_error("one number is no array of samples"));
        };
        if shape.iter().product::<usize>() != port.n_values() {
            let hint = match given.iter().product::<usize>() == port.n_values() {
                true => "; one sample needs an axis of samples before it: x[None]",
                false => "",
            };
            return Err(data_error(format!(
                "samples have shape {shape:?}, the network takes {:?}{hint}",
                port.shape
            )));
        }
        if *n_samples.get_or_insert(n) != n {
            return Err(data_error(format!(
                "{n} samples for input '{}', {} for another",
                port.name,
                n_samples.unwrap_or(0)
            )));
        }
        parts.push((input.array.values()?, port.n_values()));
    }
    let shape = match wanted {
        [port] => port.shape.clone(),
        _ => vec![parts.iter().map(|(_, n)| n).sum()],
    };
    Ok(View {
        n_samples: n_samples.unwrap_or(0),
        shape,
        source: Origin::Arrays(parts),
        labels: None,
        chosen: None,
    })
}

/// Labels from Python: whole numbers from 0, one a sample.
#[derive(Clone)]
pub struct Labels(Vec<usize>);

impl Labels {
    /// What they are, by which a result can be traced to them.
    pub fn fingerprint(&self) -> Json {
        let bytes = self.0.iter().map(|&label| (label as u64).to_le_bytes());
        let bytes: Vec<u8> = bytes.flatten().collect();
        fingerprint_of_bytes([bytes.as_slice()])
    }
}

/// A yes or no for every sample: booleans, or 0 and 1.
pub struct Flags(pub Vec<bool>);

impl<'a, 'py> FromPyObject<'a, 'py> for Flags {
    type Error = PyErr;

    const INPUT_TYPE: PyStaticExpr = ARRAY_LIKE;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        let Labels(said) = object.extract()?;
        let flag = |(index, said): (usize, usize)| match said {
            0 | 1 => Ok(said == 1),
            other => Err(data_error(format!(
                "the truth about sample {index} is {other}, and must be 0 or 1"
            ))),
        };
        let flags = said.into_iter().enumerate().map(flag);
        Ok(Self(flags.collect::<PyResult<_>>()?))
    }
}

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
    shape: Vec<usize>,
    source: Origin<'a>,
    labels: Option<Vec<usize>>,
    /// Some of them, in this order.
    chosen: Option<Vec<usize>>,
}

enum Origin<'a> {
    /// For every input its values, and how many of them a sample has.
    Arrays(Vec<(Values<'a>, usize)>),
    Files(&'a dyn quaver::Dataset),
}

#[derive(Clone, Copy)]
enum Values<'a> {
    Single(&'a [f32]),
    Double(&'a [f64]),
    Bytes(&'a [u8]),
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

    /// Those in this list alone, by their places.
    pub fn choosing(self, list: Option<&str>) -> PyResult<Self> {
        let chosen = list.map(quaver::parse_indices).transpose();
        let chosen = chosen.map_err(|error| raised(error.into()))?;
        let mut places = chosen.iter().flatten();
        if let Some(&place) = places.find(|&&place| place >= self.n_samples) {
            let error = DataError::out_of_range(place, self.n_samples);
            return Err(raised(error.into()));
        }
        Ok(Self { chosen, ..self })
    }

    /// The place of a sample among all.
    fn place(&self, index: usize) -> usize {
        let chosen = self.chosen.as_ref();
        chosen.map_or(index, |chosen| chosen[index])
    }

    /// Whether there are labels.
    pub fn has_labels(&self) -> PyResult<bool> {
        let is_empty = quaver::Dataset::is_empty(self);
        let first = || quaver::Dataset::label(self, 0).map_err(|error| raised(error.into()));
        Ok(is_empty || first()?.is_some())
    }

    /// What arrays are: their number types, shapes and bytes.
    pub fn fingerprint(&self) -> Json {
        let Origin::Arrays(parts) = &self.source else {
            return Json::Null;
        };
        let one = |(values, n): &(Values<'_>, usize)| {
            let mut bytes = Vec::new();
            let mut all = Vec::new();
            let dtype = match values {
                Values::Single(values) => {
                    all.extend(values.iter().flat_map(|x| x.to_le_bytes()));
                    "float32"
                }
                Values::Double(values) => {
                    all.extend(values.iter().flat_map(|x| x.to_le_bytes()));
                    "float64"
                }
                Values::Bytes(values) => {
                    bytes.push(*values);
                    "uint8"
                }
            };
            bytes.push(all.as_slice());
            let mut what = fingerprint_of_bytes(bytes);
            what["dtype"] = dtype.into();
            what["shape"] = vec![self.n_samples, *n].into();
            what
        };
        match parts.as_slice() {
            [part] => one(part),
            parts => parts.iter().map(one).collect(),
        }
    }

    fn file(&self) -> Option<&dyn quaver::Dataset> {
        match self.source {
            Origin::Files(files) => Some(files),
            Origin::Arrays(_) => None,
        }
    }
}

impl quaver::Dataset for View<'_> {
    fn len(&self) -> usize {
        self.chosen.as_ref().map_or(self.n_samples, Vec::len)
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn read(&self, index: usize) -> Result<Sample, DataError> {
        let index = self.place(index);
        let label = self.labels.as_ref().map(|labels| labels[index]);
        let parts = match &self.source {
            Origin::Arrays(parts) => parts,
            Origin::Files(files) => {
                let sample = files.read(index)?;
                return Ok(Sample {
                    label: label.or(sample.label),
                    ..sample
                });
            }
        };
        let mut values = Vec::with_capacity(parts.iter().map(|(_, n)| n).sum());
        for &(part, n) in parts {
            let at = index * n..(index + 1) * n;
            match part {
                Values::Single(part) => values.extend(part[at].iter().map(|&x| f64::from(x))),
                Values::Double(part) => values.extend_from_slice(&part[at]),
                Values::Bytes(part) => values.extend(part[at].iter().map(|&x| f64::from(x))),
            }
        }
        Ok(Sample {
            values,
            label,
            key: None,
        })
    }

    fn label(&self, index: usize) -> Result<Option<usize>, DataError> {
        let index = self.place(index);
        match (&self.labels, self.file()) {
            (Some(labels), _) => Ok(labels.get(index).copied()),
            (None, Some(files)) => files.label(index),
            (None, None) => Ok(None),
        }
    }

    fn has_keys(&self) -> bool {
        self.file().is_some_and(quaver::Dataset::has_keys)
    }

    fn original_index(&self, index: usize) -> usize {
        let index = self.place(index);
        self.file()
            .map_or(index, |files| files.original_index(index))
    }

    fn key(&self, index: usize) -> Option<String> {
        let index = self.place(index);
        self.file().and_then(|files| files.key(index))
    }

    fn units(&self) -> Units {
        match &self.source {
            Origin::Files(files) => files.units(),
            Origin::Arrays(parts) => match parts.iter().all(|(v, _)| matches!(v, Values::Bytes(_)))
            {
                true => Units::scaled(1.0, Some((0.0, 255.0))),
                false => Units::default(),
            },
        }
    }

    fn class_names(&self) -> Option<&[String]> {
        self.file().and_then(quaver::Dataset::class_names)
    }
}
