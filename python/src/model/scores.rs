//! Scores as a table, and what they say together.

use std::sync::atomic::AtomicBool;

use pyo3::prelude::*;
use quaver::{Dataset as _, LabelChoice, Model, ScoreOptions, ScoreTable, Summary};

use crate::error::raised;
use crate::options::{Choice, Wrt, parsed, precision, threads};
use crate::run::detached;
use crate::samples::View;
use crate::table::{Table, TableBuilder};

/// From this share of saturated samples on, FI of a block says nothing that the probability does not.
const ALMOST_ALL: f64 = 0.95;

/// The options that keyword arguments stand for.
#[allow(clippy::too_many_arguments, reason = "keyword arguments")]
pub fn options(
    wrt: Wrt,
    label: &Choice,
    objective: &str,
    classes: Option<Choice>,
    lambda: f64,
    rtol: Option<f64>,
    compat: Option<f64>,
    precision_name: &str,
    winograd: bool,
    n_threads: Option<usize>,
) -> PyResult<ScoreOptions> {
    let classes = classes.map(|classes| parsed("classes", &classes.text()));
    Ok(ScoreOptions {
        label: label.label()?,
        rtol,
        wrt: wrt.terms(),
        objective: parsed("objective", objective)?,
        classes: classes.transpose()?,
        winograd,
        lambda,
        compat,
        precision: precision(precision_name)?,
        threads: threads(n_threads)?,
    })
}

/// Scores every sample.
pub fn table(
    py: Python<'_>,
    model: &Model,
    view: &View<'_>,
    options: &ScoreOptions,
    progress: Option<bool>,
) -> PyResult<Table> {
    let k = model.n_classes();
    if options.label == LabelChoice::True {
        quaver::check_labels(view, k).map_err(|error| raised(error.into()))?;
    }
    let blocks = model.blocks(&options.wrt).map_err(raised)?;
    let form = ScoreTable::new(view, k, options);
    let mut builder = TableBuilder::new(form.columns());
    let mut summaries = vec![Summary::new(k); blocks.len()];
    let mut n_scores = 0;
    detached(py, view.len(), progress, |ticker| {
        let stop = AtomicBool::new(false);
        model.score_each(view, options, &stop, |score| {
            builder.push(form.row(&score));
            // A sample's scores come in the order of the blocks.
            summaries[n_scores % blocks.len()].add(&score);
            n_scores += 1;
            match n_scores % blocks.len() {
                0 => ticker.step(),
                _ => Ok(()),
            }
        })
    })?;
    builder.finish(note(&summaries))
}

/// What the saturation means for the reader.
fn note(summaries: &[Summary]) -> String {
    if let [summary] = summaries {
        return summary.verdict();
    }
    let saturated = |summary: &&Summary| summary.saturated_share() >= Some(ALMOST_ALL);
    match summaries.iter().filter(saturated).count() {
        0 => "FI is saturated for almost all samples of none of the blocks.".to_owned(),
        n => format!(
            "FI is saturated for almost all samples of {n} of {} blocks: there it depends on the probability of the \
             label alone; compare blocks by fi_lambda, fisher_trace or, relative to their size, rel_fisher_trace.",
            summaries.len()
        ),
    }
}
