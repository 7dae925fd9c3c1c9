//! `quaver.fill`, `quaver.analyze`, `quaver.merge`: evaluations kept, to go on with, to analyse again, to join.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use pyo3::prelude::*;
use pyo3::types::PyDict;
use quaver::table::{Column, Kind, Value};
use quaver_store::{Identity, Shard, StoredAs};

use crate::error::{option_error, raised};
use crate::hints::Facts;
use crate::options::{Choice, Wrt, parsed};
use crate::run::detached;
use crate::samples::{Labels, Samples};
use crate::scoring::Scoring;
use crate::subject::{Given, Origin, Subject};
use crate::table::{Table, TableBuilder};

/// Keeps outputs and class Grams of every sample in a folder, from which any measure can be computed without the network.
///
/// The same call goes on where an earlier one was interrupted or killed, and ends in the same bytes. A folder that holds another
/// run is refused. What the command line writes for the same files (`--store`) is the same store.
///
/// - `folder`: it is made if it is not there.
/// - `model`, `x`, `y`, `wrt`, `classes`, `label`, `precision`, `winograd`: as for `Model.score`. Labels are kept; Grams do not
///   depend on them unless classes are merged.
/// - `shard`: "i/n" computes the i-th of n parts and nothing else, i from 1; `merge` joins them.
/// - `store_as`: "f64" or "f32", the number type of the Grams on disk.
/// - `strict`: True raises for the first sample that cannot be evaluated; else it is kept as a failure.
///
/// >>> import quaver, tempfile
/// >>> glyphs, folder = quaver.demo.glyphs(80), tempfile.mkdtemp()
/// >>> store = quaver.fill(folder, quaver.demo.model(), glyphs.x, glyphs.y, wrt=["input", "layers"])
/// >>> store.blocks["block"][0], len(store)
/// ('input', 80)
/// >>> quaver.analyze(store, wrt="input", objective="margin").columns[0]
/// 'index'
#[pyfunction]
#[pyo3(signature = (folder, model, x, y = None, *, wrt = Wrt::One("input".to_owned()), label = Choice::Word("true".to_owned()), classes = None, targets = None, shard = None, store_as = "f64", strict = false, precision = "f32", winograd = true, threads = None, progress = None))]
#[allow(clippy::too_many_arguments, reason = "keyword arguments")]
pub fn fill<'py>(
    py: Python<'py>,
    folder: PathBuf,
    model: Given<'py>,
    x: Samples<'py>,
    y: Option<Labels>,
    wrt: Wrt,
    label: Choice,
    classes: Option<Choice>,
    targets: Option<Samples<'py>>,
    shard: Option<&str>,
    store_as: &str,
    strict: bool,
    precision: &str,
    winograd: bool,
    threads: Option<usize>,
    progress: Option<bool>,
) -> PyResult<Store> {
    let scoring = Scoring::new(
        Some(wrt),
        &label,
        "nll",
        classes,
        1.0,
        None,
        None,
        strict,
        precision,
        winograd,
        threads,
        progress,
    )?;
    let shard = shard.map(|shard| parsed::<Shard>("shard", shard));
    let shard = shard.transpose()?.unwrap_or(Shard::WHOLE);
    let stored_as = match store_as {
        "f64" => StoredAs::F64,
        "f32" => StoredAs::F32,
        _ => {
            return Err(option_error(format!(
                "store_as '{store_as}': give f32 or f64"
            )));
        }
    };
    let origin = model.read(py)?;
    if matches!(origin, Origin::Store(_)) {
        return Err(option_error(
            "a store is filled by a model, and not by another store",
        ));
    }
    let subject = Subject::new(origin, Some(x), y, targets)?;
    let (made_from, paths) = (subject.made_from()?, subject.paths());
    let made_from = made_from
        .entries()
        .map(|(key, value)| (key.to_owned(), value.clone()));
    let made_from = made_from.collect();
    let options = &scoring.options;
    let inner = subject.with(options, |source, _| {
        options.check(source.description()).map_err(raised)?;
        let identity = Identity::new(source.description(), options, made_from, stored_as);
        let store = quaver_store::Store::create(&folder, identity, paths, shard).map_err(raised)?;
        detached(py, store.samples().len(), progress, |ticker| {
            let stop = AtomicBool::new(false);
            store.fill(source, options.threads, &stop, |evaluated| {
                if let Some(Err(failed)) = evaluated
                    && strict
                {
                    return Err(quaver::Error::new(failed.error.kind(), failed.to_string()));
                }
                ticker.step()
            })
        })?;
        Ok(store)
    })?;
    Ok(Store { inner })
}

