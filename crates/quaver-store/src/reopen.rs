//! The network and the data that a store was made from, found again: for tasks that Grams are not enough for.
//!
//! What a file is, its [`fingerprint`](crate::fingerprint), decides; where it lies only says where to look, and may differ
//! between machines.

mod find;

use std::collections::BTreeSet;
use std::path::PathBuf;

use quaver::{
    Dataset, Error, ErrorKind, InputFile, LoadOptions, Model, OpenOptions, Subset, parse_indices,
};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::{Known, Store, record};

/// Where the files lay that a store was made from, as they were given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paths {
    /// The model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<PathBuf>,
    /// The data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<PathBuf>,
    /// The data of each input, where they were given one by one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<PathBuf>,
    /// Their labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<PathBuf>,
    /// The names of their classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class_map: Option<PathBuf>,
    /// The list of those that were taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub indices_file: Option<PathBuf>,
}

impl Paths {
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A network as it was when a store was filled.
pub struct ReopenedModel {
    /// The network.
    pub model: Model,
    /// Its file.
    pub file: PathBuf,
    /// How it was read.
    pub load: LoadOptions,
    /// What is in the files, which was looked at to find them.
    pub known: Known,
}

/// Data as they were when a store was filled.
pub struct ReopenedData {
    /// Their file or folder; of inputs one by one, the first.
    pub path: PathBuf,
    /// The file of each input, where they were given one by one.
    pub inputs: Vec<InputFile>,
    /// How they were read, with the files that go with them.
    pub open: OpenOptions,
    /// Which of them.
    pub which: Which,
    /// What is in the files, which was looked at to find them.
    pub known: Known,
}

/// Samples of a dataset: those in a list, the first so many of them; all if neither is said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Which {
    /// The list.
    pub indices: Option<String>,
    /// How many.
    pub limit: Option<usize>,
}

impl ReopenedData {
    /// Opens the samples for the network that they were evaluated by.
    ///
    /// # Errors
    /// As for [`Model::open_data`] and [`Subset::choose`].
    pub fn dataset(&self, model: &Model) -> Result<Box<dyn Dataset>, Error> {
        let all = model.open_data(&self.path, &self.inputs, &self.open)?;
        let Which { indices, limit } = &self.which;
        Ok(Subset::choose(all, indices.as_deref(), *limit)?)
    }
}

impl Store {
    /// Reads the network that it was made from.
    ///
    /// A path as it was given is looked for from the working directory, then from the store's folder and those above it,
    /// and then by its name in and beside the store. The first file that is what the store was made from is taken.
    ///
    /// # Errors
    /// [`ErrorKind::Store`] if the network came from no file, or its file is missing or is another; what the model's
    /// reader says.
    pub fn reopen_model(&self) -> Result<ReopenedModel, Error> {
        let mut own = self.of("model").cloned().unwrap_or_default();
        let weights = match own.as_object_mut() {
            Some(fields) => fields.remove("weights"),
            None => None,
        };
        let mut known = Known::default();
        let path = self.manifest().paths.model.as_deref();
        let file = self.find("model", path, &own, &mut known)?;
        let (load, _) = self.options()?;
        let model = Model::load(&file, &load)?;
        let described = record::with_weights(own, &model, |file| known.look(file))?;
        if described.get("weights") != weights.as_ref() {
            return Err(self.changed("weights of the model", &file));
        }
        Ok(ReopenedModel {
            model,
            file,
            load,
            known,
        })
    }

    /// Finds the data that it was made from, as it finds the network: those of its samples that are in the list `indices`, by
    /// their places in the data, or the first `limit`.
    ///
    /// # Errors
    /// [`ErrorKind::Store`] if the data came from no file, or a file is missing or is another; [`ErrorKind::Option`] if a
    /// sample is none of the store's; as for [`parse_indices`].
    pub fn reopen_data(
        &self,
        indices: Option<&str>,
        limit: Option<usize>,
    ) -> Result<ReopenedData, Error> {
        if self.is_of_memory() {
            return Err(self.refuse(
                "its data came from memory and not from a file; give them again with the store (in Python: x, and y where \
                 there are labels), or the network and its data in place of the store",
            ));
        }
        let paths = &self.manifest().paths;
        let mut known = Known::default();
        let inputs = self.inputs(&mut known)?;
        let path = match inputs.first() {
            Some(first) => first.path.clone(),
            None => {
                let data = self.of("data").cloned().unwrap_or_default();
                self.find("data", paths.data.as_deref(), &data, &mut known)?
            }
        };
        let mut beside = |key: &str, what: &str, path: &Option<PathBuf>| {
            let expected = self.of(key);
            let found = expected.map(|file| self.find(what, path.as_deref(), file, &mut known));
            found.transpose()
        };
        let (_, mut open) = self.options()?;
        open.labels = beside("labels", "labels", &paths.labels)?;
        open.class_map = beside("class_map", "file of class names", &paths.class_map)?;
        let list = beside("indices_file", "list of indices", &paths.indices_file)?;
        let list = list.map(|path| format!("@{}", path.display()));
        let list = list
            .as_deref()
            .or(self.of("indices").and_then(Json::as_str));
        Ok(ReopenedData {
            path,
            inputs,
            open,
            which: self.choose(self.here(list)?, indices, limit)?,
            known,
        })
    }

