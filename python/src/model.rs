//! `quaver.Model`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use numpy::{PyArrayDyn, PyArrayMethods, PyReadonlyArrayDyn, PyUntypedArrayMethods};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyTuple};
use quaver::{
    Classes, Dataset as _, Family, LabelChoice, LoadOptions, Network, Precision, Real,
    SampleFailure, ScoreOptions, Source as _, evaluate_each,
};
use quaver_store::{Known, ReopenedModel, fingerprint_of_bytes, record};
use serde_json::Value as Json;

use crate::array::Rows;
use crate::dataset::described;
use crate::error::{option_error, raised};
use crate::hints::{Anything, Array, ArrayLike, Grams, Named, RealArray, Shape, Shapes};
use crate::options::{Choice, Wrt, load_options, precision, run_options};
use crate::run::detached;
use crate::samples::{Labels, Samples};
use crate::scoring::Scoring;
use crate::subject::{Origin, Subject};
use crate::table::Table;
use crate::tasks::store::blocks;

/// A classifier, read from an ONNX file. `quaver.load` makes one.
///
/// Samples are arrays (N, *input_shape) of real numbers, float32 for preference: contiguous arrays are read where they
/// lie. A `Dataset` from `quaver.open` serves as well. All methods work on all cores, release the interpreter, and
/// can be interrupted between samples; results do not depend on the number of threads.
///
/// Letters: N samples, K classes, V cotangents; z logits, p = softmax(z), J = dz/dx the Jacobian.
///
/// Models can be pickled: the ONNX file goes along.
///
/// >>> import quaver
/// >>> m = quaver.demo.model()
/// >>> m
/// <quaver.Model: input (1, 28, 28), 10 classes, head logits>
#[pyclass(frozen, module = "quaver")]
pub struct Model {
    inner: quaver::Model,
    source: OnnxSource,
    options: LoadOptions,
    head: String,
}

/// Where the ONNX file is.
enum OnnxSource {
    /// Its path, and what is known to be in files already.
    Path(PathBuf, Known),
    Memory(Arc<[u8]>),
}

/// An ONNX file: its path, or its bytes.
#[derive(FromPyObject)]
enum OnnxFile {
    /// Its bytes.
    #[pyo3(transparent)]
    Bytes(Vec<u8>),
    /// Its path.
    #[pyo3(transparent)]
    Path(PathBuf),
}

impl Model {
    /// The library's model.
    pub fn inner(&self) -> &quaver::Model {
        &self.inner
    }

    /// How it was read.
    pub fn options(&self) -> &LoadOptions {
        &self.options
    }

    /// Its file, where it came from one.
    pub fn path(&self) -> Option<&Path> {
        match &self.source {
            OnnxSource::Path(path, _) => Some(path),
            OnnxSource::Memory(_) => None,
        }
    }

    /// The bytes of its ONNX file.
    pub fn onnx(&self) -> PyResult<Arc<[u8]>> {
        match &self.source {
            OnnxSource::Memory(bytes) => Ok(Arc::clone(bytes)),
            OnnxSource::Path(path, _) => Ok(std::fs::read(path)?.into()),
        }
    }

    /// What titles call it.
    pub fn name(&self) -> String {
        let name = self.path().and_then(Path::file_name);
        name.map_or_else(|| "model".to_owned(), |name| name.to_string_lossy().into())
    }

    /// What is in its file, by which a result can be traced to it.
    pub fn record(&self, with_path: bool) -> PyResult<Json> {
        match &self.source {
            OnnxSource::Path(path, known) => {
                let own = described(known, path, with_path)?;
                record::with_weights(own, &self.inner, |file| described(known, file, false))
            }
            OnnxSource::Memory(bytes) => Ok(fingerprint_of_bytes([&**bytes])),
        }
    }

    /// The model that a store was made from.
    pub fn reopened(found: ReopenedModel) -> Self {
        Self {
            inner: found.model,
            source: OnnxSource::Path(found.file, found.known),
            head: record::head(&found.load),
            options: found.load,
        }
    }

