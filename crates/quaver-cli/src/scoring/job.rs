//! A run over all samples: progress, what is kept, failures, and what the outputs say about where they come from.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use quaver::{
    Dataset, Description, Error, ErrorKind, Model, Network, ScoreOptions, Scored, Source,
    score_each,
};
use quaver_report::RunRecord;
use quaver_store::{Identity, Paths, Shard, Store, StoredAs, fingerprint, record};
use serde_json::{Map, Value as Json};

use super::ScoringArgs;
use crate::console::Console;
use crate::failure::Failure;
use crate::interrupt::stop_flag;

/// How many failed samples are told of one by one.
const TOLD: usize = 5;

/// Bytes of Grams per sample up to which a run without --store keeps them while it lasts, so as to be resumed.
const KEPT_UNASKED: usize = 1 << 17;

/// What is scored, opened.
pub enum Input {
    Network(NetworkInput),
    Store(Store),
}

/// A model and data, opened.
pub struct NetworkInput {
    pub file: PathBuf,
    pub data: PathBuf,
    pub model: Model,
    pub dataset: Box<dyn Dataset>,
    pub targets: Option<Box<dyn Dataset>>,
}

impl NetworkInput {
    /// Whoever computes the evaluations.
    pub fn network(&self, options: &ScoreOptions) -> Result<Network<'_>, Failure> {
        let network = Network::new(&self.model, &*self.dataset, options)?;
        Ok(match &self.targets {
            Some(targets) => network.with_targets(&**targets)?,
            None => network,
        })
    }
}

/// A run: what, how, and what is kept of it.
pub struct Job<'a> {
    args: &'a ScoringArgs,
    pub options: ScoreOptions,
    input: Input,
    /// Where evaluations are kept while the run lasts, if the user named no store.
    temporary: Option<PathBuf>,
    kept: OnceCell<Store>,
    /// What is in the files that were looked at: data may be long, and are read for it once.
    fingerprints: RefCell<BTreeMap<PathBuf, Json>>,
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

impl<'a> Job<'a> {
    pub(super) fn new(args: &'a ScoringArgs, options: ScoreOptions, input: Input) -> Self {
        Self {
            args,
            options,
            input,
            temporary: None,
            kept: OnceCell::new(),
            fingerprints: RefCell::default(),
        }
    }

    /// The store that stands for a network and its data.
    pub fn store(&self) -> Option<&Store> {
        match &self.input {
            Input::Network(_) => None,
            Input::Store(store) => Some(store),
        }
    }

    /// The samples themselves, for pictures of them; a store has none.
    pub fn dataset(&self) -> Option<&dyn Dataset> {
        match &self.input {
            Input::Network(network) => Some(&*network.dataset),
            Input::Store(_) => None,
        }
    }

    /// Lets a run whose result goes to `out` be resumed: what is computed is kept beside it until [`Job::finish`].
    pub fn keep_beside(&mut self, out: &Path) {
        if self.args.run.store.is_none() && matches!(self.input, Input::Network(_)) {
            let mut name = out.as_os_str().to_owned();
            name.push(".partial");
            self.temporary = Some(name.into());
        }
    }

    /// Clears away what was kept for a run that is now over.
    pub fn finish(&self) -> Result<(), Failure> {
        match (&self.temporary, self.kept.get()) {
            (Some(_), Some(store)) => Ok(store.remove()?),
            _ => Ok(()),
        }
    }

