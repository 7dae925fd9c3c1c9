//! What is scored, and how: the options and the run that every command which scores samples shares.

mod job;
mod measures;

use std::path::{Path, PathBuf};

use clap::Args;
use quaver::{Family, LabelChoice, Model};

use crate::arguments::{DataArgs, ModelArgs};
use crate::console::Console;
use crate::failure::Failure;

pub use job::Job;
pub use measures::MeasureArgs;

/// What is scored.
#[derive(Debug, Args)]
pub struct SubjectArgs {
    /// ONNX file.
    #[arg(value_name = "MODEL")]
    model: PathBuf,

    /// Data file or folder.
    #[arg(value_name = "DATA")]
    data: PathBuf,
}

impl SubjectArgs {
    pub fn subject(&self) -> Subject<'_> {
        Subject {
            model: &self.model,
            data: &self.data,
        }
    }
}

/// The same for commands that have it from options of their own.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    pub model: &'a Path,
    pub data: &'a Path,
}

/// How it is scored.
#[derive(Debug, Clone, Args)]
pub struct ScoringArgs {
    #[command(flatten)]
    pub measures: MeasureArgs,

    #[command(flatten)]
    pub data: DataArgs,

    #[command(flatten)]
    pub model: ModelArgs,

    /// End at the first sample that cannot be read or scored [default: it is a row with an error].
    #[arg(long, help_heading = "Data")]
    pub strict: bool,
}

impl ScoringArgs {
    /// Reads the model and opens the data.
    pub fn open(&self, console: &Console, subject: &Subject<'_>) -> Result<Job<'_>, Failure> {
        let options = self.measures.options();
        let Subject { model: file, data } = *subject;
        let model = Model::load(file, &self.model.options())?;
        let dataset = self.data.open(data, model.input_shape())?;
        let of_data =
            |why: &dyn std::fmt::Display| Failure::Input(format!("{}: {why}", data.display()));
        if matches!(model.family(), Family::Softmax | Family::Sigmoid) {
            quaver::check_labels(&*dataset, model.n_classes()).map_err(|error| of_data(&error))?;
            let needs_label = options.label == LabelChoice::True && self.measures.targets.is_none();
            if needs_label && !dataset.is_empty() && dataset.label(0)?.is_none() {
                return Err(of_data(
                    &"has no labels; give them (--labels) or use the predicted class (--label predicted)",
                ));
            }
        }
        let targets = match &self.measures.targets {
            Some(path) => Some(quaver::open(path, &quaver::OpenOptions::default(), None)?),
            None => None,
        };
        console.detail(format_args!(
            "{}: {} classes, input {:?}, head {}",
            file.display(),
            model.n_classes(),
            model.input_shape(),
            model.head().kind.name()
        ));
        console.detail(format_args!(
            "{}: {} samples of shape {:?}",
            data.display(),
            dataset.len(),
            dataset.shape()
        ));
        Ok(Job {
            args: self,
            options,
            file: file.to_owned(),
            data: data.to_owned(),
            model,
            dataset,
            targets,
        })
    }
}