    /// A model from a file, read as usual.
    pub fn load(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        let options = LoadOptions::default();
        let inner = py.detach(|| quaver::Model::load(&path, &options));
        Ok(Self {
            inner: inner.map_err(raised)?,
            source: OnnxSource::Path(path, Known::default()),
            options,
            head: "detect".to_owned(),
        })
    }

    /// A model from memory, read as usual.
    pub fn from_bytes(bytes: &[u8]) -> PyResult<Self> {
        let options = LoadOptions::default();
        Ok(Self {
            inner: quaver::Model::from_bytes(bytes, &options).map_err(raised)?,
            source: OnnxSource::Memory(bytes.into()),
            options,
            head: "detect".to_owned(),
        })
    }
}

#[pymethods]
impl Model {
    /// Reads an ONNX file, given by its path or its bytes.
    ///
    /// `output` names the output, or any other value, to analyse (default: the only output); `input_shape` is the
    /// shape of one sample for models that leave it open; `head` is "detect" (a Softmax, LogSoftmax or Sigmoid at the
    /// end is found and stripped), "logits" (the output is taken for logits as it is), "multi-label" (a yes or no each)
    /// or "gaussian:SIGMA" (a regression with noise).
    ///
    /// Raises `ModelError` naming the node, operator and attribute that cannot be read.
    #[new]
    #[pyo3(signature = (source, *, output = None, input_shape = None, head = "detect"))]
    fn new(
        py: Python<'_>,
        source: OnnxFile,
        output: Option<String>,
        input_shape: Option<Vec<usize>>,
        head: &str,
    ) -> PyResult<Self> {
        let options = load_options(output, input_shape, head)?;
        let (inner, source) = match source {
            OnnxFile::Path(path) => {
                let inner = py.detach(|| quaver::Model::load(&path, &options));
                (inner, OnnxSource::Path(path, Known::default()))
            }
            OnnxFile::Bytes(bytes) => {
                let inner = py.detach(|| quaver::Model::from_bytes(&bytes, &options));
                (inner, OnnxSource::Memory(bytes.into()))
            }
        };
        Ok(Self {
            inner: inner.map_err(raised)?,
            source,
            options,
            head: head.to_owned(),
        })
    }

    /// The number of classes K.
    #[getter]
    fn n_classes(&self) -> usize {
        self.inner.n_classes()
    }

