//! A network and data for the tasks that need both: named by the user, or by a store that was made from them.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use quaver::{Dataset, Error, InputFile, LoadOptions, Model, OpenOptions};
use quaver_report::RunRecord;
use quaver_store::{Known, Store, Which, is_store, record};
use serde_json::Value as Json;

use crate::arguments::{DataArgs, ModelArgs, check_file_of_model, chosen};
use crate::failure::Failure;

/// A network, and data that can be opened for it.
pub struct Sources {
    /// The network.
    pub model: Model,
    /// Data files or folders; of inputs that are named one by one, the first.
    pub data: Vec<PathBuf>,
    inputs: Vec<InputFile>,
    file: PathBuf,
    load: LoadOptions,
    open: OpenOptions,
    which: Which,
    /// What is known to be in files already.
    known: Known,
}

impl Sources {
    /// What `paths` name: a model and data, or a store; or a model whose inputs have files one by one (--input).
    pub fn new(
        paths: &[PathBuf],
        data_args: &DataArgs,
        model_args: &ModelArgs,
    ) -> Result<Self, Failure> {
        let (file, data) = match paths {
            [folder] if is_store(folder) => return Self::of_store(folder, data_args, model_args),
            [folder, ..] if is_store(folder) => {
                return Err(Failure::Input(format!(
                    "{}: is a store, which names its own data; give it alone",
                    folder.display()
                )));
            }
            [file] => (file, vec![data_args.first(None)?.to_owned()]),
            [file, data @ ..] => {
                data_args.first(data.first().map(PathBuf::as_path))?;
                (file, data.to_vec())
            }
            [] => return Err(Failure::Input("give a model and data".to_owned())),
        };
        check_file_of_model(file)?;
        let load = model_args.options();
        Ok(Self {
            model: Model::load(file, &load)?,
            data,
            inputs: data_args.input.clone(),
            file: file.clone(),
            load,
            open: data_args.options()?,
            which: Which {
                indices: data_args.indices.clone(),
                limit: data_args.limit.map(NonZeroUsize::get),
            },
            known: Known::default(),
        })
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
        let network = store.reopen_model()?;
        let data = store.reopen_data(data_args.indices.as_deref(), limit)?;
        Ok(Self {
            model: network.model,
            data: vec![data.path],
            inputs: data.inputs,
            file: network.file,
            load: network.load,
            open: data.open,
            which: data.which,
            known: network.known.and(data.known),
        })
    }

    /// Opens the chosen samples of `path`.
    pub fn dataset(&self, path: &Path) -> Result<Box<dyn Dataset>, Failure> {
        let dataset = self.model.open_data(path, &self.inputs, &self.open)?;
        chosen(
            path,
            dataset,
            self.which.indices.as_deref(),
            self.which.limit,
        )
    }

    /// What was run on what; `data` is said as a list where there may be several.
    pub fn record(
        &self,
        command: &str,
        data: impl FnOnce(Vec<Json>) -> Json,
    ) -> Result<RunRecord, Failure> {
        let known = &self.known;
        let traced = self.data.iter().map(|path| known.traced(path));
        let traced = traced.collect::<Result<_, _>>()?;
        let model = known.traced(&self.file)?;
        let model = record::with_weights(model, &self.model, |file| known.fingerprint(file))?;
        let mut record = RunRecord::new()
            .with("quaver", env!("CARGO_PKG_VERSION"))
            .with("command", command)
            .with("model", model)
            .with("data", data(traced));
        if !self.inputs.is_empty() {
            let inputs: Result<_, Error> = record::inputs(&self.inputs, |path| known.traced(path));
            record = record.with("inputs", Json::Array(inputs?));
        }
        let labels = match self.data.as_slice() {
            [data] => record::labels_of(data, self.open.labels.as_deref()),
            _ => self.open.labels.clone(),
        };
        let Which { indices, limit } = &self.which;
        let list = record::file_of_indices(indices.as_deref()).map(Path::to_owned);
        for (key, path) in [
            ("labels", labels),
            ("class_map", self.open.class_map.clone()),
            ("indices_file", list),
        ] {
            if let Some(path) = path {
                record = record.with(key, known.traced(&path)?);
            }
        }
        let record = record::of_model(record, &self.load);
        Ok(record::of_data(
            record,
            &self.open,
            indices.as_deref(),
            *limit,
        ))
    }
}
