//! A network and data for the tasks that need both: named by the user, or by a store that was made from them.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use quaver::{Dataset, Error, LoadOptions, Model, OpenOptions};
use quaver_report::RunRecord;
use quaver_store::{Store, fingerprint, is_store, record};
use serde_json::Value as Json;

use crate::arguments::{DataArgs, ModelArgs, chosen};
use crate::failure::Failure;

/// A network, and data that can be opened for it.
pub struct Sources {
    /// The network.
    pub model: Model,
    /// Data files or folders.
    pub data: Vec<PathBuf>,
    file: PathBuf,
    load: LoadOptions,
    open: OpenOptions,
    indices: Option<String>,
    limit: Option<usize>,
    /// What is known to be in files already.
    fingerprints: BTreeMap<PathBuf, Json>,
}

impl Sources {
    /// What `paths` name: a model and data, or a store.
    pub fn new(
        paths: &[PathBuf],
        data_args: &DataArgs,
        model_args: &ModelArgs,
    ) -> Result<Self, Failure> {
        if !data_args.input.is_empty() {
            return Err(Failure::Input(
                "--input: this is for networks of one input; give DATA after the model".to_owned(),
            ));
        }
        match paths {
            [folder] if is_store(folder) => Self::of_store(folder, data_args, model_args),
            [folder, ..] if is_store(folder) => Err(Failure::Input(format!(
                "{}: is a store, which names its own data; give it alone",
                folder.display()
            ))),
            [file, data @ ..] if !data.is_empty() => {
                let load = model_args.options();
                Ok(Self {
                    model: Model::load(file, &load)?,
                    data: data.to_vec(),
                    file: file.clone(),
                    load,
                    open: data_args.options()?,
                    indices: data_args.indices.clone(),
                    limit: data_args.limit.map(NonZeroUsize::get),
                    fingerprints: BTreeMap::new(),
                })
            }
            _ => Err(Failure::Input(
                "give data after the model, or the folder of a store alone (score --store)"
                    .to_owned(),
            )),
        }
    }

    fn of_store(
        folder: &Path,
        data_args: &DataArgs,
        model_args: &ModelArgs,
    ) -> Result<Self, Failure> {
        let store = Store::open(folder)?;
        if let Some(option) = data_args.given_of_files().or(model_args.given()) {
            return Err(store.decided(option).into());
        }
        let limit = data_args.limit.map(NonZeroUsize::get);
        let found = store.reopen()?;
        let found = found.choose(data_args.indices.as_deref(), limit)?;
        Ok(Self {
            model: found.model,
            data: vec![found.data],
            file: found.file,
            load: found.load,
            open: found.open,
            indices: found.indices,
            limit: found.limit,
            fingerprints: found.fingerprints,
        })
    }

    /// Opens the chosen samples of `path`.
    pub fn dataset(&self, path: &Path) -> Result<Box<dyn Dataset>, Failure> {
        let dataset = quaver::open(path, &self.open, Some(self.model.input_shape()))?;
        chosen(path, dataset, self.indices.as_deref(), self.limit)
    }

    fn fingerprint(&self, path: &Path) -> Result<Json, Error> {
        match self.fingerprints.get(path) {
            Some(known) => Ok(known.clone()),
            None => fingerprint(path),
        }
    }

    /// A file or folder: its path, and what is in it.
    fn traced(&self, path: &Path) -> Result<Json, Error> {
        Ok(record::located(path, self.fingerprint(path)?))
    }

    /// What was run on what; `data` is said as a list where there may be several.
    pub fn record(
        &self,
        command: &str,
        data: impl FnOnce(Vec<Json>) -> Json,
    ) -> Result<RunRecord, Failure> {
        let traced = self.data.iter().map(|path| self.traced(path));
        let traced = traced.collect::<Result<_, _>>()?;
        let model = self.traced(&self.file)?;
        let model = record::with_weights(model, &self.model, |file| self.fingerprint(file))?;
        let mut record = RunRecord::new()
            .with("quaver", env!("CARGO_PKG_VERSION"))
            .with("command", command)
            .with("model", model)
            .with("data", data(traced));
        let labels = match self.data.as_slice() {
            [data] => record::labels_of(data, self.open.labels.as_deref()),
            _ => self.open.labels.clone(),
        };
        let list = record::file_of_indices(self.indices.as_deref()).map(Path::to_owned);
        for (key, path) in [
            ("labels", labels),
            ("class_map", self.open.class_map.clone()),
            ("indices_file", list),
        ] {
            if let Some(path) = path {
                record = record.with(key, self.traced(&path)?);
            }
        }
        let record = record::of_model(record, &self.load);
        Ok(record::of_data(
            record,
            &self.open,
            self.indices.as_deref(),
            self.limit,
        ))
    }
}