    /// The shape of one sample of every input, by name.
    #[getter]
    fn inputs<'py>(&self, py: Python<'py>) -> PyResult<Shapes<'py>> {
        let inputs = PyDict::new(py);
        for port in self.inner.inputs() {
            inputs.set_item(&port.name, PyTuple::new(py, &port.shape)?)?;
        }
        Ok(Shapes(inputs))
    }

    /// The shape of one sample, without an axis of samples; of several inputs, the number of values of all of them.
    #[getter]
    fn input_shape<'py>(&self, py: Python<'py>) -> PyResult<Shape<'py>> {
        Ok(Shape(PyTuple::new(py, self.inner.input_shape())?))
    }

    /// What turns the logits into the network's output: "logits" (nothing), "Softmax", "LogSoftmax" or "Sigmoid".
    #[getter]
    fn head(&self) -> &'static str {
        self.inner.head().kind.name()
    }

    /// The blocks that `wrt` names, one a row: name, number of coordinates, norm of the parameters.
    ///
    /// A term is "input", "params", "layers" (a block for every layer), "param:NAME", "layer:NAME" or "value:NAME" (an
    /// activation); NAME may hold * and ?, and + joins terms into one block: "input+params".
    ///
    /// >>> import quaver
    /// >>> quaver.demo.model().blocks(["input", "params"])["n_coordinates"]
    /// array([  784, 23946])
    #[pyo3(signature = (wrt = Wrt::One("layers".to_owned())))]
    fn blocks(&self, wrt: Wrt) -> PyResult<Table> {
        let found = self.inner.blocks(&wrt.terms()).map_err(raised)?;
        blocks(&found)
    }

    /// The most probable class of every sample: (N,) int64.
    ///
    /// >>> import quaver
    /// >>> glyphs = quaver.demo.glyphs(5, mislabelled=0, overlaid=0)
    /// >>> bool((quaver.demo.model().predict(glyphs.x) == glyphs.y).all())
    /// True
    #[pyo3(signature = (x, *, precision = "f32", winograd = true, threads = None, progress = None))]
    fn predict<'py>(
        &self,
        py: Python<'py>,
        x: Samples<'py>,
        precision: &str,
        winograd: bool,
        threads: Option<usize>,
        progress: Option<bool>,
    ) -> PyResult<Array<'py, i64>> {
        let how = How::new(precision, winograd, threads, progress)?;
        self.has_classes("predict")?;
        self.predictions(py, &x, how, &[], |p, rows| {
            rows.push(&[p
                .predicted
                .and_then(|at| i64::try_from(at).ok())
                .unwrap_or(-1)])
        })
    }

    /// The probability of every class: (N, K) float64, rows summing to one; of several labels, each by itself.
    #[pyo3(signature = (x, *, precision = "f32", winograd = true, threads = None, progress = None))]
    fn predict_proba<'py>(
        &self,
        py: Python<'py>,
        x: Samples<'py>,
        precision: &str,
        winograd: bool,
        threads: Option<usize>,
        progress: Option<bool>,
    ) -> PyResult<Array<'py, f64>> {
        let how = How::new(precision, winograd, threads, progress)?;
        self.has_probabilities("predict_proba")?;
        let shape = [self.n_classes()];
        self.predictions(py, &x, how, &shape, |p, rows| rows.push(&p.p))
    }

    /// The logits z: (N, K) float64. Those of a head that is one sigmoid are (0, z), those of a regression its means.
    #[pyo3(signature = (x, *, precision = "f32", winograd = true, threads = None, progress = None))]
    fn logits<'py>(
        &self,
        py: Python<'py>,
        x: Samples<'py>,
        precision: &str,
        winograd: bool,
        threads: Option<usize>,
        progress: Option<bool>,
    ) -> PyResult<Array<'py, f64>> {
        let how = How::new(precision, winograd, threads, progress)?;
        let shape = [self.n_classes()];
        self.predictions(py, &x, how, &shape, |p, rows| rows.push(&p.outputs))
    }

    /// The Jacobian J = dz/dx of every sample: (N, K, *shape), float32, or float64 with precision="f64".
    ///
    /// `wrt` names one block: "input", or an activation, "value:NAME"; several joined by + are flat, (N, K, n).
    ///
    /// >>> import quaver
    /// >>> m, x = quaver.demo.model(), quaver.demo.glyphs(2).x
    /// >>> m.jacobian(x).shape
    /// (2, 10, 1, 28, 28)
    #[pyo3(signature = (x, *, wrt = "input", precision = "f32", winograd = true, threads = None, progress = None))]
    #[allow(clippy::too_many_arguments, reason = "keyword arguments")]
    fn jacobian<'py>(
        &self,
        py: Python<'py>,
        x: Samples<'py>,
        wrt: &str,
        precision: &str,
        winograd: bool,
        threads: Option<usize>,
        progress: Option<bool>,
    ) -> PyResult<RealArray<'py>> {
        let how = How::new(precision, winograd, threads, progress)?;
        let k = self.n_classes();
        let identity: Vec<f64> = (0..k * k)
            .map(|at| if at / k == at % k { 1.0 } else { 0.0 })
            .collect();
        let cotangents = Cotangents {
            values: &identity,
            per_sample: 0,
            n: k * k,
            shape: &[k],
        };
        self.vjp_in(py, &x, wrt, cotangents, how)
    }

    /// Products of cotangents c with the Jacobian, c J: a row of derivatives for each cotangent.
    ///
    /// `cotangents` is (K,) or (V, K), the same for every sample, or (N, V, K); the result is (N, *shape) for (K,), else
    /// (N, V, *shape), float32, or float64 with precision="f64". Cotangents c (N, K) of the outputs, one for each sample as
    /// PyTorch and JAX have them, are `c[:, None]` here, and the result is (N, 1, *shape). `wrt` as for `jacobian`.
    ///
    /// >>> import quaver
    /// >>> m, x = quaver.demo.model(), quaver.demo.glyphs(2).x
    /// >>> first_minus_second = [1, -1] + 8 * [0]
    /// >>> m.vjp(x, first_minus_second).shape
    /// (2, 1, 28, 28)
    #[pyo3(signature = (x, cotangents, *, wrt = "input", precision = "f32", winograd = true, threads = None, progress = None))]
    #[allow(clippy::too_many_arguments, reason = "keyword arguments")]
    fn vjp<'py>(
        &self,
        py: Python<'py>,
        x: Samples<'py>,
        cotangents: ArrayLike<'py>,
        wrt: &str,
        precision: &str,
        winograd: bool,
        threads: Option<usize>,
        progress: Option<bool>,
    ) -> PyResult<RealArray<'py>> {
        let how = How::new(precision, winograd, threads, progress)?;
        let array = py
            .import("numpy")?
            .call_method1("require", (cotangents.0, "float64", ["C", "A"]))?;
        let array: PyReadonlyArrayDyn<'_, f64> = array.cast::<PyArrayDyn<f64>>()?.try_readonly()?;
        let n_samples = x.view(None, self.inner.inputs())?.len();
        let k = self.n_classes();
        let given = array.shape();
        let (n, per_sample, shape) = match *given {
            [last] if last == k => (k, 0, &given[..0]),
            [v, last] if last == k => (v * k, 0, &given[..1]),
            [samples, v, last] if last == k && samples == n_samples => (v * k, v * k, &given[1..2]),
            _ => {
                return Err(option_error(format!(
                    "cotangents of shape {given:?}: give ({k},), (V, {k}) or ({n_samples}, V, {k})"
                )));
            }
        };
        let cotangents = Cotangents {
            values: array.as_slice()?,
            per_sample,
            n,
            shape,
        };
        self.vjp_in(py, &x, wrt, cotangents, how)
    }

    /// The class Grams of every sample, block by block: {name: (N, K, K) float64}.
    ///
    /// A block's class Gram is H J Jᵀ H with H = I - 11ᵀ/K, the centring that a softmax cannot see; units (logits per
    /// unit of the block)². Grams of disjoint blocks add. `wrt` as for `blocks`.
    ///
    /// >>> import quaver
    /// >>> m, x = quaver.demo.model(), quaver.demo.glyphs(2).x
    /// >>> {name: gram.shape for name, gram in m.grams(x, wrt=["input", "params"]).items()}
    /// {'input': (2, 10, 10), 'params': (2, 10, 10)}
    #[pyo3(signature = (x, *, wrt = Wrt::One("input".to_owned()), precision = "f32", winograd = true, threads = None, progress = None))]
    #[allow(clippy::too_many_arguments, reason = "keyword arguments")]
    fn grams<'py>(
        &self,
        py: Python<'py>,
        x: Samples<'py>,
        wrt: Wrt,
        precision: &str,
        winograd: bool,
        threads: Option<usize>,
        progress: Option<bool>,
    ) -> PyResult<Grams<'py>> {
        let how = How::new(precision, winograd, threads, progress)?;
        let view = x.view(None, self.inner.inputs())?;
        let options = ScoreOptions {
            wrt: wrt.terms(),
            label: LabelChoice::Predicted,
            classes: Some(Classes::All),
            winograd,
            precision: how.precision,
            ..ScoreOptions::default()
        };
        let network = Network::new(&self.inner, &view, &options).map_err(raised)?;
        let (blocks, k) = (&network.description().blocks, self.n_classes());
        let mut rows: Vec<Rows<f64>> = blocks
            .iter()
            .map(|_| Rows::new(view.len(), &[k, k]))
            .collect::<PyResult<_>>()?;
        let all = 0..view.len();
        detached(py, view.len(), how.progress, |ticker| {
            let stop = AtomicBool::new(false);
            let emit = |evaluated: quaver::Evaluated| {
                let evaluation = evaluated.map_err(SampleFailure::into_error)?;
                for (rows, gram) in rows.iter_mut().zip(&evaluation.grams) {
                    rows.push(gram.values());
                }
                ticker.step()
            };
            evaluate_each(
                &network,
                std::slice::from_ref(&all),
                how.run.threads,
                &stop,
                emit,
            )
        })?;
        let grams = PyDict::new(py);
        for (block, rows) in network.description().blocks.iter().zip(rows) {
            grams.set_item(&*block.name, rows.finish(py)?)?;
        }
        Ok(Grams(grams))
    }

    /// What moves the output most: for every sample FI (N,), the perturbation of greatest influence h* = G⁺ ∇fᵀ and the
    /// gradient ∇f of f = -log p_y, both (N, *shape); all float64. ∇f · h* = FI.
    ///
    /// `y` are labels (N,), or None for the predicted class; `wrt` is one block as for `jacobian`.
    ///
    /// >>> import quaver
    /// >>> glyphs = quaver.demo.glyphs(3)
    /// >>> fi, direction, gradient = quaver.demo.model().influence(glyphs.x, glyphs.y, precision="f64")
    /// >>> abs((direction * gradient).sum(axis=(1, 2, 3)) / fi - 1).max() < 1e-6
    /// np.True_
    #[pyo3(signature = (x, y = None, *, wrt = "input", rtol = None, precision = "f32", winograd = true, threads = None, progress = None))]
    #[allow(
        clippy::too_many_arguments,
        clippy::type_complexity,
        reason = "keyword arguments, a tuple"
    )]
    fn influence<'py>(
        &self,
        py: Python<'py>,
        x: Samples<'py>,
        y: Option<Labels>,
        wrt: &str,
        rtol: Option<f64>,
        precision: &str,
        winograd: bool,
        threads: Option<usize>,
        progress: Option<bool>,
    ) -> PyResult<(Array<'py, f64>, Array<'py, f64>, Array<'py, f64>)> {
        let how = How::new(precision, winograd, threads, progress)?;
        let has_labels = y.is_some();
        let view = x.view(y, self.inner.inputs())?;
        quaver::check_labels(&view, self.n_classes()).map_err(|error| raised(error.into()))?;
        let labels: Vec<Option<usize>> = (0..view.len())
            .map(|index| match has_labels {
                true => view.label(index),
                false => Ok(None),
            })
            .collect::<Result<_, _>>()
            .map_err(|error| raised(error.into()))?;
        let shape = self.inner.vjp_shape(wrt).map_err(raised)?;
        let n = view.len();
        let (mut fi, mut along) = (Rows::new(n, &[])?, Rows::new(n, &shape)?);
        let mut gradient = Rows::new(n, &shape)?;
        let rtol = rtol.unwrap_or(how.precision.default_rtol());
        detached(py, n, how.progress, |ticker| {
            let label = |index: usize, predicted: usize| labels[index].unwrap_or(predicted);
            let emit = |_, found: quaver::Influence| {
                fi.push(&[found.fi]);
                along.push(&found.direction);
                gradient.push(&found.gradient);
                ticker.step()
            };
            let (model, run) = (&self.inner, &how.run);
            match how.precision {
                Precision::F32 => model.influence_each::<f32>(&view, wrt, label, rtol, run, emit),
                Precision::F64 => model.influence_each::<f64>(&view, wrt, label, rtol, run, emit),
            }
        })?;
        Ok((fi.finish(py)?, along.finish(py)?, gradient.finish(py)?))
    }

    /// Scores every sample: the influence measure FI with rank, ceiling and saturation, and companions that do not
    /// saturate. A `Table` with a row per sample and block.
    ///
    /// - `y`: labels (N,), whole numbers from 0; not needed unless `label` is "true".
    /// - `wrt`: what is perturbed, one block or several, as for `blocks`.
    /// - `label`: whose -log p is the objective: "true" (the label in the data), "predicted", or a class.
    /// - `objective`: "nll" (-log p), "prob", "margin", "margin:A,B", "log-odds", "entropy", "cross-entropy:T0,T1,...".
    /// - `classes`: classes kept apart, the rest merged: "all", a number, or "auto:TOL" (default: all below 64 classes,
    ///   else auto:0.01).
    /// - `lambda_`: the budget of fi_lambda, 1 / sigma², sigma being the size of a plausible perturbation in the units
    ///   of the input.
    /// - `rtol`: eigenvalues above rtol times the largest count towards the rank (default 1e-6 in f32, 1e-10 in f64).
    /// - `compat`: adds compat_fi and compat_rank, the published program's arithmetic with this epsilon (0.001 there).
    /// - `precision`: "f32" or "f64", the number type that the network is run in.
    /// - `winograd`: False computes 3 x 3 convolutions by their definition, which is slower and rounds differently.
    /// - `targets`: (N, K), what the data say about each output where a class is not enough: soft labels, several
    ///   labels (0 or 1), the values of a regression.
    /// - `strict`: True raises for the first sample that cannot be scored; else it is a row with an `error`.
    /// - `threads`: worker threads (default: one for every core).
    /// - `progress`: True, False, or None for a tqdm bar where there is somebody to see it.
    ///
    /// >>> import quaver
    /// >>> glyphs = quaver.demo.glyphs(20)
    /// >>> table = quaver.demo.model().score(glyphs.x, glyphs.y)
    /// >>> bool((table["fi"] <= table["fi_max"] * (1 + 1e-9)).all())
    /// True
    #[pyo3(signature = (x, y = None, *, wrt = Wrt::One("input".to_owned()), label = Choice::Word("true".to_owned()), objective = "nll", classes = None, lambda_ = 1.0, rtol = None, compat = None, targets = None, strict = false, precision = "f32", winograd = true, threads = None, progress = None))]
    #[allow(clippy::too_many_arguments, reason = "keyword arguments")]
    fn score(
        slf: &Bound<'_, Self>,
        py: Python<'_>,
        x: Samples<'_>,
        y: Option<Labels>,
        wrt: Wrt,
        label: Choice,
        objective: &str,
        classes: Option<Choice>,
        lambda_: f64,
        rtol: Option<f64>,
        compat: Option<f64>,
        targets: Option<Samples<'_>>,
        strict: bool,
        precision: &str,
        winograd: bool,
        threads: Option<usize>,
        progress: Option<bool>,
    ) -> PyResult<Table> {
        let scoring = Scoring::new(
            Some(wrt),
            &label,
            objective,
            classes,
            lambda_,
            rtol,
            compat,
            strict,
            precision,
            winograd,
            threads,
            progress,
        )?;
        let origin = Origin::Model(slf.clone());
        let subject = Subject::new(origin, Some(x), y, targets)?;
        subject.with(&scoring.options, |source, _| scoring.table(py, source))
    }

    fn __repr__(&self) -> String {
        let tuple = |shape: &[usize]| {
            let dims: Vec<String> = shape.iter().map(usize::to_string).collect();
            let comma = if dims.len() == 1 { "," } else { "" };
            format!("({}{comma})", dims.join(", "))
        };
        let inputs = match self.inner.inputs() {
            several @ [_, _, ..] => {
                let one = |port: &quaver::Port| format!("{} {}", port.name, tuple(&port.shape));
                let several: Vec<String> = several.iter().map(one).collect();
                format!("inputs {}", several.join(", "))
            }
            _ => format!("input {}", tuple(self.inner.input_shape())),
        };
        format!(
            "<quaver.Model: {inputs}, {} classes, head {}>",
            self.n_classes(),
            self.head()
        )
    }

    /// What a pickle holds: the ONNX file itself, so that the other side needs no path.
    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Anything<'py>, Anything<'py>)> {
        let py = slf.py();
        let model = slf.get();
        let bytes = PyBytes::new(py, &model.onnx()?);
        let options = PyDict::new(py);
        options.set_item("output", &model.options.output)?;
        options.set_item("input_shape", &model.options.input_shape)?;
        options.set_item("head", &model.head)?;
        let make = py.import("functools")?.getattr("partial")?;
        let make = make.call((slf.get_type(),), Some(&options))?;
        let arguments = PyTuple::new(py, [bytes])?;
        Ok((Anything(make), Anything(arguments.into_any())))
    }
}