/// Computes any measure again from a store, without the network: a `Table` as `Model.score` gives.
///
/// `store` is a `Store` or its folder. `wrt` chooses and adds up the blocks that it holds (default: all),
/// `classes` merges classes that it has apart. Other keywords as for `Model.score`.
#[pyfunction]
#[pyo3(signature = (store, *, wrt = None, label = Choice::Word("true".to_owned()), objective = "nll", classes = None, lambda_ = 1.0, rtol = None, compat = None, strict = false, threads = None, progress = None))]
#[allow(clippy::too_many_arguments, reason = "keyword arguments")]
pub fn analyze<'py>(
    py: Python<'py>,
    store: Given<'py>,
    wrt: Option<Wrt>,
    label: Choice,
    objective: &str,
    classes: Option<Choice>,
    lambda_: f64,
    rtol: Option<f64>,
    compat: Option<f64>,
    strict: bool,
    threads: Option<usize>,
    progress: Option<bool>,
) -> PyResult<Table> {
    let scoring = Scoring::new(
        wrt, &label, objective, classes, lambda_, rtol, compat, strict, "f32", true, threads,
        progress,
    )?;
    let origin = match store {
        Given::Path(path) if !quaver_store::is_store(&path) => {
            Origin::Store(Bound::new(py, Store::open(py, path)?)?)
        }
        store => store.read(py)?,
    };
    if matches!(origin, Origin::Model(_)) {
        return Err(option_error(
            "analyze is of a store; a model scores samples (Model.score)",
        ));
    }
    let subject = Subject::new(origin, None, None, None)?;
    subject.with(&scoring.options, |source, _| scoring.table(py, source))
}

/// Joins the stores that `shard` made into one, in the folder `out`, after checking that they fit together: same model, data
/// and options, nothing missing and nothing twice.
#[pyfunction]
pub fn merge(py: Python<'_>, out: PathBuf, parts: Vec<PathBuf>) -> PyResult<Store> {
    let inner = py.detach(|| quaver_store::merge(&out, &parts));
    Ok(Store {
        inner: inner.map_err(raised)?,
    })
}

/// A folder of evaluations, of which nothing is missing: `quaver.fill` makes one, `quaver.Store(folder)` opens it.
///
/// Every task takes it in place of a model and samples; `map`, `attack` and `layers(verify=...)` open the files that it was made
/// from, and are given arrays again.
/// `len(store)` is the number of its samples.
#[pyclass(frozen, module = "quaver")]
pub struct Store {
    inner: quaver_store::Store,
}

#[pymethods]
impl Store {
    /// Opens a store.
    ///
    /// Raises `StoreError` if there is none in `folder`, or it is not complete.
    #[new]
    fn new(py: Python<'_>, folder: PathBuf) -> PyResult<Self> {
        Self::open(py, folder)
    }

    /// Where it is.
    #[getter]
    fn folder(&self) -> PathBuf {
        self.inner.folder().to_owned()
    }

    /// The blocks that it holds, one a row: name, number of coordinates, norm of the parameters.
    #[getter]
    fn blocks(&self) -> PyResult<Table> {
        let selection = self.inner.select(&[]).map_err(raised)?;
        blocks(&quaver::Source::description(&selection).blocks)
    }

    /// What it was made from: model, data, and how both were read.
    #[getter]
    fn made_from<'py>(&self, py: Python<'py>) -> PyResult<Facts<'py>> {
        let made_from = &self.inner.identity().made_from;
        let json = serde_json::Value::Object(made_from.clone()).to_string();
        let facts = py.import("json")?.call_method1("loads", (json,))?;
        Ok(Facts(facts.cast_into::<PyDict>()?))
    }

    fn __len__(&self) -> usize {
        self.inner.samples().len()
    }

    fn __repr__(&self) -> String {
        let (samples, n) = (self.inner.samples(), self.inner.identity().n_samples);
        let part = match samples.len() == n {
            true => format!("{n} samples"),
            false => format!("samples {} to {} of {n}", samples.start, samples.end - 1),
        };
        let n_blocks = self.inner.identity().blocks.len();
        format!(
            "<quaver.Store {}: {part}, {n_blocks} block{}>",
            self.inner.folder().display(),
            if n_blocks == 1 { "" } else { "s" }
        )
    }
}

impl Store {
    /// The store in a folder.
    pub fn open(py: Python<'_>, folder: PathBuf) -> PyResult<Self> {
        let inner = py.detach(|| quaver_store::Store::open(&folder));
        Ok(Self {
            inner: inner.map_err(raised)?,
        })
    }

    /// The library's store.
    pub fn inner(&self) -> &quaver_store::Store {
        &self.inner
    }

    /// What titles call it.
    pub fn name(&self) -> String {
        let folder = self.inner.folder();
        let name = folder.file_name().unwrap_or(folder.as_os_str());
        name.to_string_lossy().into_owned()
    }
}

/// Blocks as a table.
pub fn blocks(blocks: &[quaver::Block]) -> PyResult<Table> {
    let mut builder = TableBuilder::new(vec![
        Column::new("block", Kind::Text, "What is perturbed."),
        Column::new("n_coordinates", Kind::Int, "Numbers in it."),
        Column::new(
            "theta_norm",
            Kind::Float,
            "Euclidean norm of the block's parameters; empty for blocks that are not parameters alone.",
        ),
    ]);
    for block in blocks {
        let n = i64::try_from(block.n_coordinates).unwrap_or(i64::MAX);
        builder.push(vec![
            Value::from(&*block.name),
            Value::Int(n),
            block.norm.into(),
        ]);
    }
    builder.finish(String::new())
}
