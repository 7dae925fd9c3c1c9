//! Scoring, as every task that reads scores does it: options, progress, samples that cannot be scored.

use std::sync::atomic::AtomicBool;

use pyo3::exceptions::PyUserWarning;
use pyo3::prelude::*;
use quaver::{
    Description, Error, Score, ScoreOptions, ScoreTable, Scored, Source, Summary, score_each,
};

use crate::error::data_error;
use crate::options::{Choice, Wrt, parsed, precision, threads};
use crate::run::detached;
use crate::subject::Origin;
use crate::table::{Table, TableBuilder};

/// From this share of saturated samples on, FI of a block says nothing that the probability does not.
const ALMOST_ALL: f64 = 0.95;

/// What is computed, and what happens on the way.
pub struct Scoring {
    /// What is computed.
    pub options: ScoreOptions,
    /// Whether a sample that cannot be scored ends it all.
    pub strict: bool,
    /// Whether there is a bar: if None, where somebody looks.
    pub progress: Option<bool>,
}

impl Scoring {
    /// The options that keyword arguments stand for.
    #[allow(clippy::too_many_arguments, reason = "keyword arguments")]
    pub fn new(
        wrt: Option<Wrt>,
        label: &Choice,
        objective: &str,
        classes: Option<Choice>,
        lambda: f64,
        rtol: Option<f64>,
        compat: Option<f64>,
        strict: bool,
        precision_name: &str,
        winograd: bool,
        n_threads: Option<usize>,
        progress: Option<bool>,
    ) -> PyResult<Self> {
        let classes = classes.map(|classes| parsed("classes", &classes.text()));
        Ok(Self {
            options: ScoreOptions {
                label: label.label()?,
                rtol,
                wrt: wrt.map_or_else(Vec::new, Wrt::terms),
                objective: parsed("objective", objective)?,
                classes: classes.transpose()?,
                winograd,
                lambda,
                compat,
                precision: precision(precision_name)?,
                threads: threads(n_threads)?,
            },
            strict,
            progress,
        })
    }

    /// The blocks of a network where none are named; a store then has all of its own.
    #[must_use]
    pub fn for_origin(mut self, origin: &Origin<'_>, blocks: &[&str]) -> Self {
        if self.options.wrt.is_empty() && matches!(origin, Origin::Model(_)) {
            self.options.wrt = blocks.iter().map(|&block| block.to_owned()).collect();
        }
        self
    }

    /// Hands every sample's scores, or why there are none, to `emit`, in order. Returns how many have none.
    pub fn each(
        &self,
        py: Python<'_>,
        source: &dyn Source,
        mut emit: impl FnMut(&Scored) -> Result<(), Error> + Send,
    ) -> PyResult<usize> {
        let n = source.description().n_samples;
        let (mut n_failed, mut first) = (0, None);
        detached(py, n, self.progress, |ticker| {
            let stop = AtomicBool::new(false);
            score_each(source, &self.options, &stop, |scored| {
                if let Err(failure) = &scored {
                    n_failed += 1;
                    first.get_or_insert_with(|| failure.to_string());
                }
                match scored {
                    Err(failure) if self.strict => return Err(failure.into_error()),
                    scored => emit(&scored)?,
                }
                ticker.step()
            })
        })?;
        match first {
            Some(first) if n_failed == n => Err(data_error(format!(
                "none of the {n} samples could be scored: {first}"
            ))),
            None if n == 0 => Err(data_error("the data have no samples")),
            _ => Ok(n_failed),
        }
    }

    /// The same for tasks that have no row for a sample without scores: Python is warned of those.
    pub fn scores(
        &self,
        py: Python<'_>,
        source: &dyn Source,
        mut emit: impl FnMut(&Score) -> Result<(), Error> + Send,
    ) -> PyResult<()> {
        let mut first = None;
        let n_failed = self.each(py, source, |scored| match scored {
            Ok(scores) => scores.iter().try_for_each(&mut emit),
            Err(failure) => {
                first.get_or_insert_with(|| failure.to_string());
                Ok(())
            }
        })?;
        left_out(py, n_failed, source.description().n_samples, first)
    }

    /// A row for every sample and block.
    pub fn table(&self, py: Python<'_>, source: &dyn Source) -> PyResult<Table> {
        let described: &Description = source.description();
        let form = ScoreTable::new(described, &self.options);
        let mut builder = TableBuilder::new(form.columns());
        let mut summaries = vec![Summary::new(described.n_outputs); described.blocks.len()];
        self.each(py, source, |scored| {
            match scored {
                Ok(scores) => {
                    for (score, summary) in scores.iter().zip(&mut summaries) {
                        builder.push(form.row(score));
                        summary.add(score);
                    }
                }
                Err(failure) => builder.push(form.failed_row(failure)),
            }
            Ok(())
        })?;
        builder.finish(note(&summaries))
    }
}

/// Warns of samples that a result does not have.
pub fn left_out(
    py: Python<'_>,
    n_failed: usize,
    n_samples: usize,
    first: Option<String>,
) -> PyResult<()> {
    let Some(first) = first else {
        return Ok(());
    };
    warn(
        py,
        &format!("{n_failed} of {n_samples} samples are left out; {first}"),
    )
}

/// Warns Python.
pub fn warn(py: Python<'_>, message: &str) -> PyResult<()> {
    let message = std::ffi::CString::new(message.replace('\0', " ")).unwrap_or_default();
    PyErr::warn(py, &py.get_type::<PyUserWarning>(), &message, 1)
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
