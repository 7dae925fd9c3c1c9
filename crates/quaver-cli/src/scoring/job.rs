//! A run over all samples: progress, failures, and what the outputs say about where they come from.

use std::path::{Path, PathBuf};

use quaver::{
    Dataset, Description, Error, ErrorKind, LabelChoice, Model, Network, ScoreOptions, Scored,
    Source, score_each,
};
use quaver_report::RunRecord;
use serde_json::json;

use super::ScoringArgs;
use crate::console::Console;
use crate::failure::Failure;
use crate::interrupt::stop_flag;
use crate::record;

/// How many failed samples are told of one by one.
const TOLD: usize = 5;

/// A model and data, opened.
pub struct Job<'a> {
    pub(super) args: &'a ScoringArgs,
    pub options: ScoreOptions,
    pub(super) file: PathBuf,
    pub(super) data: PathBuf,
    pub(super) model: Model,
    /// The samples themselves, for pictures of them.
    pub dataset: Box<dyn Dataset>,
    pub(super) targets: Option<Box<dyn Dataset>>,
}

/// How many samples were scored, and how many could not be.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tally {
    pub scored: usize,
    pub failed: usize,
}

impl Tally {
    /// Success, or the exit status that says some samples have no scores.
    pub fn verdict(self) -> Result<(), Failure> {
        match self.failed {
            0 => Ok(()),
            failed => Err(Failure::Samples(format!(
                "{failed} of {} samples could not be scored",
                failed + self.scored
            ))),
        }
    }
}

impl Job<'_> {
    /// Whoever has the evaluations.
    pub fn source(&self) -> Result<Box<dyn Source + '_>, Failure> {
        let network = Network::new(&self.model, &*self.dataset, &self.options)?;
        Ok(Box::new(match &self.targets {
            Some(targets) => network.with_targets(&**targets)?,
            None => network,
        }))
    }

    /// Scores all samples of `source`, in order, with progress. A sample that fails is told of and counted.
    pub fn each(
        &self,
        console: &Console,
        source: &dyn Source,
        mut emit: impl FnMut(&Scored) -> Result<(), Failure>,
    ) -> Result<Tally, Failure> {
        let stop = stop_flag()?;
        let progress = console.progress(source.description().n_samples);
        let mut failure = None;
        let mut tally = Tally::default();
        let mut first = None;
        let strict = self.args.strict;
        let scored = score_each(source, &self.options, stop, |scored| {
            progress.step();
            match &scored {
                Ok(_) => tally.scored += 1,
                Err(failed) => {
                    tally.failed += 1;
                    first.get_or_insert_with(|| failed.to_string());
                    if tally.failed <= TOLD && !strict {
                        progress.suspend(|| console.note(format_args!("{failed}; left out")));
                    }
                }
            }
            if strict && let Err(failed) = scored {
                return Err(failed.into_error());
            }
            emit(&scored).map_err(|error| {
                let caller = Error::caller(error.to_string());
                failure = Some(error);
                caller
            })
        });
        let elapsed = progress.elapsed().as_secs_f64();
        drop(progress);
        scored.map_err(|error| failure.take().unwrap_or_else(|| self.of_data(error)))?;
        if tally.scored == 0 {
            return Err(self.of_data(Error::new(
                ErrorKind::Data,
                format!(
                    "none of the {} samples could be scored: {}",
                    tally.failed,
                    first.unwrap_or_default()
                ),
            )));
        }
        console.detail(format_args!(
            "{} samples in {elapsed:.2} s, {:.1} a second",
            tally.scored,
            tally.scored as f64 / elapsed
        ));
        Ok(tally)
    }

    /// An error of the data, with the data's name before it.
    fn of_data(&self, error: Error) -> Failure {
        let data = self.data.display().to_string();
        let is_named = error.kind() != ErrorKind::Data || error.to_string().contains(&data);
        match Failure::from(error) {
            Failure::Input(message) if !is_named => Failure::Input(format!("{data}: {message}")),
            other => other,
        }
    }

    /// What was run. No time of day, no number of threads: the same run writes the same bytes.
    pub fn record(&self, command: &str, source: &Description) -> Result<RunRecord, Failure> {
        let args = &self.args.data;
        let name = |path: &Path| path.display().to_string();
        let label = match self.options.label {
            LabelChoice::True => json!("true"),
            LabelChoice::Predicted => json!("predicted"),
            LabelChoice::Class(class) => json!(class),
        };
        Ok(RunRecord::new()
            .with("quaver", env!("CARGO_PKG_VERSION"))
            .with("command", command)
            .with("model", record::model(&self.file)?)
            .with("data", name(&self.data))
            .with("data_sha256", record::data(&self.data)?)
            .with("format", args.format.clone())
            .with("labels", args.labels.as_deref().map(name))
            .with("layout", args.layout.clone())
            .with("scale", args.scale)
            .with("mean", args.mean.clone())
            .with("std", args.std.clone())
            .with("resize", args.resize.map(|(h, w)| vec![h, w]))
            .with("indices", args.indices.clone())
            .with("limit", args.limit.map(|limit| limit.get()))
            .with("label", label)
            .with("targets", self.args.measures.targets.as_deref().map(name))
            .with("wrt", self.options.wrt.clone())
            .with("objective", self.options.objective.to_string())
            .with(
                "classes",
                self.options.classes.map(|classes| classes.to_string()),
            )
            .with("winograd", self.options.winograd)
            .with("rtol", self.options.rtol())
            .with("lambda", self.options.lambda)
            .with("compat", self.options.compat)
            .with("precision", self.args.measures.precision.clone())
            .with("class_names", source.class_names.clone()))
    }
}
