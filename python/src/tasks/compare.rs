//! `quaver.compare`: is a network as sensitive on one set as on another, and is another network less so?

use std::path::PathBuf;

use pyo3::inspect::PyStaticExpr;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use pyo3::{Borrowed, type_hint_subscript, type_hint_union};
use quaver::compare::{BlockComparison, CompareStudy, Side};
use quaver::statistics::Bootstrap;
use quaver::{MEASURES, ScoreOptions};
use quaver_report::RunRecord;
use quaver_results::{Compared, compared_table, comparison, comparison_page, overview_table};
use quaver_store::record;
use serde_json::json;

use super::save_page;
use crate::error::{option_error, raised};
use crate::hints::{ARRAY_LIKE, Array, Dictionary, Figure};
use crate::options::{Choice, Wrt};
use crate::samples::{Labels, Samples};
use crate::scoring::{Scoring, warn};
use crate::subject::{Given, Kept, Origin, Subject};
use crate::table::{Table, TableBuilder, text};

/// One of the two sets: samples, samples with labels, or a store.
pub enum Set<'py> {
    /// Samples, with labels where they are given.
    Samples(Samples<'py>, Option<Labels>),
    /// What somebody kept.
    Store(Given<'py>),
}

impl<'a, 'py> FromPyObject<'a, 'py> for Set<'py> {
    type Error = PyErr;

    const INPUT_TYPE: PyStaticExpr = type_hint_union!(
        <Samples<'static> as FromPyObject<'static, 'static>>::INPUT_TYPE,
        type_hint_subscript!(
            pyo3::type_hint_identifier!("builtins", "tuple"),
            <Samples<'static> as FromPyObject<'static, 'static>>::INPUT_TYPE,
            ARRAY_LIKE
        ),
        <Given<'static> as FromPyObject<'static, 'static>>::INPUT_TYPE
    );

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        if let Ok(given) = object.extract::<Given<'py>>() {
            return Ok(Self::Store(given));
        }
        if let Ok(pair) = object.cast::<PyTuple>()
            && pair.len() == 2
        {
            let labels = pair.get_item(1)?.extract()?;
            return Ok(Self::Samples(pair.get_item(0)?.extract()?, Some(labels)));
        }
        Ok(Self::Samples(object.extract()?, None))
    }
}

