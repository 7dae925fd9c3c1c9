//! What is scored, and how: the options and the run that every command which scores samples shares.

mod job;
mod measures;
mod plan;

use std::path::{Path, PathBuf};

use clap::Args;
use quaver::{LabelChoice, Model, ScoreOptions};
use quaver_store::{Shard, Store};

use crate::arguments::{DataArgs, ModelArgs, check_file_of_model, check_labels, first_given};
use crate::console::Console;
use crate::failure::Failure;
use crate::pages::file_name;

pub use job::{Input, Job, NetworkInput, Tally};
pub use measures::{COMPAT, MeasureArgs};

/// What is scored.
#[derive(Debug, Args)]
pub struct SubjectArgs {
    /// ONNX file, and data file or folder; or a store of Grams (--store) alone.
    #[arg(value_names = ["MODEL", "DATA"], num_args = 1..=2, required = true)]
    subject: Vec<PathBuf>,
}

impl SubjectArgs {
    pub fn subject(&self) -> Result<Subject<'_>, Failure> {
        match self.subject.as_slice() {
            [model, data] => Ok(Subject::Network {
                model,
                data: Some(data),
            }),
            [store] if quaver_store::is_store(store) => Ok(Subject::Store(store)),
            [model, ..] => Ok(Subject::Network { model, data: None }),
            [] => Err(Failure::Input("give a model and data".to_owned())),
        }
    }
}

/// The same for commands that have it from options of their own.
#[derive(Debug, Clone, Copy)]
pub enum Subject<'a> {
    /// A network, and data for it; none if its inputs are named one by one (--input).
    Network {
        model: &'a Path,
        data: Option<&'a Path>,
    },
    /// What somebody kept of a network and data.
    Store(&'a Path),
}

impl<'a> Subject<'a> {
    /// What titles call the network.
    pub fn model_name(&self) -> String {
        match self {
            Subject::Network { model, .. } => file_name(model),
            Subject::Store(folder) => name_in_store(folder, Store::network_name),
        }
    }

    /// What titles call the data.
    pub fn data_name(&self) -> String {
        match self {
            Subject::Network {
                data: Some(data), ..
            } => file_name(data),
            Subject::Network { data: None, .. } => "its inputs".to_owned(),
            Subject::Store(folder) => name_in_store(folder, Store::data_name),
        }
    }

    /// The data's path, where it has one.
    pub fn data(&self) -> Option<&'a Path> {
        match self {
            Subject::Network { data, .. } => *data,
            Subject::Store(_) => None,
        }
    }
}

/// What a store says it was made from; the folder's name where it says nothing.
fn name_in_store(folder: &Path, name: fn(&Store) -> String) -> String {
    Store::open(folder).map_or_else(|_| file_name(folder), |store| name(&store))
}

/// How it is scored.
#[derive(Debug, Clone, Args)]
pub struct ScoringArgs {
    #[command(flatten)]
    pub measures: MeasureArgs,

    #[command(flatten)]
    pub run: RunArgs,

    #[command(flatten)]
    pub data: DataArgs,

    #[command(flatten)]
    pub model: ModelArgs,
}

/// How the work is done, and what is kept of it.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Run")]
pub struct RunArgs {
    /// Keep outputs and class Grams of every sample in this folder: the same command goes on where it stopped, and
    /// analyze and every task take the folder in place of MODEL DATA.
    #[arg(long, value_name = "DIR")]
    pub store: Option<PathBuf>,

    /// Number type of the Grams in the store.
    #[arg(long, value_parser = ["f32", "f64"], default_value = "f64", requires = "store")]
    pub store_as: String,

    /// Compute the i-th of n parts into the store and nothing else, i from 1; `quaver merge` joins the parts.
    #[arg(long, value_name = "i/n", requires = "store")]
    pub shard: Option<Shard>,

    /// Say what the run would take (time, memory, space), from a short calibration, and do nothing.
    #[arg(long)]
    pub plan: bool,

    /// Use no more memory than this: 500M, 4G. Takes fewer threads if it must.
    #[arg(long, value_name = "SIZE", value_parser = bytes)]
    pub memory: Option<usize>,

    /// End at the first sample that cannot be read or scored [default: it is a row with an error].
    #[arg(long)]
    pub strict: bool,
}

