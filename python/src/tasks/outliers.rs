//! `quaver.outliers`: which samples are unlike what the network learnt, and which measure says so.

use std::path::PathBuf;

use pyo3::prelude::*;
use quaver::outliers::{OutlierBlock, OutlierReport, OutlierStudy};
use quaver::table::{Column, Kind, Value};
use quaver::{MEASURES, ScoreOptions};
use quaver_report::Page;
use quaver_results::study;

use super::save_page;
use crate::error::option_error;
use crate::hints::{Array, Figure};
use crate::options::{Choice, Wrt};
use crate::samples::{Flags, Labels, Samples};
use crate::scoring::Scoring;
use crate::subject::{Given, Kept, Subject};
use crate::table::{Table, TableBuilder, text};

/// Ranks samples by how unlike they are what the network learnt, and says which measure finds known outliers.
///
/// `model` is a model or the path of an ONNX file, with samples `x` and labels `y`; or a `Store` alone. `truth` says which
/// samples are outliers, (N,) of 0 and 1 by position in the data, where that is known: `detection` then has the areas under the
/// ROC and precision-recall curves of every measure. `rank_by` is the measure of the ranking. Other keywords as for
/// `Model.score`; the objective is about the label in the data.
///
/// >>> import quaver
/// >>> glyphs = quaver.demo.glyphs(400)
/// >>> found = quaver.outliers(quaver.demo.model(), glyphs.x, glyphs.y, truth=glyphs.truth != "clean")
/// >>> found.detection["measure"][0], bool(found.detection["roc_auc"][0] > 0.9)
/// ('fi', True)
#[pyfunction]
#[pyo3(signature = (model, x = None, y = None, *, truth = None, rank_by = "fi", wrt = None, label = Choice::Word("true".to_owned()), objective = "nll", classes = None, lambda_ = 1.0, rtol = None, compat = None, targets = None, strict = false, precision = "f32", winograd = true, threads = None, progress = None))]
#[allow(clippy::too_many_arguments, reason = "keyword arguments")]
pub fn outliers<'py>(
    py: Python<'py>,
    model: Given<'py>,
    x: Option<Samples<'py>>,
    y: Option<Labels>,
    truth: Option<Flags>,
    rank_by: &str,
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
) -> PyResult<Py<Outliers>> {
    let scoring = Scoring::new(
        wrt, &label, objective, classes, lambda_, rtol, compat, strict, precision, winograd,
        threads, progress,
    )?;
    let rank_by = named(rank_by)?;
    let origin = model.read(py)?;
    let subject = Subject::new(origin, x, y, targets)?;
    let scoring = scoring.for_origin(&subject.origin, &["input"]);
    let truth = truth.map(|Flags(truth)| truth);
    let report = subject.with(&scoring.options, |source, _| {
        let mut gathered = OutlierStudy::new(source.description().n_outputs, truth);
        scoring.scores(py, source, |score| gathered.add(score))?;
        let of_truth = |error: quaver::Error| option_error(format!("truth: {error}"));
        gathered.finish().map_err(of_truth)
    })?;
    let table = rows(&report)?;
    let found = Outliers {
        report,
        rank_by,
        options: scoring.options,
        kept: subject.keep(),
    };
    Py::new(py, PyClassInitializer::from(table).add_subclass(found))
}

/// The samples with their measures, and how well each measure finds known outliers: what `quaver.outliers` gives.
///
/// As a `Table` it has a row for every sample and perturbed block.
#[pyclass(frozen, extends = Table, module = "quaver")]
pub struct Outliers {
    report: OutlierReport,
    rank_by: &'static str,
    options: ScoreOptions,
    kept: Kept,
}

#[pymethods]
impl Outliers {
    /// Which measure finds the known outliers: a row per block and measure, the best by PR-AUC first. Without known outliers,
    /// how each measure's ranking agrees with that by FI (Spearman's rank correlation).
    #[getter]
    fn detection(&self) -> PyResult<Table> {
        let mut builder: Option<TableBuilder> = None;
        for block in &self.report.blocks {
            let (columns, rows) = block.detection_table();
            let builder = builder.get_or_insert_with(|| {
                let mut all = vec![Column::new("block", Kind::Text, "What is perturbed.")];
                all.extend(columns);
                TableBuilder::new(all)
            });
            for mut row in rows {
                row.insert(0, Value::Text(block.block.to_string()));
                builder.push(row);
            }
        }
        let verdict = |block: &OutlierBlock| block.summary.verdict();
        let note = self.report.blocks.first().map(verdict).unwrap_or_default();
        builder
            .unwrap_or_else(|| TableBuilder::new(Vec::new()))
            .finish(note)
    }

    /// The samples of one block, the most suspicious first, by a measure in which small may be suspicious.
    ///
    /// - `n`: how many (default: all).
    /// - `by`: "fi", "saturation", "fi_lambda", "grad_norm", "jacobian_norm", "fisher_trace", "margin_radius", "p_label"
    ///   (default: `rank_by`).
    /// - `block`: which block (default: the first).
    #[pyo3(signature = (n = None, *, by = None, block = None))]
    fn ranking(&self, n: Option<usize>, by: Option<&str>, block: Option<&str>) -> PyResult<Table> {
        let block = self.block(block)?;
        let by = by.map_or(Ok(self.rank_by), named)?;
        let mut builder = TableBuilder::new(block.columns());
        for at in block
            .ranked_by(by)
            .into_iter()
            .take(n.unwrap_or(usize::MAX))
        {
            builder.push(block.row(&block.samples[at]));
        }
        builder.finish(block.summary.verdict())
    }

