//! The network and the data that a store was made from, found again: for tasks that Grams are not enough for.
//!
//! What a file is, its [`fingerprint`], decides; where it lies only says where to look, and may differ between machines.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use quaver::{Error, ErrorKind, LoadOptions, Model, OpenOptions, parse_indices};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::store::of_store;
use crate::{Store, fingerprint, record};

/// What to do about a file that is missing or has changed.
const OR_ELSE: &str = "or give the network and its data in place of the store";

/// Where the files lay that a store was made from, as they were given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paths {
    /// The model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<PathBuf>,
    /// The data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<PathBuf>,
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

/// A network and how its data are read, as they were when a store was filled.
pub struct Reopened {
    /// The network.
    pub model: Model,
    /// Its file.
    pub file: PathBuf,
    /// How it was read.
    pub load: LoadOptions,
    /// The data.
    pub data: PathBuf,
    /// How they were read, with the files that go with them.
    pub open: OpenOptions,
    /// Which samples, as a list; all if there is none.
    pub indices: Option<String>,
    /// The first so many of them.
    pub limit: Option<usize>,
    /// What is in the files, which was looked at to find them.
    pub fingerprints: BTreeMap<PathBuf, Json>,
    folder: PathBuf,
    n_samples: usize,
}

impl Reopened {
    /// Takes fewer samples: those in the list `indices`, by their places in the data, or the first `limit`.
    ///
    /// # Errors
    /// As for [`parse_indices`]; [`ErrorKind::Option`] if a sample is none of the store's.
    pub fn choose(mut self, indices: Option<&str>, limit: Option<usize>) -> Result<Self, Error> {
        let Some(list) = indices else {
            self.limit = self.limit.into_iter().chain(limit).min();
            return Ok(self);
        };
        let here: BTreeSet<usize> = match &self.indices {
            None => (0..self.n_samples).collect(),
            Some(here) => parse_indices(here)?
                .into_iter()
                .take(self.n_samples)
                .collect(),
        };
        if let Some(index) = parse_indices(list)?.iter().find(|at| !here.contains(at)) {
            return Err(Error::new(
                ErrorKind::Option,
                format!(
                    "{}: sample {index} is none of the {} that it was made from",
                    self.folder.display(),
                    here.len()
                ),
            ));
        }
        (self.indices, self.limit) = (Some(list.to_owned()), limit);
        Ok(self)
    }
}

impl Store {
    /// Reads the network that it was made from, and finds the data.
    ///
    /// A path as it was given is looked for from the working directory, then from the store's folder and those above it,
    /// and then by its name in and beside the store. The first file that is what the store was made from is taken.
    ///
    /// # Errors
    /// [`ErrorKind::Store`] if the store was made from what is in no file, or a file is missing or
    /// is another; what the model's reader says.
    pub fn reopen(&self) -> Result<Reopened, Error> {
        let of = |key: &str| self.identity().made_from.get(key).filter(|v| !v.is_null());
        let is_several = of("inputs").and_then(Json::as_array);
        if is_several.is_some_and(|inputs| !inputs.is_empty()) {
            return Err(self.refuse(
                "was made from inputs given one by one, and this is for networks of one input",
            ));
        }
        let unreadable =
            || self.refuse("says how its data were read in words that this program does not know");
        let paths = &self.manifest().paths;
        let mut own = of("model").cloned().unwrap_or_default();
        let weights = match own.as_object_mut() {
            Some(fields) => fields.remove("weights"),
            None => None,
        };
        let mut fingerprints = BTreeMap::new();
        let mut find = |key: &str, path: &Option<PathBuf>, expected: &Json| {
            let found = self.find(key, path.as_deref(), expected)?;
            fingerprints.insert(found.clone(), expected.clone());
            Ok::<_, Error>(found)
        };
        let file = find("model", &paths.model, &own)?;
        let data = of("data").cloned().unwrap_or_default();
        let data = find("data", &paths.data, &data)?;
        let mut beside = |key: &str, path: &Option<PathBuf>| {
            of(key)
                .map(|expected| find(key, path, expected))
                .transpose()
        };
        let (load, mut open) =
            record::read_options(&self.identity().made_from).ok_or_else(unreadable)?;
        open.labels = beside("labels", &paths.labels)?;
        open.class_map = beside("class_map", &paths.class_map)?;
        let model = Model::load(&file, &load)?;
        let described = record::with_weights(own.clone(), &model, fingerprint)?;
        if described.get("weights") != weights.as_ref() {
            return Err(self.changed("weights of the model", &file));
        }
        let list = beside("indices_file", &paths.indices_file)?;
        let list = list.map(|path| format!("@{}", path.display()));
        let list = list.as_deref().or(of("indices").and_then(Json::as_str));
        let (indices, limit) = self.which(list, of("limit"))?;
        Ok(Reopened {
            model,
            file,
            load,
            data,
            open,
            indices,
            limit,
            fingerprints,
            folder: self.folder().to_owned(),
            n_samples: self.samples().len(),
        })
    }

    /// Which samples of the data are here: as they were asked for, or those of a shard, which has a part of them.
    fn which(
        &self,
        indices: Option<&str>,
        limit: Option<&Json>,
    ) -> Result<(Option<String>, Option<usize>), Error> {
        let limit = limit.and_then(Json::as_u64).map(|limit| limit as usize);
        let samples = self.samples();
        if samples.len() == self.identity().n_samples {
            return Ok((indices.map(str::to_owned), limit));
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
        Ok((Some(shard), None))
    }

    /// The file of which the store says that it is `expected`.
    fn find(&self, what: &str, path: Option<&Path>, expected: &Json) -> Result<PathBuf, Error> {
        let what = match what {
            "class_map" => "file of class names",
            "indices_file" => "list of indices",
            other => other,
        };
        let named = expected.get("name").and_then(Json::as_str);
        let Some(path) = path.or(named.map(Path::new)) else {
            return Err(self.refuse(&format!(
                "its {what} came from memory and not from a file; give the network and its data in place of the store"
            )));
        };
        let mut other = None;
        for candidate in self.candidates(path) {
            match fingerprint(&candidate) {
                Ok(found) if found == *expected => return Ok(candidate),
                Ok(_) => {
                    other.get_or_insert(candidate);
                }
                Err(_) => {}
            }
        }
        Err(match other {
            Some(other) => self.changed(what, &other),
            None => self.refuse(&format!(
                "its {what}, {}, does not exist; put it back, there or beside the store, {OR_ELSE}",
                path.display()
            )),
        })
    }

    fn candidates(&self, path: &Path) -> Vec<PathBuf> {
        let folder = self.folder().canonicalize();
        let folder = folder.unwrap_or_else(|_| self.folder().to_owned());
        let mut all = vec![path.to_owned()];
        if path.is_relative() {
            all.extend(folder.ancestors().map(|above| above.join(path)));
        }
        if let Some(name) = path.file_name() {
            all.extend(folder.ancestors().take(2).map(|above| above.join(name)));
        }
        let mut seen = Vec::new();
        for candidate in all {
            if !seen.contains(&candidate) {
                seen.push(candidate);
            }
        }
        seen
    }

    fn changed(&self, what: &str, path: &Path) -> Error {
        self.refuse(&format!(
            "its {what}, {}, has changed since the store was filled; put back what it was, fill a new store, {OR_ELSE}",
            path.display()
        ))
    }

    fn refuse(&self, why: &str) -> Error {
        of_store(self.folder(), why)
    }
}