    /// Whether its data were arrays in memory, which must be given again to be had.
    pub fn is_of_memory(&self) -> bool {
        let has_name = |data: &Json| data.get("name").is_some();
        !self.of("data").is_some_and(has_name)
    }

    /// Holds data that were given again against what it was made from: by their fingerprints, of `x` and, where they are
    /// given, of the labels `y`. Returns which of them it has the samples of; `indices` choose as for
    /// [`reopen_data`](Self::reopen_data).
    ///
    /// # Errors
    /// [`ErrorKind::Store`] if they are others; as for [`reopen_data`](Self::reopen_data).
    pub fn given_again(
        &self,
        x: &Json,
        y: Option<&Json>,
        indices: Option<&str>,
    ) -> Result<Which, Error> {
        for (name, key, given) in [("x", "data", Some(x)), ("y", "labels", y)] {
            let (Some(given), expected) = (given, self.of(key)) else {
                continue;
            };
            if expected != Some(given) {
                return Err(self.refuse(&format!(
                    "{name} is not what it was made from: {}, and not {}; give that, or the network with its data in \
                     place of the store",
                    array(expected),
                    array(Some(given))
                )));
            }
        }
        self.choose(self.here(None)?, indices, None)
    }

    /// How the model and the data were read.
    fn options(&self) -> Result<(LoadOptions, OpenOptions), Error> {
        let said = record::read_options(&self.identity().made_from);
        said.ok_or_else(|| {
            self.refuse("says how its data were read in words that this program does not know")
        })
    }

    /// The files of inputs that were given one by one.
    fn inputs(&self, known: &mut Known) -> Result<Vec<InputFile>, Error> {
        let said = self.of("inputs").and_then(Json::as_array);
        let paths = &self.manifest().paths.inputs;
        let one = |(at, said): (usize, &Json)| {
            let text = |key: &str| said.get(key).and_then(Json::as_str).map(str::to_owned);
            let name = text("name").unwrap_or_default();
            let file = said.get("file").cloned().unwrap_or_default();
            let path = paths.get(at).map(PathBuf::as_path);
            Ok(InputFile {
                path: self.find(&format!("input '{name}'"), path, &file, known)?,
                key: text("key"),
                name,
            })
        };
        said.into_iter().flatten().enumerate().map(one).collect()
    }

    /// Which samples of the data are here: as they were asked for, or those of a shard, which has a part of them.
    fn here(&self, indices: Option<&str>) -> Result<Which, Error> {
        let limit = self.of("limit").and_then(Json::as_u64);
        let samples = self.samples();
        if samples.len() == self.identity().n_samples {
            return Ok(Which {
                indices: indices.map(str::to_owned),
                limit: limit.map(|limit| limit as usize),
            });
        }
        let shard = match indices {
            None => format!("{}-{}", samples.start, samples.end - 1),
            Some(list) => {
                let all = parse_indices(list)?;
                let here = all.iter().skip(samples.start).take(samples.len());
                let here: Vec<String> = here.map(usize::to_string).collect();
                here.join(",")
            }
        };
        Ok(Which {
            indices: Some(shard),
            limit: None,
        })
    }

    /// Of the samples `here`, those in a list, or the first so many.
    fn choose(
        &self,
        here: Which,
        indices: Option<&str>,
        limit: Option<usize>,
    ) -> Result<Which, Error> {
        let Some(list) = indices else {
            return Ok(Which {
                limit: here.limit.into_iter().chain(limit).min(),
                ..here
            });
        };
        let n = self.samples().len();
        let known: BTreeSet<usize> = match &here.indices {
            None => (0..n).collect(),
            Some(here) => parse_indices(here)?.into_iter().take(n).collect(),
        };
        if let Some(index) = parse_indices(list)?.iter().find(|at| !known.contains(at)) {
            return Err(Error::new(
                ErrorKind::Option,
                format!(
                    "{}: sample {index} is none of the {} that it was made from",
                    self.folder().display(),
                    known.len()
                ),
            ));
        }
        Ok(Which {
            indices: Some(list.to_owned()),
            limit,
        })
    }
}

/// An array, or the arrays of several inputs, as a message calls them.
fn array(said: Option<&Json>) -> String {
    match said {
        None | Some(Json::Null) => "none".to_owned(),
        Some(Json::Array(parts)) => {
            let parts: Vec<String> = parts.iter().map(|part| array(Some(part))).collect();
            parts.join(" and ")
        }
        Some(said) => {
            let text = |key: &str| said.get(key).and_then(Json::as_str).unwrap_or_default();
            let shape = said.get("shape").map(|shape| format!(" of shape {shape}"));
            let kind = text("dtype");
            let hash: String = text("sha256").chars().take(8).collect();
            match text("name") {
                "" => format!("{kind}{} (SHA-256 {hash}…)", shape.unwrap_or_default()),
                name => name.to_owned(),
            }
            .trim_start()
            .to_owned()
        }
    }
}
