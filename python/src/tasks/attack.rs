//! `quaver.attack`: how far a sample is from being classified otherwise, and does a map find the weak spots?

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use pyo3::prelude::*;
use pyo3::types::PyDict;
use quaver::attack::{AttackTable, Curve};
use quaver::{AttackOptions, AttackSummary, Attacked, Bounds, Dataset as _, TargetChoice};
use quaver_report::Page;
use quaver_results::{Examples, attack_page, attack_table, remarks};
use quaver_store::record;

use crate::error::{data_error, of_report, option_error, raised};
use crate::hints::{Anything, Array, Facts, Figure, Grams};
use crate::options::{Choice, Wrt, parsed, precision as read_precision, threads as read_threads};
use crate::run::detached;
use crate::samples::{Labels, Samples};
use crate::scoring::left_out;
use crate::subject::{Given, Kept, Subject};
use crate::table::{Table, TableBuilder, text};

/// The range of the data, or the word "auto".
#[derive(FromPyObject)]
pub enum Range {
    /// The least and the greatest number.
    #[pyo3(transparent)]
    Given((f64, f64)),
    /// A word.
    #[pyo3(transparent)]
    Word(String),
}

/// One radius or several.
#[derive(FromPyObject)]
pub enum Radii {
    /// One.
    #[pyo3(transparent)]
    One(f64),
    /// Several.
    #[pyo3(transparent)]
    Several(Vec<f64>),
}

impl Radii {
    fn all(self) -> Vec<f64> {
        match self {
            Self::One(radius) => vec![radius],
            Self::Several(radii) => radii,
        }
    }
}