/// How a network is run, with or without a bar.
#[derive(Clone, Copy)]
struct How {
    precision: Precision,
    run: quaver::RunOptions,
    progress: Option<bool>,
}

impl How {
    fn new(
        name: &str,
        winograd: bool,
        threads: Option<usize>,
        progress: Option<bool>,
    ) -> PyResult<Self> {
        Ok(Self {
            precision: precision(name)?,
            run: run_options(winograd, threads)?,
            progress,
        })
    }
}

/// Cotangents of every sample.
#[derive(Clone, Copy)]
struct Cotangents<'a> {
    values: &'a [f64],
    /// Numbers from one sample's to the next; 0 if all have the same.
    per_sample: usize,
    /// Numbers of one sample.
    n: usize,
    /// What they add to the result's shape.
    shape: &'a [usize],
}

impl Model {
    fn has_classes(&self, method: &str) -> PyResult<()> {
        match self.inner.family() {
            Family::Softmax | Family::Sigmoid => Ok(()),
            family => Err(option_error(format!(
                "{method}: the network's output is {family}, not one class of several; use logits"
            ))),
        }
    }

    fn has_probabilities(&self, method: &str) -> PyResult<()> {
        match self.inner.family() {
            Family::MultiLabel => Ok(()),
            _ => self.has_classes(method),
        }
    }