impl ScoringArgs {
    /// Reads the model and opens the data, or the store.
    pub fn open(&self, console: &Console, subject: &Subject<'_>) -> Result<Job<'_>, Failure> {
        let options = self.measures.options();
        match *subject {
            Subject::Store(folder) => self.open_store(console, folder, options),
            Subject::Network { model, data } => self.open_network(console, model, data, options),
        }
    }

    fn open_store(
        &self,
        console: &Console,
        folder: &Path,
        options: ScoreOptions,
    ) -> Result<Job<'_>, Failure> {
        if self.run.store.is_some() || self.run.plan {
            return Err(Failure::Input(format!(
                "{}: --store and --plan are for runs of a network; this is a store already",
                folder.display()
            )));
        }
        let store = Store::open(folder)?;
        let decided = [
            ("--memory", self.run.memory.is_some()),
            ("--targets", self.measures.targets().is_some()),
        ];
        let contradicted = store.contradicted(&options).map(|name| match name {
            "winograd" => "--no-winograd",
            _ => "--precision",
        });
        let decided = first_given(&decided).or(contradicted);
        if let Some(option) = decided.or(self.data.given()).or(self.model.given()) {
            return Err(store.decided(option).into());
        }
        let (samples, n) = (store.samples(), store.identity().n_samples);
        if samples.len() < n {
            console.note(format_args!(
                "{}: a shard with {} of {n} samples ({} to {})",
                folder.display(),
                samples.len(),
                samples.start,
                samples.end - 1
            ));
        }
        Ok(Job::new(self, options, Input::Store(store)))
    }

    fn open_network(
        &self,
        console: &Console,
        file: &Path,
        data: Option<&Path>,
        mut options: ScoreOptions,
    ) -> Result<Job<'_>, Failure> {
        check_file_of_model(file)?;
        let model = Model::load(file, &self.model.options())?;
        let dataset = self.data.open_for(data, &model)?;
        let data = self.data.first(data)?;
        if model.family().has_classes() {
            let needed = options.label == LabelChoice::True && self.measures.targets().is_none();
            check_labels(&*dataset, data, &model, needed)?;
        }
        let targets = match self.measures.targets() {
            Some(path) => Some(quaver::open(path, &quaver::OpenOptions::default(), None)?),
            None => None,
        };
        if targets.is_none() && options.asks_for_targets(model.family()) {
            return Err(Failure::Input(format!(
                "{}: the data say nothing about each output; give it (--targets FILE)",
                data.display()
            )));
        }
        if options.wrt.is_empty() {
            options.wrt = ScoreOptions::default().wrt;
        }
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
        let network = NetworkInput {
            file: file.to_owned(),
            data: data.to_owned(),
            model,
            dataset,
            targets,
        };
        if let Some(limit) = self.run.memory {
            options.threads = Some(plan::threads_within(&network, &options, limit)?);
        }
        if self.run.plan {
            console.result(&plan::text(&network, &options)?)?;
            return Err(Failure::Done);
        }
        Ok(Job::new(self, options, Input::Network(network)))
    }
}

/// Reads a number of bytes: 500M, 4G, 1.5GiB.
fn bytes(text: &str) -> Result<usize, String> {
    let refuse = || "give a size such as 500M or 4G".to_owned();
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: f64 = digits.trim().parse().map_err(|_| refuse())?;
    let unit = match text[digits.len()..].to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "k" | "kb" | "kib" => 1024.0,
        "m" | "mb" | "mib" => 1024f64.powi(2),
        "g" | "gb" | "gib" => 1024f64.powi(3),
        "t" | "tb" | "tib" => 1024f64.powi(4),
        _ => return Err(refuse()),
    };
    match number.is_finite() && number > 0.0 {
        true => Ok((number * unit) as usize),
        false => Err(refuse()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        assert_eq!(bytes("4G"), Ok(4 << 30));
        assert_eq!(bytes("1.5MiB"), Ok(3 << 19));
        assert_eq!(bytes("100"), Ok(100));
        for bad in ["", "G", "-1G", "4X", "nanG", "0"] {
            assert!(bytes(bad).is_err(), "{bad}");
        }
    }
}