/// Attacks every sample: measures how robust the network is, and whether the map of FI finds its weak spots.
///
/// `model` is a model or the path of an ONNX file, with samples `x` and labels `y`. Only samples that the network classifies
/// as their label says are attacked. Perturbed samples never leave the range of the data. Radii are shares of that range.
/// A store's folder, or the store, stands for the files that it was made from, which must not have changed; `indices` choose
/// of its samples by their places in the data. Where it was made from arrays these are given again, and must be the same.
///
/// - `bounds`: (least, greatest) number of the data, or "auto" for what there is; known where the data are bytes.
/// - `attacks`: names, of "fi-pixel", "fi-lambda-pixel", "gradient-pixel", "reach-pixel", "random-pixel", "best-pixel",
///   "fgsm", "pgd-linf", "pgd-l2", "deepfool", "one-pixel", "mfi-pso"; "all", or "default" for the quick ones.
/// - `label`: class to lead away from, "true" (the label), "predicted" or a class; `target`: class to lead to, a number,
///   "second" or "least"; `probability`: what the class arrived at must have.
/// - `epsilon`: L-infinity radii of fgsm and pgd-linf; `epsilon_l2`: L2 radii of pgd-l2; `steps`, `step_size` (as a share of the
///   radius), `restarts` of projected gradient descent.
/// - `pixels`: most pixels that attacks on pixels may change; `static_map`: True takes them in the order of one map.
/// - `population`, `particles`, `generations`, `largest_change`: of one-pixel and mfi-pso.
/// - `compat`: FI of pixels, where fi-pixel and mfi-pso choose by it, in the published program's arithmetic with this EPS (0.001
///   there), per share of the range.
/// - `queries`: most forward passes per sample, attack and radius; `seed`: of all random choices.
/// - `strict`: True raises for the first sample that cannot be attacked; else it is a row with an `error`.
/// - other keywords as for `Model.score`.
///
/// >>> import quaver
/// >>> glyphs = quaver.demo.glyphs(20)
/// >>> found = quaver.attack(quaver.demo.model(), glyphs.x, glyphs.y, bounds=(0, 1), attacks=["fgsm", "deepfool"])
/// >>> found.summary.columns[:3], len(found.summary)
/// (['attack', 'radius', 'success'], 2)
#[pyfunction]
#[pyo3(signature = (model, x = None, y = None, *, indices = None, bounds = None, attacks = Wrt::One("default".to_owned()), label = Choice::Word("true".to_owned()), target = None, probability = 0.0, epsilon = Radii::One(8.0 / 255.0), epsilon_l2 = Radii::One(0.5), steps = 40, step_size = None, restarts = 1, pixels = 10, static_map = false, population = 400, particles = 40, generations = 100, largest_change = 1.0, queries = None, seed = 0, classes = None, lambda_ = 1.0, rtol = None, compat = None, strict = false, precision = "f32", winograd = true, threads = None, progress = None))]
#[allow(clippy::too_many_arguments, reason = "keyword arguments")]
pub fn attack<'py>(
    py: Python<'py>,
    model: Given<'py>,
    x: Option<Samples<'py>>,
    y: Option<Labels>,
    indices: Option<Vec<usize>>,
    bounds: Option<Range>,
    attacks: Wrt,
    label: Choice,
    target: Option<Choice>,
    probability: f64,
    epsilon: Radii,
    epsilon_l2: Radii,
    steps: usize,
    step_size: Option<f64>,
    restarts: usize,
    pixels: usize,
    static_map: bool,
    population: usize,
    particles: usize,
    generations: usize,
    largest_change: f64,
    queries: Option<u64>,
    seed: u64,
    classes: Option<Choice>,
    lambda_: f64,
    rtol: Option<f64>,
    compat: Option<f64>,
    strict: bool,
    precision: &str,
    winograd: bool,
    threads: Option<usize>,
    progress: Option<bool>,
) -> PyResult<Py<Attacks>> {
    let classes = classes.map(|classes| parsed("classes", &classes.text()));
    let target = target.map(|target| parsed::<TargetChoice>("target", &target.text()));
    let subject = Subject::of_network(py, model, x, y, indices)?;
    let network = subject.network()?;
    let view = subject.view(network)?;
    let stop = AtomicBool::new(false);
    let bounds = match bounds {
        None => None,
        Some(Range::Given((low, high))) if low < high => Some(Bounds { low, high }),
        Some(Range::Given((low, high))) => {
            return Err(option_error(format!(
                "bounds ({low}, {high}): the first number must be less than the second"
            )));
        }
        Some(Range::Word(word)) if word == "auto" => {
            Some(py.detach(|| Bounds::seen(&view, &stop)).map_err(raised)?)
        }
        Some(Range::Word(word)) => {
            return Err(option_error(format!(
                "bounds '{word}': give the least and the greatest number of the data: (0, 255); or \"auto\""
            )));
        }
    };
    let options = AttackOptions {
        attacks: attacks.terms(),
        label: label.label()?,
        target: target.transpose()?,
        probability,
        bounds,
        epsilon: epsilon.all(),
        epsilon_l2: epsilon_l2.all(),
        steps,
        step_size,
        restarts,
        pixels,
        static_map,
        population,
        particles,
        generations,
        largest_change,
        max_queries: queries,
        seed,
        lambda: lambda_,
        rtol,
        compat,
        classes: classes.transpose()?,
        winograd,
        precision: read_precision(precision)?,
        threads: read_threads(threads)?,
        ..AttackOptions::default()
    };
    let bounds = options.bounds_of(&view).map_err(raised)?;
    let plan = options.plan().map_err(raised)?;
    let form = AttackTable::new(&view, &options);
    let mut builder = TableBuilder::new(form.columns());
    let mut summary = AttackSummary::new();
    let (mut attacked, mut first, mut n_failed) = (Vec::new(), None, 0);
    detached(py, view.len(), progress, |ticker| {
        network.attack_each(&view, &options, &stop, |raided| {
            match raided {
                Ok(one) => {
                    summary.add(&one);
                    form.rows(&one).for_each(|row| builder.push(row));
                    attacked.push(one);
                }
                Err(failure) if strict => return Err(failure.into_error()),
                Err(failure) => {
                    n_failed += 1;
                    builder.push(form.failed_row(&failure));
                    first.get_or_insert_with(|| failure.to_string());
                }
            }
            ticker.step()
        })
    })?;
    if attacked.is_empty() {
        return Err(data_error(format!(
            "none of the {n_failed} samples could be attacked: {}",
            first.unwrap_or_default()
        )));
    }
    left_out(py, n_failed, view.len(), first)?;
    let table = builder.finish(remarks(&summary).join("\n"))?;
    let shape = view.shape().to_vec();
    drop(view);
    let found = Attacks {
        summary,
        attacked,
        shape,
        names: plan.iter().map(|(name, _)| *name).collect(),
        bounds,
        options,
        kept: subject.keep(),
    };
    Py::new(py, PyClassInitializer::from(table).add_subclass(found))
}

/// What attacks did to every sample: what `quaver.attack` gives.
///
/// As a `Table` it has a row for every sample, attack and radius. A success rate is what these attacks found, a lower bound on
/// what there is to find: robustness to them is no proof of robustness.
#[pyclass(frozen, extends = Table, module = "quaver")]
pub struct Attacks {
    summary: AttackSummary,
    attacked: Vec<Attacked>,
    shape: Vec<usize>,
    names: Vec<&'static str>,
    bounds: Bounds,
    options: AttackOptions,
    kept: Kept,
}

#[pymethods]
impl Attacks {
    /// A row for every attack and radius: how often it succeeds, with its interval, by what change, and at what cost.
    #[getter]
    fn summary(&self) -> PyResult<Table> {
        let (columns, rows) = attack_table(&self.summary);
        TableBuilder::of(columns, rows).finish(remarks(&self.summary).join("\n"))
    }

