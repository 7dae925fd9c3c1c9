//! A store: begun, filled, gone on with, opened.

use std::fs;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::atomic::AtomicBool;

use quaver::{Error, ErrorKind, Evaluated, Source, evaluate_each};
use serde::{Deserialize, Serialize};

use crate::cache::Cache;
use crate::fingerprint::sha256;
use crate::identity::{self, Identity, SCHEMA};
use crate::{Paths, Selection, part};

const MANIFEST: &str = "store.json";

/// One of n equal shares of a dataset, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    number: usize,
    of: NonZeroUsize,
}

impl Shard {
    /// The whole dataset.
    pub const WHOLE: Self = Self {
        number: 1,
        of: NonZeroUsize::MIN,
    };

    /// Which of `n_parts` parts it has.
    fn parts(self, n_parts: usize) -> Range<usize> {
        let cut = |at: usize| (n_parts as u128 * at as u128 / self.of.get() as u128) as usize;
        cut(self.number - 1)..cut(self.number)
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refuse = || "give i/n with i from 1 to n: 3/16 is the third of sixteen".to_owned();
        let (number, of) = text.split_once('/').ok_or_else(refuse)?;
        let number = number.trim().parse::<usize>().map_err(|_| refuse())?;
        let of = of.trim().parse::<NonZeroUsize>().map_err(|_| refuse())?;
        match (1..=of.get()).contains(&number) {
            true => Ok(Self { number, of }),
            false => Err(refuse()),
        }
    }
}

/// What stands in `store.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    pub(crate) identity: Identity,
    /// The parts that belong here, of all that the dataset has: from, up to and without.
    pub(crate) parts: (usize, usize),
    /// Where the files lay. Two stores of one run may say different things here.
    #[serde(default, skip_serializing_if = "Paths::is_empty")]
    pub(crate) paths: Paths,
}

/// What stands beside a part.
#[derive(Debug, Serialize, Deserialize)]
struct Seal {
    sha256: String,
    n_samples: usize,
    n_failed: usize,
}

/// A folder of evaluations.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    manifest: Manifest,
    cache: Cache,
}

/// Whether there is a store at `path`.
pub fn is_store(path: &Path) -> bool {
    path.join(MANIFEST).is_file()
}

impl Store {
    /// Begins a store of `shard` in `folder`, or takes up the one that was begun there. `paths` say where the files lie
    /// that it is made from, for [`Store::reopen_model`] and [`Store::reopen_data`].
    ///
    /// # Errors
    /// [`ErrorKind::Store`] if the folder holds something else: a store of other data, of another model, under other
    /// options; [`ErrorKind::Output`] if it cannot be written.
    pub fn create(
        folder: &Path,
        identity: Identity,
        paths: Paths,
        shard: Shard,
    ) -> Result<Self, Error> {
        let parts = shard.parts(identity.n_parts());
        if parts.is_empty() {
            return Err(Error::new(
                ErrorKind::Option,
                format!(
                    "--shard {}/{}: this shard has no samples, for {} are handed out in {} parts; use fewer shards",
                    shard.number,
                    shard.of,
                    identity.n_samples,
                    identity.n_parts()
                ),
            ));
        }
        let manifest = Manifest {
            identity,
            parts: (parts.start, parts.end),
            paths,
        };
        if is_store(folder) {
            let there = Self::read(folder)?;
            there.must_be(&manifest)?;
            return Ok(there);
        }
        if folder.exists() && !is_fresh(folder) {
            return Err(of_store(
                folder,
                "is not empty and not a store; name another folder",
            ));
        }
        if !folder.exists() {
            fs::create_dir(folder).map_err(|error| unwritable(folder, &error))?;
        }
        Self::begin(folder, manifest)
    }

    pub(crate) fn begin(folder: &Path, manifest: Manifest) -> Result<Self, Error> {
        let mut json =
            serde_json::to_vec_pretty(&manifest).map_err(|error| unwritable(folder, &error))?;
        json.push(b'\n');
        write(&folder.join(MANIFEST), &json)?;
        Ok(Self {
            folder: folder.to_owned(),
            manifest,
            cache: Cache::default(),
        })
    }

