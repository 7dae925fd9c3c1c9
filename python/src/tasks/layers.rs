//! `quaver.layers`: which layers of a network matter, and is it so?

use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::prelude::*;
use quaver::ScoreOptions;
use quaver::layers::{LAYER_MEASURES, LayerReport, LayerStudy};
use quaver::table::{Column, Kind, Value};
use quaver::verify::{Disturbance, Verification, VerifyOptions, verify_layers};
use quaver_report::RunRecord;
use quaver_results::{
    agreement_table, disturbed_table, layer_columns, layer_row, layers_page, layers_sections,
    left_out,
};
use quaver_store::record;
use serde_json::{Value as Json, json};

use super::compare::Networks;
use super::save_page;
use crate::error::option_error;
use crate::hints::{Array, Figure};
use crate::options::{Choice, Wrt};
use crate::run::detached;
use crate::samples::{Labels, Samples};
use crate::scoring::Scoring;
use crate::subject::{Kept, Origin, Subject};
use crate::table::{Table, TableBuilder, text};

/// Compares the layers of a network, or of several: FI of each layer and of all parameters, and what does not saturate.
///
/// `model` is a model, the path of an ONNX file, a dict of several by name, or a `Store`. A layer with K - 1 parameters or
/// more usually reaches FI's ceiling, so that FI is the same for all: compare noise_kl, the divergence that noise relative to the
/// layer's size causes. To disturb its layers, a store opens the files that it was made from; where these were arrays they are
/// given again.
///
/// - `wrt`: blocks (default: every layer, and all parameters together).
/// - `verify`: "noise" (of a length relative to the layer's), "knockout" (of a share of its parameters) or "knockout-units" (of
///   a share of its output channels or outputs, each with its weights and its bias) disturbs every layer for real; `disturbed`
///   and `agreement` then hold what the network does against the prediction.
/// - `strengths`, `draws`, `seed`: how strongly, how often per layer and strength, and the seed of the draws.
/// - other keywords as for `Model.score`.
///
/// >>> import quaver
/// >>> glyphs = quaver.demo.glyphs(40)
/// >>> found = quaver.layers(quaver.demo.model(), glyphs.x, glyphs.y)
/// >>> len(found), bool((found["saturated_share"] > 0.9).all())
/// (6, True)
#[pyfunction]
#[pyo3(signature = (model, x = None, y = None, *, verify = None, strengths = vec![0.01, 0.1, 0.3], draws = 3, seed = 0, wrt = None, label = Choice::Word("true".to_owned()), objective = "nll", classes = None, lambda_ = 1.0, rtol = None, compat = None, targets = None, strict = false, precision = "f32", winograd = true, threads = None, progress = None))]
#[allow(clippy::too_many_arguments, reason = "keyword arguments")]
pub fn layers<'py>(
    py: Python<'py>,
    model: Networks<'py>,
    x: Option<Samples<'py>>,
    y: Option<Labels>,
    verify: Option<&str>,
    strengths: Vec<f64>,
    draws: usize,
    seed: u64,
    wrt: Option<Wrt>,
    label: Choice,
    objective: &str,
    classes: Option<Choice>,
    lambda_: f64,
    rtol: Option<f64>,
    compat: Option<f64>,
    targets: Option<Samples<'py>>,
    strict: bool,
    precision: &str,
    winograd: bool,
    threads: Option<usize>,
    progress: Option<bool>,
) -> PyResult<Py<Layers>> {
    let mut scoring = Scoring::new(
        wrt, &label, objective, classes, lambda_, rtol, compat, strict, precision, winograd,
        threads, progress,
    )?;
    let verify = match verify {
        None => None,
        Some(how) => Some(VerifyOptions {
            disturbance: disturbance(how)?,
            strengths,
            draws,
            seed,
            precision: scoring.options.precision,
            threads: scoring.options.threads,
        }),
    };
    let mut networks = Vec::new();
    for (name, origin) in model.named(py)? {
        // A store's network and data, before what takes long.
        let reopened = match (&origin, &verify) {
            (Origin::Store(store), Some(_)) => {
                let found = Subject::of_store(py, store, again(&x)?, y.clone(), None);
                Some(found?)
            }
            _ => None,
        };
        let (x, y) = match reopened {
            Some(_) => (None, None),
            None => (again(&x)?, y.clone()),
        };
        let subject = Subject::new(origin, x, y, again(&targets)?)?;
        scoring = scoring.for_origin(&subject.origin, &["layers", "params"]);
        let (report, blocks, precision) = subject.with(&scoring.options, |source, _| {
            let mut study = LayerStudy::default();
            scoring.scores(py, source, |score| {
                study.add(score);
                Ok(())
            })?;
            let described = source.description();
            let (blocks, precision) = (described.blocks.clone(), described.precision);
            Ok((py.detach(|| study.finish()), blocks, precision))
        })?;
        let verification = match &verify {
            None => None,
            Some(options) => Some(verified(
                py,
                reopened.as_ref().unwrap_or(&subject),
                (&blocks, &report),
                &VerifyOptions {
                    precision,
                    ..options.clone()
                },
                progress,
            )?),
        };
        networks.push(Found {
            network: name,
            report,
            verification,
            kept: subject.keep(),
        });
    }
    let mut builder = TableBuilder::new(layer_columns());
    for found in &networks {
        for layer in &found.report.layers {
            builder.push(layer_row(&found.network, layer));
        }
    }
    let note: Vec<String> = networks
        .iter()
        .map(|found| found.report.verdict())
        .collect();
    let table = builder.finish(note.join("\n"))?;
    let found = Layers {
        networks,
        options: scoring.options,
        verify,
    };
    Py::new(py, PyClassInitializer::from(table).add_subclass(found))
}

