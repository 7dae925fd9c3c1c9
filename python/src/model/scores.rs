//! Scores as a table, and what they say together.

use std::sync::atomic::AtomicBool;

use pyo3::prelude::*;
use quaver::{
    Dataset as _, Family, LabelChoice, Model, Network, ScoreOptions, ScoreTable, Source as _,
    Summary,
};

use crate::error::{data_error, raised};
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

/// What is scored.
pub struct Given<'a> {
    /// The samples, with labels if there are any.
    pub samples: &'a View<'a>,
    /// What the data say about each output, where a class is not enough.
    pub targets: Option<View<'a>>,
    /// Whether a sample that cannot be scored ends it all.
    pub strict: bool,
}

/// Scores every sample.
pub fn table(
    py: Python<'_>,
    model: &Model,
    given: &Given<'_>,
    options: &ScoreOptions,
    progress: Option<bool>,
) -> PyResult<Table> {
    let k = model.n_classes();
    let samples = given.samples;
    if matches!(model.family(), Family::Softmax | Family::Sigmoid) {
        quaver::check_labels(samples, k).map_err(|error| raised(error.into()))?;
        let needs_label = options.label == LabelChoice::True && given.targets.is_none();
        let has_label =
            samples.is_empty() || samples.label(0).map_err(|e| raised(e.into()))?.is_some();
        if needs_label && !has_label {
            return Err(data_error(
                "the data have no labels; give them (--labels) or use the predicted class (--label predicted)",
            ));
        }
    }
    let mut network = Network::new(model, samples, options).map_err(raised)?;
    if let Some(targets) = &given.targets {
        network = network.with_targets(targets).map_err(raised)?;
    }
    let form = ScoreTable::new(network.description(), options);
    let mut builder = TableBuilder::new(form.columns());
    let mut summaries = vec![Summary::new(k); network.description().blocks.len()];
    let mut n_scored = 0;
    let mut first_failure = None;
    detached(py, samples.len(), progress, |ticker| {
        let stop = AtomicBool::new(false);
        quaver::score_each(&network, options, &stop, |scored| {
            match scored {
                Ok(scores) => {
                    n_scored += 1;
                    for (score, summary) in scores.iter().zip(&mut summaries) {
                        builder.push(form.row(score));
                        summary.add(score);
                    }
                }
                Err(failure) if given.strict => return Err(failure.into_error()),
                Err(failure) => {
                    builder.push(form.failed_row(&failure));
                    first_failure.get_or_insert_with(|| failure.to_string());
                }
            }
            ticker.step()
        })
    })?;
    if n_scored == 0 {
        return Err(data_error(format!(
            "none of the {} samples could be scored: {}",
            samples.len(),
            first_failure.unwrap_or_default()
        )));
    }
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