    /// Opens a store of which nothing is missing.
    ///
    /// # Errors
    /// [`ErrorKind::Store`] if there is none, it is not complete, or of another version.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        let store = Self::read(folder)?;
        let n_parts = store.parts().len();
        // A part is two files. They are counted first: there may be said to be more parts than can be looked for.
        let n_files = fs::read_dir(folder)
            .map_err(|error| of_store(folder, error))?
            .count();
        let n_missing = match n_parts > n_files {
            true => n_parts - n_files / 2,
            false => store.missing().len(),
        };
        match n_missing {
            0 => Ok(store),
            n_missing => Err(of_store(
                folder,
                format_args!(
                    "is not complete: {n_missing} of {n_parts} parts are missing; the command that made it computes them"
                ),
            )),
        }
    }

    pub(crate) fn read(folder: &Path) -> Result<Self, Error> {
        let path = folder.join(MANIFEST);
        let bytes = fs::read(&path).map_err(|error| {
            of_store(folder, format_args!("is not a store: {MANIFEST}: {error}"))
        })?;
        let version = serde_json::from_slice::<serde_json::Value>(&bytes)
            .ok()
            .and_then(|json| json.pointer("/identity/schema")?.as_u64());
        if let Some(version) = version
            && version != u64::from(SCHEMA)
        {
            return Err(of_store(
                folder,
                format_args!("has layout {version}; this program reads layout {SCHEMA}"),
            ));
        }
        let manifest: Manifest = serde_json::from_slice(&bytes)
            .map_err(|error| of_store(folder, format_args!("is damaged: {MANIFEST}: {error}")))?;
        let Identity {
            n_samples,
            part_size,
            ..
        } = manifest.identity;
        let (from, to) = manifest.parts;
        let makes_sense = n_samples > 0
            && part_size == identity::part_size(n_samples)
            && from < to
            && to <= manifest.identity.n_parts();
        if !makes_sense {
            return Err(of_store(
                folder,
                format_args!("is damaged: {MANIFEST} contradicts itself"),
            ));
        }
        Ok(Self {
            folder: folder.to_owned(),
            manifest,
            cache: Cache::default(),
        })
    }

    /// Deletes the store. Killed on the way, it is a store of which parts are missing, and not a folder of nobody's.
    ///
    /// # Errors
    /// [`ErrorKind::Output`] if something cannot be deleted.
    pub fn remove(&self) -> Result<(), Error> {
        let of = |error: std::io::Error| unwritable(&self.folder, &error);
        for entry in fs::read_dir(&self.folder).map_err(of)? {
            let entry = entry.map_err(of)?;
            if entry.file_name() != MANIFEST {
                fs::remove_file(entry.path()).map_err(of)?;
            }
        }
        fs::remove_file(self.folder.join(MANIFEST)).map_err(of)?;
        fs::remove_dir(&self.folder).map_err(of)
    }

    fn must_be(&self, manifest: &Manifest) -> Result<(), Error> {
        // Other data may be cut otherwise, and then it is they that differ.
        let difference = self.manifest.identity.difference(&manifest.identity);
        let same_parts = self.manifest.parts == manifest.parts;
        match difference.or((!same_parts).then(|| "shard".to_owned())) {
            None => Ok(()),
            Some(what) => Err(of_store(
                &self.folder,
                format_args!(
                    "holds another run: its {}; name another folder, or delete it",
                    differs(&what)
                ),
            )),
        }
    }

    /// What it was made from, and what is in it.
    pub fn identity(&self) -> &Identity {
        &self.manifest.identity
    }

    /// Refuses another store of another network, where both say which: two sets are compared under one.
    ///
    /// # Errors
    /// Names both networks.
    pub fn check_same_network(&self, other: &Store) -> Result<(), Error> {
        // Its file's name is no part of what a network is.
        let network = |store: &Store| {
            let mut network = store.identity().made_from.get("model")?.clone();
            network.as_object_mut()?.remove("name");
            Some(network)
        };
        let both = network(self).zip(network(other));
        let outputs = [self, other].map(|store| store.identity().n_outputs);
        if outputs[0] == outputs[1] && both.is_none_or(|(one, two)| one == two) {
            return Ok(());
        }
        let told = |store: &Store| {
            let name = store.identity().model_name().unwrap_or("unnamed");
            format!("{} ({name})", store.folder().display())
        };
        Err(Error::new(
            ErrorKind::Store,
            format!(
                "{} and {} are stores of different networks; give the networks and their data to compare those",
                told(self),
                told(other)
            ),
        ))
    }

    /// What titles call the network that it was made from: the name of its file; its own where there was none.
    pub fn network_name(&self) -> String {
        self.name_of(self.identity().model_name())
    }

    /// What titles call the data that it was made from.
    pub fn data_name(&self) -> String {
        self.name_of(self.identity().data_name())
    }

    fn name_of(&self, known: Option<&str>) -> String {
        let own = self.folder.file_name().unwrap_or(self.folder.as_os_str());
        known.map_or_else(|| own.to_string_lossy().into_owned(), str::to_owned)
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The parts that belong here.
    pub(crate) fn parts(&self) -> Range<usize> {
        self.manifest.parts.0..self.manifest.parts.1
    }

    /// The samples that belong here, as positions in the whole dataset.
    pub fn samples(&self) -> Range<usize> {
        let Range { start, end } = self.parts();
        self.samples_of(start).start..self.samples_of(end - 1).end
    }

    fn samples_of(&self, part: usize) -> Range<usize> {
        let Identity {
            n_samples,
            part_size,
            ..
        } = self.manifest.identity;
        let start = part.saturating_mul(part_size).min(n_samples);
        start..start.saturating_add(part_size).min(n_samples)
    }

    /// The parts that are not there, or are damaged.
    fn missing(&self) -> Vec<usize> {
        self.parts()
            .filter(|&part| self.bytes(part).is_err())
            .collect()
    }

    /// Computes the parts that are missing or damaged from `source`, which must be what the store was created for, on
    /// `threads` threads. `on_sample` hears of every sample that is done, with those that were there already first.
    /// Setting `stop` ends it; parts that are whole stay.
    ///
    /// # Errors
    /// Of the source; [`ErrorKind::Output`] if a part cannot be written; [`ErrorKind::Interrupted`].
    pub fn fill(
        &self,
        source: &dyn Source,
        threads: Option<NonZeroUsize>,
        stop: &AtomicBool,
        mut on_sample: impl FnMut(Option<&Evaluated>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let missing = self.missing();
        let is_missing = |part: &usize| missing.binary_search(part).is_ok();
        for part in self.parts().filter(|part| !is_missing(part)) {
            for _ in self.samples_of(part) {
                on_sample(None)?;
            }
        }
        let ranges: Vec<Range<usize>> = missing.iter().map(|&part| self.samples_of(part)).collect();
        let mut parts = missing.into_iter();
        let mut current = parts.next();
        let mut evaluated = Vec::new();
        evaluate_each(source, &ranges, threads, stop, |one| {
            on_sample(Some(&one))?;
            evaluated.push(one);
            if let Some(part) = current
                && evaluated.len() == self.samples_of(part).len()
            {
                self.write_part(part, &evaluated)?;
                evaluated.clear();
                current = parts.next();
            }
            Ok(())
        })
    }

    fn write_part(&self, part: usize, evaluated: &[Evaluated]) -> Result<(), Error> {
        let path = self.part_path(part);
        let bytes =
            part::encode(self.identity(), evaluated).map_err(|error| unwritable(&path, &error))?;
        let seal = Seal {
            sha256: sha256(&bytes),
            n_samples: evaluated.len(),
            n_failed: evaluated.iter().filter(|one| one.is_err()).count(),
        };
        let mut json = serde_json::to_vec(&seal).map_err(|error| unwritable(&path, &error))?;
        json.push(b'\n');
        write(&path, &bytes)?;
        write(&self.seal_path(part), &json)
    }

    pub(crate) fn part_path(&self, part: usize) -> PathBuf {
        self.folder.join(format!("part-{part:06}.parquet"))
    }

    pub(crate) fn seal_path(&self, part: usize) -> PathBuf {
        self.folder.join(format!("part-{part:06}.json"))
    }

    /// The bytes of a part, which are those that were written.
    pub(crate) fn bytes(&self, part: usize) -> Result<Vec<u8>, String> {
        let path = self.part_path(part);
        let of_part = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let seal = fs::read(self.seal_path(part)).map_err(|error| of_part(&error))?;
        let seal: Seal = serde_json::from_slice(&seal).map_err(|error| of_part(&error))?;
        let bytes = fs::read(&path).map_err(|error| of_part(&error))?;
        match sha256(&bytes) == seal.sha256 {
            true => Ok(bytes),
            false => Err(of_part(
                &"damaged: its checksum differs; the command that made the store computes it again",
            )),
        }
    }

    /// The evaluation of the sample at `position` among those that belong here.
    pub(crate) fn evaluated(&self, position: usize) -> Result<Evaluated, Error> {
        let at = self.samples().start + position;
        let part = at / self.identity().part_size;
        let slot = self.cache.slot(part);
        let read = slot.get_or_init(|| {
            let bytes = self.bytes(part)?;
            let path = self.part_path(part);
            // The decoder is not ours, and a file may lead it astray.
            let decode = AssertUnwindSafe(|| part::decode(self.identity(), bytes));
            let evaluated = catch_unwind(decode)
                .unwrap_or_else(|_| Err("damaged: its decoder gave up".into()))
                .map_err(|error| format!("{}: {error}", path.display()))?;
            match evaluated.len() == self.samples_of(part).len() {
                true => Ok(evaluated),
                false => Err(format!(
                    "{}: it has {} samples and not {}",
                    path.display(),
                    evaluated.len(),
                    self.samples_of(part).len()
                )),
            }
        });
        match read {
            Ok(evaluated) => Ok(clone(&evaluated[at - self.samples_of(part).start])),
            Err(message) => Err(Error::new(ErrorKind::Store, message.clone())),
        }
    }

    /// What is in it as a source of evaluations for any task; `wrt` chooses and adds up blocks ([`Selection`]).
    ///
    /// # Errors
    /// Names the term that matches no block, or the blocks that share coordinates and so cannot be added.
    pub fn select(&self, wrt: &[String]) -> Result<Selection<'_>, Error> {
        Selection::new(self, wrt)
    }
}