    /// Whoever has the evaluations. Where they are kept they are computed first, with progress.
    pub fn source(&self, console: &Console) -> Result<Box<dyn Source + '_>, Failure> {
        let network = match &self.input {
            Input::Store(store) => {
                let chosen = store.select(&self.options.wrt)?;
                return Ok(Box::new(chosen.merging(&self.options)?));
            }
            Input::Network(network) => network,
        };
        let source = network.network(&self.options)?;
        self.options.check(source.description())?;
        let Some(folder) = self.folder(source.description()) else {
            return Ok(Box::new(source));
        };
        let stored_as = match self.args.run.store_as.as_str() {
            "f32" => StoredAs::F32,
            _ => StoredAs::F64,
        };
        let made_from = self.made_from(network)?;
        let identity = Identity::new(source.description(), &self.options, made_from, stored_as);
        let shard = self.args.run.shard;
        let paths = self.paths(network);
        let store = Store::create(folder, identity, paths, shard.unwrap_or(Shard::WHOLE))?;
        self.fill(console, &store, &source)?;
        if shard.is_some() {
            let samples = store.samples();
            console.note(format_args!(
                "samples {} to {} are in {}; `quaver merge` joins the parts",
                samples.start,
                samples.end - 1,
                folder.display()
            ));
            return Err(Failure::Done);
        }
        let store = self.kept.get_or_init(|| store);
        Ok(Box::new(store.select(&[])?))
    }

    /// Where evaluations are kept.
    fn folder(&self, source: &Description) -> Option<&Path> {
        if let Some(folder) = &self.args.run.store {
            return Some(folder);
        }
        let k = match source.merges_classes {
            // A guess: how many are merged depends on the sample.
            true => source.n_outputs.min(64),
            false => source.n_outputs,
        };
        let n_bytes = source.blocks.len() * 4 * k * (k + 1);
        self.temporary
            .as_deref()
            .filter(|_| n_bytes <= KEPT_UNASKED)
    }

    fn fill(&self, console: &Console, store: &Store, source: &dyn Source) -> Result<(), Failure> {
        let stop = stop_flag()?;
        let progress = console.progress(store.samples().len());
        let mut there = 0;
        let filled = store.fill(source, self.options.threads, stop, |evaluated| {
            progress.step();
            match evaluated {
                None => there += 1,
                Some(Err(failed)) if self.args.run.strict => {
                    return Err(Error::new(failed.error.kind(), failed.to_string()));
                }
                Some(_) => {}
            }
            Ok(())
        });
        let elapsed = progress.elapsed().as_secs_f64();
        drop(progress);
        if there > 0 {
            console.note(format_args!(
                "{there} samples were there already, in {}",
                store.folder().display()
            ));
        }
        console.detail(format_args!(
            "{} samples evaluated in {elapsed:.2} s",
            store.samples().len() - there
        ));
        filled.map_err(|error| match error.kind() {
            ErrorKind::Interrupted => Failure::Interrupted(format!(
                "interrupted; what is done is kept in {}, and the same command goes on from there",
                store.folder().display()
            )),
            _ => self.of_data(error),
        })
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
        let strict = self.args.run.strict;
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
            // Nothing that was kept is worth going on from.
            self.finish()?;
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
        let Input::Network(NetworkInput { data, .. }) = &self.input else {
            return error.into();
        };
        let data = data.display().to_string();
        let is_named = error.kind() != ErrorKind::Data || error.to_string().contains(&data);
        match Failure::from(error) {
            Failure::Input(message) if !is_named => Failure::Input(format!("{data}: {message}")),
            other => other,
        }
    }

    /// What is in a file or folder.
    fn fingerprint(&self, path: &Path) -> Result<Json, Failure> {
        if let Some(known) = self.fingerprints.borrow().get(path) {
            return Ok(known.clone());
        }
        let found = fingerprint(path)?;
        let mut all = self.fingerprints.borrow_mut();
        Ok(all.entry(path.to_owned()).or_insert(found).clone())
    }

    /// The same with its path as given.
    fn traced(&self, path: &Path) -> Result<Json, Failure> {
        Ok(record::located(path, self.fingerprint(path)?))
    }

    /// What is said of a model, with the files beside it that its weights are in.
    fn weighed(&self, network: &NetworkInput, own: Json) -> Result<Json, Failure> {
        record::with_weights(own, &network.model, |file| self.fingerprint(file))
    }

    /// What the evaluations depend on beside the options that the store knows itself.
    fn made_from(&self, network: &NetworkInput) -> Result<Map<String, Json>, Failure> {
        let measures = &self.args.measures;
        let optional = |path: Option<&PathBuf>| path.map(|path| self.fingerprint(path)).transpose();
        let record = RunRecord::new()
            .with(
                "model",
                self.weighed(network, self.fingerprint(&network.file)?)?,
            )
            .with("data", self.fingerprint(&network.data)?)
            .with("labels", optional(self.args.data.labels.as_ref())?)
            .with("targets", optional(measures.targets())?)
            .with(
                "inputs",
                record::inputs(&self.args.data.input, |path| self.fingerprint(path))?,
            );
        let record = record.with("class_map", optional(self.args.data.class_map.as_ref())?);
        let record = match record::file_of_indices(self.args.data.indices.as_deref()) {
            Some(list) => record.with("indices_file", self.fingerprint(list)?),
            None => record,
        };
        let record = self.args.data.record(self.args.model.record(record))?;
        let entries = record.entries();
        Ok(entries
            .map(|(key, value)| (key.to_owned(), value.clone()))
            .collect())
    }

    /// Where the files lie that a store is made from.
    fn paths(&self, network: &NetworkInput) -> Paths {
        let data = &self.args.data;
        Paths {
            model: Some(network.file.clone()),
            data: data.input.is_empty().then(|| network.data.clone()),
            inputs: data.input.iter().map(|input| input.path.clone()).collect(),
            labels: data.labels.clone(),
            class_map: data.class_map.clone(),
            indices_file: record::file_of_indices(data.indices.as_deref()).map(Path::to_owned),
        }
    }

    /// What was run. No time of day, no number of threads: the same run writes the same bytes.
    pub fn record(&self, command: &str, source: &Description) -> Result<RunRecord, Failure> {
        let record = RunRecord::new()
            .with("quaver", env!("CARGO_PKG_VERSION"))
            .with("command", command);
        let record = match &self.input {
            Input::Store(store) => record
                .with("store", store.folder().display().to_string())
                .with(
                    "made_from",
                    Json::Object(store.identity().made_from.clone()),
                ),
            Input::Network(network) => {
                let optional =
                    |path: Option<&PathBuf>| path.map(|path| self.traced(path)).transpose();
                let data = &self.args.data;
                let labels = record::labels_of(&network.data, data.labels.as_deref());
                let record = record
                    .with("model", self.weighed(network, self.traced(&network.file)?)?)
                    .with("data", self.traced(&network.data)?)
                    .with(
                        "inputs",
                        record::inputs(&data.input, |path| self.traced(path))?,
                    )
                    .with("labels", optional(labels.as_ref())?)
                    .with("targets", optional(self.args.measures.targets())?);
                let record = match record::file_of_indices(data.indices.as_deref()) {
                    Some(list) => record.with("indices_file", self.traced(list)?),
                    None => record,
                };
                self.args.data.record(self.args.model.record(record))?
            }
        };
        Ok(record::of_scores(record, &self.options, source))
    }
}