/// What one network came to.
struct Found {
    network: String,
    report: LayerReport,
    verification: Option<Verification>,
    kept: Kept,
}

/// The layers of a network, or of several: what `quaver.layers` gives.
///
/// As a `Table` it has a row for every network and layer, with medians and quartiles of every measure.
#[pyclass(frozen, extends = Table, module = "quaver")]
pub struct Layers {
    networks: Vec<Found>,
    options: ScoreOptions,
    verify: Option<VerifyOptions>,
}

#[pymethods]
impl Layers {
    /// What disturbing each layer for real came to: a row per network, layer and strength, with the observed divergence
    /// KL(p || p') and the predicted one in nats. Its `note` names layers whose units are not known, which are left out.
    /// None without `verify`.
    #[getter]
    fn disturbed(&self) -> PyResult<Option<Table>> {
        let note = self.networks.iter().filter_map(|found| {
            let verification = found.verification.as_ref()?;
            left_out(verification, str::to_owned)
        });
        let note = note.collect::<Vec<String>>().join("\n");
        self.of_verifications(note, |found| disturbed_table(found, str::to_owned))
    }

    /// How well each measure orders the layers as the observed divergence does: Spearman's rank correlation, a row per
    /// network, measure and strength. None without `verify`.
    #[getter]
    fn agreement(&self) -> PyResult<Option<Table>> {
        self.of_verifications(String::new(), agreement_table)
    }

    /// The values of a measure at one layer, a number for each sample that was scored, (N,); NaN where it has none.
    ///
    /// - `layer`: a name as in the column "layer"; `measure`: a name as in the columns of medians.
    /// - `network`: whose (default: the first).
    #[pyo3(signature = (layer, measure = "noise_kl", *, network = None))]
    fn values<'py>(
        &self,
        py: Python<'py>,
        layer: &str,
        measure: &str,
        network: Option<&str>,
    ) -> PyResult<Array<'py, f64>> {
        is_measure(measure)?;
        let is_it = |found: &&Found| network.is_none_or(|network| found.network == network);
        let found = self.networks.iter().find(is_it);
        let layers = found.map_or(&[][..], |found| found.report.layers.as_slice());
        let found = layers.iter().find(|have| *have.block == *layer);
        let found = found.ok_or_else(|| {
            option_error(format!(
                "layer '{layer}': there is none of that name; the column layer has them"
            ))
        })?;
        let values: Vec<f64> = found
            .values(measure)
            .iter()
            .map(|value| value.unwrap_or(f64::NAN))
            .collect();
        let n = values.len();
        Array::new(py, values, &[n])
    }

    /// Writes the page of `quaver layers` to `path` (.html), and its numbers beside it as JSON. Layers are ranked by the median
    /// of the measure `rank_by`, by the mean of noise_kl.
    #[pyo3(signature = (path, *, rank_by = "noise_kl"))]
    fn report(&self, py: Python<'_>, path: PathBuf, rank_by: &str) -> PyResult<()> {
        is_measure(rank_by)?;
        let mut records = Vec::new();
        for found in &self.networks {
            let subject = found.kept.subject(py)?;
            let run = subject.record("layers")?;
            let run = subject.with(&self.options, |source, _| {
                Ok(record::of_scores(run, &self.options, source.description()))
            })?;
            records.push(match &self.verify {
                None => run,
                Some(verify) => run
                    .with("verify", verify.disturbance.name())
                    .with("strengths", verify.strengths.clone())
                    .with("draws", verify.draws)
                    .with("seed", verify.seed),
            });
        }
        let run = match records.as_slice() {
            [one] => one.clone(),
            _ => {
                let runs: Vec<Json> = records.iter().map(|run| json!(run)).collect();
                RunRecord::new()
                    .with("command", "layers")
                    .with("runs", runs)
            }
        };
        let names: Vec<&str> = self.networks.iter().map(|found| &*found.network).collect();
        let data = match self.networks.first() {
            Some(first) => first.kept.subject(py)?.data_name(),
            None => String::new(),
        };
        let page = layers_page(&names, &data);
        let section = |found: &Found| {
            let verification = found.verification.as_ref();
            let is_alone = self.networks.len() == 1;
            layers_sections(
                &found.network,
                &found.report,
                verification,
                rank_by,
                is_alone,
            )
        };
        let sections = self.networks.iter().flat_map(section).collect();
        save_page(py, &path, page, sections, run)
    }

    /// A figure: boxes of a measure over the samples, layer by layer, beside the saturation of FI.
    #[pyo3(signature = (measure = "noise_kl", *, network = None, figsize = None))]
    fn plot<'py>(
        slf: &Bound<'py, Self>,
        measure: &str,
        network: Option<&str>,
        figsize: Option<(f64, f64)>,
    ) -> PyResult<Figure<'py>> {
        let plots = slf.py().import("quaver._plot")?;
        let arguments = (slf, measure, network, figsize);
        Ok(Figure(plots.call_method1("layers", arguments)?))
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        let table = text::plain(slf.as_super().get());
        Ok(match slf.get().agreement()? {
            None => table,
            Some(agreement) => format!(
                "{table}\n\nagreement of the order of layers with the observed divergence\n\n{}",
                text::plain(&agreement)
            ),
        })
    }

    fn _repr_html_(slf: &Bound<'_, Self>) -> PyResult<String> {
        let table = text::html(slf.as_super().get());
        let agreement = slf.get().agreement()?;
        Ok(table + &agreement.as_ref().map_or_else(String::new, text::html))
    }
}