/// Says of something by its name that it differs.
pub(crate) fn differs(what: &str) -> String {
    match what {
        "blocks" | "class_names" | "classes" | "columns" | "indices" | "inputs" | "labels"
        | "targets" => format!("{what} differ"),
        _ => format!("{what} differs"),
    }
}

/// Whether a store can begin here: nothing is in the folder, or what a run left that was killed while it began.
pub(crate) fn is_fresh(folder: &Path) -> bool {
    let is_left_over = |entry: std::io::Result<fs::DirEntry>| {
        let name = entry.map(|entry| entry.file_name().to_string_lossy().into_owned());
        name.is_ok_and(|name| name.starts_with(&format!(".{MANIFEST}.")))
    };
    fs::read_dir(folder).is_ok_and(|mut entries| entries.all(is_left_over))
}

/// A copy: an error is copied as its message.
fn clone(evaluated: &Evaluated) -> Evaluated {
    match evaluated {
        Ok(evaluation) => Ok(evaluation.clone()),
        Err(failure) => Err(quaver::SampleFailure {
            index: failure.index,
            key: failure.key.clone(),
            error: Error::new(failure.error.kind(), failure.error.to_string()),
        }),
    }
}

pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    quaver_report::atomic_write(path, bytes)
        .map_err(|error| Error::new(ErrorKind::Output, error.to_string()))
}

pub(crate) fn of_store(folder: &Path, why: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Store, format!("{}: {why}", folder.display()))
}

pub(crate) fn unwritable(path: &Path, why: &dyn std::fmt::Display) -> Error {
    Error::new(ErrorKind::Output, format!("{}: {why}", path.display()))
}