/// The same, a store opened.
enum Read<'py> {
    Samples(Samples<'py>, Option<Labels>),
    Kept(Origin<'py>),
}

impl<'py> Read<'py> {
    fn of(py: Python<'py>, set: Set<'py>) -> PyResult<Self> {
        Ok(match set {
            Set::Samples(samples, labels) => Self::Samples(samples, labels),
            Set::Store(given) => Self::Kept(given.read(py)?),
        })
    }
}

/// One network, several by name, or none where both sets are stores.
#[derive(FromPyObject)]
pub enum Networks<'py> {
    /// Several, in the order of the dict.
    #[pyo3(transparent)]
    Several(Dictionary<'py>),
    /// One.
    #[pyo3(transparent)]
    One(Given<'py>),
}

impl<'py> Networks<'py> {
    /// Each with its name.
    pub fn named(self, py: Python<'py>) -> PyResult<Vec<(String, Origin<'py>)>> {
        match self {
            Self::One(given) => {
                let origin = given.read(py)?;
                let name = match &origin {
                    Origin::Model(model) => model.get().name(),
                    Origin::Store(store) => store.get().inner().network_name(),
                };
                Ok(vec![(name, origin)])
            }
            Self::Several(Dictionary(dict)) => {
                let one = |(name, given): (Bound<'py, PyAny>, Bound<'py, PyAny>)| {
                    let origin = given.extract::<Given<'py>>()?.read(py)?;
                    Ok((name.extract()?, origin))
                };
                match dict.is_empty() {
                    true => Err(option_error("give at least one network")),
                    false => dict.iter().map(one).collect(),
                }
            }
        }
    }
}

/// Compares the sensitivity of two sets of data, training and test, under one network or several.
///
/// `model` is a model, the path of an ONNX file, or a dict of several by name. `train` and `test` are samples, pairs of samples
/// and labels, or, with `model=None`, stores. The objective is about the predicted class: how easily is the decision moved?
/// For FI and its companions both distributions are compared, over all samples and class by class: Kolmogorov-Smirnov,
/// Mann-Whitney with the probability that a test sample has the larger value, quantiles with bootstrap intervals.
///
/// - `resamples`, `confidence`, `seed`: how often both sets are drawn again for the intervals, the share of resampled
///   differences that an interval holds, and the seed of the draws.
/// - other keywords as for `Model.score`.
///
/// >>> import quaver
/// >>> a, b = quaver.demo.glyphs(60, seed=1), quaver.demo.glyphs(60, seed=2)
/// >>> found = quaver.compare(quaver.demo.model(), (a.x, a.y), (b.x, b.y))
/// >>> found["measure"][0], found.overview.columns[:3]
/// ('fi', ['model', 'block', 'accuracy_train'])
#[pyfunction]
#[pyo3(signature = (model, train, test, *, resamples = 1000, confidence = 0.95, seed = 0, wrt = None, label = Choice::Word("predicted".to_owned()), objective = "nll", classes = None, lambda_ = 1.0, rtol = None, compat = None, strict = false, precision = "f32", winograd = true, threads = None, progress = None))]
#[allow(clippy::too_many_arguments, reason = "keyword arguments")]
pub fn compare<'py>(
    py: Python<'py>,
    model: Option<Networks<'py>>,
    train: Set<'py>,
    test: Set<'py>,
    resamples: usize,
    confidence: f64,
    seed: u64,
    wrt: Option<Wrt>,
    label: Choice,
    objective: &str,
    classes: Option<Choice>,
    lambda_: f64,
    rtol: Option<f64>,
    compat: Option<f64>,
    strict: bool,
    precision: &str,
    winograd: bool,
    threads: Option<usize>,
    progress: Option<bool>,
) -> PyResult<Py<Comparison>> {
    if !(confidence > 0.0 && confidence < 1.0) {
        return Err(option_error(format!(
            "confidence={confidence}: give a number between 0 and 1, such as 0.95"
        )));
    }
    let mut scoring = Scoring::new(
        wrt, &label, objective, classes, lambda_, rtol, compat, strict, precision, winograd,
        threads, progress,
    )?;
    let bootstrap = Bootstrap {
        n_resamples: resamples,
        confidence,
        seed,
    };
    let sets = [Read::of(py, train)?, Read::of(py, test)?];
    let networks: Vec<(String, Option<Origin<'py>>)> = match model {
        Some(model) => {
            let named = model.named(py)?.into_iter();
            named.map(|(name, origin)| (name, Some(origin))).collect()
        }
        None => vec![(String::new(), None)],
    };
    if let [
        Read::Kept(Origin::Store(train)),
        Read::Kept(Origin::Store(test)),
    ] = &sets
    {
        let (train, test) = (train.get().inner(), test.get().inner());
        train.check_same_network(test).map_err(raised)?;
    }
    let mut networks_found = Vec::new();
    let mut data_names = None;
    for (name, origin) in networks {
        let mut study: Option<CompareStudy> = None;
        let (mut kept, mut names) = (Vec::new(), Vec::new());
        for (side, set) in [Side::First, Side::Second].into_iter().zip(&sets) {
            let subject = match (&origin, set) {
                (Some(origin), Read::Samples(samples, labels)) => {
                    Subject::new(origin.clone(), Some(samples.again()?), labels.clone(), None)?
                }
                (None, Read::Kept(store @ Origin::Store(_))) => {
                    Subject::new(store.clone(), None, None, None)?
                }
                (Some(_), _) => {
                    return Err(option_error(
                        "give the samples of both sets for a model, or model=None for two stores",
                    ));
                }
                (None, _) => {
                    return Err(option_error(
                        "model=None is for two stores (quaver.fill); give a model with samples",
                    ));
                }
            };
            scoring = scoring.for_origin(&subject.origin, &["input"]);
            subject.with(&scoring.options, |source, _| {
                let study = study.get_or_insert_with(|| {
                    CompareStudy::new(source.description().n_outputs, bootstrap)
                });
                scoring.scores(py, source, |score| {
                    study.add(side, score);
                    Ok(())
                })
            })?;
            names.push(subject.data_name());
            kept.push(subject.keep());
        }
        let name = match (origin, &sets[0]) {
            (None, Read::Kept(Origin::Store(store))) => store.get().inner().network_name(),
            _ => name,
        };
        // Of two parts of the same data their own names say nothing.
        let named = match (&sets, names[0] == names[1]) {
            (
                [
                    Read::Kept(Origin::Store(train)),
                    Read::Kept(Origin::Store(test)),
                ],
                true,
            ) => (train.get().name(), test.get().name()),
            _ => (names[0].clone(), names[1].clone()),
        };
        data_names.get_or_insert(named);
        let Some(study) = study else { continue };
        let report = py.detach(|| study.finish()).map_err(raised)?;
        for (block, side) in &report.unmatched {
            let message = format!(
                "{block}: only the {} set has it; it is left out",
                side.name()
            );
            warn(py, &message)?;
        }
        let blocks = report.blocks;
        networks_found.push(Found { name, blocks, kept });
    }
    let found = Comparison {
        networks: networks_found,
        names: data_names.unwrap_or_default(),
        options: scoring.options,
        bootstrap,
    };
    let (columns, rows) = compared_table(&found.compared());
    let table = TableBuilder::of(columns, rows).finish(found.verdict())?;
    Py::new(py, PyClassInitializer::from(table).add_subclass(found))
}

/// What was found of one network.
struct Found {
    name: String,
    blocks: Vec<BlockComparison>,
    /// Both sets.
    kept: Vec<Kept>,
}

/// Two sets compared, measure by measure: what `quaver.compare` gives.
///
/// As a `Table` it has a row for every network, block, class (all of them first) and measure; "first" is the training set,
/// "second" the test set. p values called holm are corrected for the number of tests: the measures over all samples are one
/// family, those of all classes another.
#[pyclass(frozen, extends = Table, module = "quaver")]
pub struct Comparison {
    networks: Vec<Found>,
    names: (String, String),
    options: ScoreOptions,
    bootstrap: Bootstrap,
}

#[pymethods]
impl Comparison {
    /// Accuracy beside sensitivity: a row per network and block, medians of both sets.
    #[getter]
    fn overview(&self) -> PyResult<Table> {
        let (columns, rows) = overview_table(&self.compared());
        TableBuilder::of(columns, rows).finish(self.verdict())
    }

    /// The values of a measure in both sets, sorted: two arrays, (N_train,) and (N_test,).
    ///
    /// - `measure`: "fi", "saturation", "fi_lambda", "grad_norm", ..., as in the rows.
    /// - `model`, `block`: whose (default: the first).
    #[pyo3(signature = (measure = "fi_lambda", *, model = None, block = None))]
    #[allow(clippy::type_complexity, reason = "a pair")]
    fn values<'py>(
        &self,
        py: Python<'py>,
        measure: &str,
        model: Option<&str>,
        block: Option<&str>,
    ) -> PyResult<(Array<'py, f64>, Array<'py, f64>)> {
        let at = MEASURES.iter().position(|have| have.name == measure);
        let at = at.ok_or_else(|| option_error(format!("measure '{measure}': no such column")))?;
        let compared = self.compared();
        let found = compared.iter().find(|one| {
            model.is_none_or(|model| one.model == model)
                && block.is_none_or(|block| *one.block.block == *block)
        });
        let found = found.ok_or_else(|| option_error("there is no such network or block"))?;
        let sets = found.block.sets.each_ref().map(|set| {
            let mut values = set.values(at, None);
            values.sort_by(f64::total_cmp);
            values
        });
        let [first, second] = sets;
        let (n, m) = (first.len(), second.len());
        Ok((Array::new(py, first, &[n])?, Array::new(py, second, &[m])?))
    }

    /// Writes the page of `quaver compare` to `path` (.html), and its numbers beside it as JSON.
    fn report(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        let mut run = RunRecord::new()
            .with("quaver", env!("CARGO_PKG_VERSION"))
            .with("command", "compare")
            .with("resamples", self.bootstrap.n_resamples)
            .with("confidence", self.bootstrap.confidence)
            .with("seed", self.bootstrap.seed);
        let mut class_names = None;
        for network in &self.networks {
            for (set, kept) in ["train", "test"].into_iter().zip(&network.kept) {
                let subject = kept.subject(py)?;
                let of_set = subject.record("compare")?;
                let of_set = subject.with(&self.options, |source, _| {
                    let described = source.description();
                    class_names = class_names.take().or(described.class_names.clone());
                    Ok(record::of_scores(of_set, &self.options, described))
                })?;
                run = run.with(format!("{}, {set}", network.name), json!(of_set));
            }
        }
        let networks: Vec<&str> = self
            .networks
            .iter()
            .map(|found| found.name.as_str())
            .collect();
        let page = comparison_page(&networks, [&self.names.0, &self.names.1]);
        let sections = comparison(&self.compared(), class_names.as_deref());
        save_page(py, &path, page, sections, run)
    }

    /// A figure: the distribution functions of a measure in both sets, a network each.
    #[pyo3(signature = (measure = "fi_lambda", *, figsize = None))]
    fn plot<'py>(
        slf: &Bound<'py, Self>,
        measure: &str,
        figsize: Option<(f64, f64)>,
    ) -> PyResult<Figure<'py>> {
        let plots = slf.py().import("quaver._plot")?;
        let arguments = (slf, measure, figsize);
        Ok(Figure(plots.call_method1("comparison", arguments)?))
    }

    fn __repr__(&self) -> PyResult<String> {
        Ok(format!(
            "accuracy beside sensitivity (medians)\n\n{}",
            text::plain(&self.overview()?)
        ))
    }

    fn _repr_html_(&self) -> PyResult<String> {
        Ok(text::html(&self.overview()?))
    }
}

impl Comparison {
    fn compared(&self) -> Vec<Compared<'_>> {
        let mut all = Vec::new();
        for found in &self.networks {
            let model = found.name.as_str();
            let blocks = found.blocks.iter();
            all.extend(blocks.map(|block| Compared { model, block }));
        }
        all
    }

    fn verdict(&self) -> String {
        let compared = self.compared();
        let first = compared.first();
        first.map_or_else(String::new, |one| one.block.sets[1].summary.verdict())
    }
}