    fn predictions<'py, T: Named + Copy>(
        &self,
        py: Python<'py>,
        x: &Samples<'_>,
        how: How,
        shape: &[usize],
        put: impl Fn(&quaver::Prediction, &mut Rows<T>) + Send + Sync,
    ) -> PyResult<Array<'py, T>> {
        let view = x.view(None, self.inner.inputs())?;
        let mut rows = Rows::new(view.len(), shape)?;
        detached(py, view.len(), how.progress, |ticker| {
            let emit = |_, prediction| {
                put(&prediction, &mut rows);
                ticker.step()
            };
            match how.precision {
                Precision::F32 => self.inner.predict_each::<f32>(&view, &how.run, emit),
                Precision::F64 => self.inner.predict_each::<f64>(&view, &how.run, emit),
            }
        })?;
        rows.finish(py)
    }

    fn vjp_in<'py>(
        &self,
        py: Python<'py>,
        x: &Samples<'_>,
        wrt: &str,
        cotangents: Cotangents<'_>,
        how: How,
    ) -> PyResult<RealArray<'py>> {
        Ok(RealArray(match how.precision {
            Precision::F32 => self
                .vjp_as::<f32>(py, x, wrt, cotangents, how)?
                .0
                .into_any(),
            Precision::F64 => self
                .vjp_as::<f64>(py, x, wrt, cotangents, how)?
                .0
                .into_any(),
        }))
    }

    fn vjp_as<'py, T: Real + Named>(
        &self,
        py: Python<'py>,
        x: &Samples<'_>,
        wrt: &str,
        cotangents: Cotangents<'_>,
        how: How,
    ) -> PyResult<Array<'py, T>> {
        let view = x.view(None, self.inner.inputs())?;
        let block = self.inner.vjp_shape(wrt).map_err(raised)?;
        let shape = [cotangents.shape, &block].concat();
        let mut rows = Rows::<T>::new(view.len(), &shape)?;
        detached(py, view.len(), how.progress, |ticker| {
            let of = |index: usize| {
                let at = index * cotangents.per_sample;
                &cotangents.values[at..at + cotangents.n]
            };
            let emit = |_, numbers: Vec<T>| {
                rows.push(&numbers);
                ticker.step()
            };
            self.inner.vjp_each::<T>(&view, wrt, of, &how.run, emit)
        })?;
        rows.finish(py)
    }
}