    /// The ROC curve of a measure: (points, 2), the share of other samples ranked as high (false positives) and the share of
    /// outliers found, both from 0 to 1.
    #[pyo3(signature = (measure = "fi", *, block = None))]
    fn roc<'py>(
        &self,
        py: Python<'py>,
        measure: &str,
        block: Option<&str>,
    ) -> PyResult<Array<'py, f64>> {
        points(py, &self.found(measure, block)?.roc.points)
    }

    /// The precision-recall curve of a measure: (points, 2), the share of outliers found and the share of outliers in what is
    /// retrieved, both from 0 to 1.
    #[pyo3(signature = (measure = "fi", *, block = None))]
    fn precision_recall<'py>(
        &self,
        py: Python<'py>,
        measure: &str,
        block: Option<&str>,
    ) -> PyResult<Array<'py, f64>> {
        points(py, &self.found(measure, block)?.precision_recall.points)
    }

    /// How many samples are known to be outliers; None where nothing is known.
    #[getter]
    fn n_outliers(&self) -> Option<usize> {
        self.report
            .blocks
            .first()
            .and_then(OutlierBlock::n_outliers)
    }

    /// Writes the page of `quaver outliers` to `path` (.html), one file that needs no network, and its numbers beside it as
    /// JSON. Pictures are of the samples as they are now.
    fn report(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        let of_page = &self.options;
        self.kept
            .for_page(py, "outliers", of_page, |subject, subjects, record| {
                let record = record.with("truth", self.n_outliers().map(|_| "truth"));
                let page = Page::new(format!("Outliers in {}", subject.data_name())).lead(format!(
                    "How strongly the loss of {} reacts to a change of each sample, and which samples stand out.",
                    subject.model_name()
                ));
                let sections = study(&self.report, subjects, self.rank_by, "");
                save_page(py, &path, page, sections, record)
            })
    }

    /// A figure: ROC and precision-recall curves where outliers are known, else FI and fi_lambda of the samples whose label
    /// the network agrees with and of the others.
    #[pyo3(signature = (*, figsize = None))]
    fn plot<'py>(slf: &Bound<'py, Self>, figsize: Option<(f64, f64)>) -> PyResult<Figure<'py>> {
        let plots = slf.py().import("quaver._plot")?;
        Ok(Figure(plots.call_method1("outliers", (slf, figsize))?))
    }

    fn __repr__(&self) -> PyResult<String> {
        let by = self.rank_by;
        let ranking = text::plain(&self.ranking(None, None, None)?);
        let detection = text::plain(&self.detection()?);
        Ok(format!(
            "samples, the most suspicious by {by} first\n\n{ranking}\n\nwhich measure finds them\n\n{detection}"
        ))
    }

    fn _repr_html_(&self) -> PyResult<String> {
        let ranking = text::html(&self.ranking(None, None, None)?);
        Ok(ranking + &text::html(&self.detection()?))
    }
}

impl Outliers {
    fn block(&self, name: Option<&str>) -> PyResult<&OutlierBlock> {
        let is_it = |block: &&OutlierBlock| name.is_none_or(|name| *block.block == *name);
        let names = || -> Vec<&str> { self.report.blocks.iter().map(|b| &*b.block).collect() };
        self.report.blocks.iter().find(is_it).ok_or_else(|| {
            option_error(format!(
                "block '{}': there are {}",
                name.unwrap_or_default(),
                names().join(", ")
            ))
        })
    }

    fn found(&self, measure: &str, block: Option<&str>) -> PyResult<&quaver::curves::Detection> {
        let measure = named(measure)?;
        let found = self.block(block)?.detections.iter();
        let found = found.map(|(have, found)| (have.name, found));
        let mut found = found.filter(|(name, _)| *name == measure);
        found.next().map(|(_, found)| found).ok_or_else(|| {
            option_error(format!(
                "{measure} has no curve: which samples are outliers was not given (truth), or it has no value for some"
            ))
        })
    }
}

/// A measure by its name.
fn named(measure: &str) -> PyResult<&'static str> {
    let names = MEASURES.each_ref().map(|have| have.name);
    let found = names.into_iter().find(|name| *name == measure);
    found.ok_or_else(|| {
        option_error(format!(
            "measure '{measure}': there are {}",
            names.join(", ")
        ))
    })
}

/// A row per sample and block, as the command line writes them.
fn rows(report: &OutlierReport) -> PyResult<Table> {
    let Some(first) = report.blocks.first() else {
        return TableBuilder::new(Vec::new()).finish(String::new());
    };
    let mut columns = first.columns();
    columns.insert(1, Column::new("block", Kind::Text, "What is perturbed."));
    let mut builder = TableBuilder::new(columns);
    for block in &report.blocks {
        for sample in &block.samples {
            let mut row = block.row(sample);
            row.insert(1, Value::Text(block.block.to_string()));
            builder.push(row);
        }
    }
    builder.finish(first.summary.verdict())
}

fn points<'py>(py: Python<'py>, points: &[(f64, f64)]) -> PyResult<Array<'py, f64>> {
    let flat = points.iter().flat_map(|&(x, y)| [x, y]).collect();
    Array::new(py, flat, &[points.len(), 2])
}