    /// The perturbed samples, those of every attack and radius: x_adv (M, *shape) in the numbers of the data, y, index,
    /// predicted, success, attack (a place in `attacks`) and epsilon (the radius, NaN without one), each (M,); the arrays of
    /// `quaver attack --save`.
    fn adversarial<'py>(&self, py: Python<'py>) -> PyResult<Facts<'py>> {
        let mut names = self.names.clone();
        names.dedup();
        let mut trials = Vec::new();
        for one in &self.attacked {
            let tried = one.trials.iter();
            let tried = tried.filter_map(|t| Some((t.attack, t.epsilon, t.outcome.as_ref()?)));
            trials.extend(tried.map(|trial| (one.index, one.label, trial)));
        }
        let trials = || trials.iter();
        let m = trials().count();
        let arrays = PyDict::new(py);
        let x: Vec<f64> = trials().flat_map(|(_, _, t)| t.2.raw.clone()).collect();
        let shape = [&[m], self.shape.as_slice()].concat();
        arrays.set_item("x_adv", Array::new(py, x, &shape)?)?;
        let whole = |name: &str, values: Vec<i64>| -> PyResult<()> {
            arrays.set_item(name, Array::new(py, values, &[m])?)
        };
        whole("y", trials().map(|&(_, label, _)| label as i64).collect())?;
        whole("index", trials().map(|&(index, ..)| index as i64).collect())?;
        let predicted = trials().map(|(_, _, t)| t.2.predicted as i64);
        whole("predicted", predicted.collect())?;
        let place = |name: &str| names.iter().position(|have| *have == name).unwrap_or(0);
        whole(
            "attack",
            trials().map(|(_, _, t)| place(t.0) as i64).collect(),
        )?;
        let success = trials().map(|(_, _, t)| u8::from(t.2.success)).collect();
        arrays.set_item("success", Array::new(py, success, &[m])?)?;
        let epsilon = trials().map(|(_, _, t)| t.1.unwrap_or(f64::NAN)).collect();
        arrays.set_item("epsilon", Array::new(py, epsilon, &[m])?)?;
        let names = py.import("numpy")?.call_method1("array", (names,))?;
        arrays.set_item("attacks", Anything(names))?;
        Ok(Facts(arrays))
    }

    /// Success within a budget, by attack: {name: (points, 2)}, the budget and the share of attacked samples on which the attack
    /// succeeded without spending more.
    ///
    /// `over` is "linf", "l2" (norms as shares of the range), "pixels" or "queries" (forward passes).
    #[pyo3(signature = (over = "l2"))]
    fn curves<'py>(&self, py: Python<'py>, over: &str) -> PyResult<Grams<'py>> {
        let curve = Curve::ALL.into_iter().find(|curve| curve.name() == over);
        let curve = curve.ok_or_else(|| {
            let names = Curve::ALL.map(Curve::name).join(", ");
            option_error(format!("over '{over}': there are {names}"))
        })?;
        let curves = PyDict::new(py);
        for (name, points) in self.summary.curves(curve) {
            let flat = points.iter().flat_map(|&(x, y)| [x, y]).collect();
            curves.set_item(name, Array::new(py, flat, &[points.len(), 2])?)?;
        }
        Ok(Grams(curves))
    }

    /// Writes the page of `quaver attack` to `path` (.html), and its numbers beside it as JSON.
    fn report(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        let subject = self.kept.subject(py)?;
        let run = subject.record_of_pictures("attack", false)?;
        let view = subject.view(subject.network()?)?;
        let run = record::of_attacks(run, &self.options, self.bounds, view.class_names());
        let mut examples = Examples::new(&view, self.bounds, true);
        self.attacked.iter().for_each(|one| examples.add(one));
        let page: Page =
            attack_page(self.bounds, &self.summary, &examples, run).map_err(of_report)?;
        py.detach(|| page.save(&path)).map_err(of_report)?;
        Ok(())
    }

    /// A figure: success within a budget, `over` as for `curves`.
    #[pyo3(signature = (over = "l2", *, figsize = None))]
    fn plot<'py>(
        slf: &Bound<'py, Self>,
        over: &str,
        figsize: Option<(f64, f64)>,
    ) -> PyResult<Figure<'py>> {
        let plots = slf.py().import("quaver._plot")?;
        Ok(Figure(plots.call_method1("attacks", (slf, over, figsize))?))
    }

    fn __repr__(&self) -> PyResult<String> {
        Ok(format!(
            "{} samples, {} of them classified as their label says\n\n{}",
            self.summary.n_samples(),
            self.summary.n_correct(),
            text::plain(&self.summary()?)
        ))
    }

    fn _repr_html_(&self) -> PyResult<String> {
        Ok(text::html(&self.summary()?))
    }
}