impl Layers {
    /// A table of every network's verification, the network before it.
    fn of_verifications(
        &self,
        note: String,
        table: impl Fn(&Verification) -> (Vec<Column>, Vec<Vec<Value>>),
    ) -> PyResult<Option<Table>> {
        let mut builder: Option<TableBuilder> = None;
        for found in &self.networks {
            let Some(verification) = &found.verification else {
                continue;
            };
            let (columns, rows) = table(verification);
            let builder = builder.get_or_insert_with(|| {
                let network = Column::new("network", Kind::Text, "The network.");
                TableBuilder::new(std::iter::once(network).chain(columns).collect())
            });
            for mut row in rows {
                row.insert(0, found.network.as_str().into());
                builder.push(row);
            }
        }
        builder.map(|builder| builder.finish(note)).transpose()
    }
}

/// Whether there is a measure of that name.
fn is_measure(name: &str) -> PyResult<()> {
    if LAYER_MEASURES.iter().any(|have| have.name == name) {
        return Ok(());
    }
    let names: Vec<&str> = LAYER_MEASURES.iter().map(|have| have.name).collect();
    Err(option_error(format!(
        "measure '{name}': there are {}",
        names.join(", ")
    )))
}

/// The same samples once more, for another network.
fn again<'py>(samples: &Option<Samples<'py>>) -> PyResult<Option<Samples<'py>>> {
    samples.as_ref().map(Samples::again).transpose()
}

/// What is done to a layer.
fn disturbance(how: &str) -> PyResult<Disturbance> {
    match how {
        "noise" => Ok(Disturbance::Noise),
        "knockout" => Ok(Disturbance::Knockout),
        "knockout-units" => Ok(Disturbance::KnockoutUnits),
        _ => Err(option_error(format!(
            "verify '{how}': give noise, knockout or knockout-units"
        ))),
    }
}

/// Disturbs every layer of a network.
fn verified(
    py: Python<'_>,
    subject: &Subject<'_>,
    (blocks, report): (&[quaver::Block], &LayerReport),
    options: &VerifyOptions,
    progress: Option<bool>,
) -> PyResult<Verification> {
    let Origin::Model(model) = &subject.origin else {
        return Err(option_error("verify: give a model with samples"));
    };
    let model = model.get();
    let (view, load) = (subject.view(model.inner())?, model.options());
    // The network is read anew for each disturbance, from a file.
    let mut file = None;
    let path = match model.path() {
        Some(path) => path.to_owned(),
        None => {
            let mut named = tempfile::NamedTempFile::new()?;
            named.write_all(&model.onnx()?)?;
            named.flush()?;
            let path = named.path().to_owned();
            file = Some(named);
            path
        }
    };
    let n_runs = blocks.len() * options.strengths.len() * options.draws;
    let found = detached(py, n_runs, progress, |ticker| {
        let stop = AtomicBool::new(false);
        let step = || {
            if ticker.step().is_err() {
                stop.store(true, Ordering::Relaxed);
            }
        };
        verify_layers(&path, load, &view, (blocks, report), options, &stop, step)
    });
    drop(file);
    found
}
