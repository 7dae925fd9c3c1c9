//! What a file or folder is, whatever its path: by this a result is traced to what it was made from.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use quaver::{DataError, Error};
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

use crate::record::located;

/// Files up to this length are hashed as a whole.
const WHOLE: u64 = 1 << 30;
/// What is hashed at either end of longer ones.
const END: u64 = 1 << 26;
/// Files in a folder beyond which it is refused.
const MOST_FILES: usize = 50_000_000;

/// The name, length and SHA-256 of a file: of all bytes up to 1 GiB, of 64 MiB at either end beyond. Of a folder, the
/// hash of its files' names and lengths, which are not read. Of a pattern that stands for several files, that of each; of
/// MNIST's images also that of the labels beside them.
///
/// # Errors
/// Names what cannot be read.
pub fn fingerprint(path: &Path) -> Result<Json, Error> {
    let name = path.file_name().unwrap_or(path.as_os_str());
    let name = name.to_string_lossy().into_owned();
    if let Some(files) = quaver::expand_pattern(path)? {
        let files = files.iter().map(|file| fingerprint(file));
        let files: Vec<Json> = files.collect::<Result<_, _>>()?;
        return Ok(json!({"name": name, "files": files}));
    }
    let described = |error: io::Error| Error::from(DataError::reading(path, error));
    if path.is_dir() {
        let (n_files, n_bytes, sha256) = of_folder(path).map_err(described)?;
        return Ok(json!({
            "name": name, "n_files": n_files, "n_bytes": n_bytes, "sha256_of_listing": sha256,
        }));
    }
    let (n_bytes, sha256) = of_file(path).map_err(described)?;
    let mut found = match n_bytes <= WHOLE {
        true => json!({"name": name, "n_bytes": n_bytes, "sha256": sha256}),
        false => json!({"name": name, "n_bytes": n_bytes, "sha256_of_ends": sha256}),
    };
    if let Some(labels) = quaver::labels_beside(path) {
        found["labels"] = fingerprint(&labels)?;
    }
    Ok(found)
}

/// What is known to be in files, so that they are not read for it once more.
#[derive(Debug, Clone, Default)]
pub struct Known(BTreeMap<PathBuf, Json>);

impl Known {
    /// What is in a file or folder.
    ///
    /// # Errors
    /// As for [`fingerprint()`], where it is not known.
    pub fn fingerprint(&self, path: &Path) -> Result<Json, Error> {
        match self.0.get(path) {
            Some(known) => Ok(known.clone()),
            None => fingerprint(path),
        }
    }

    /// The same with its path as given, by which a result can be traced to it.
    ///
    /// # Errors
    /// The same.
    pub fn traced(&self, path: &Path) -> Result<Json, Error> {
        Ok(located(path, self.fingerprint(path)?))
    }

    /// What the other knows as well.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// Looks at a file, and knows it from then on.
    pub(crate) fn look(&mut self, path: &Path) -> Result<Json, Error> {
        let found = self.fingerprint(path)?;
        self.learn(path, found.clone());
        Ok(found)
    }

    /// Keeps what is in a file, and in the labels that lie beside it.
    pub(crate) fn learn(&mut self, path: &Path, found: Json) {
        if let (Some(said), Some(labels)) = (found.get("labels"), quaver::labels_beside(path)) {
            self.0.insert(labels, said.clone());
        }
        self.0.insert(path.to_owned(), found);
    }
}

/// The length and SHA-256 of what is in memory: `pieces`, one after another.
pub fn fingerprint_of_bytes<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Json {
    let mut hasher = Hasher(Sha256::new());
    let mut n_bytes = 0;
    for piece in pieces {
        n_bytes += piece.len();
        hasher.0.update(piece);
    }
    json!({"n_bytes": n_bytes, "sha256": hasher.hex()})
}

fn of_file(path: &Path) -> io::Result<(u64, String)> {
    let mut file = File::open(path)?;
    let n_bytes = file.metadata()?.len();
    let mut hasher = Hasher(Sha256::new());
    if n_bytes <= WHOLE {
        io::copy(&mut BufReader::new(file), &mut hasher)?;
    } else {
        io::copy(&mut BufReader::new(&file).take(END), &mut hasher)?;
        file.seek(SeekFrom::End(-(END as i64)))?;
        io::copy(&mut BufReader::new(file), &mut hasher)?;
    }
    Ok((n_bytes, hasher.hex()))
}

fn of_folder(path: &Path) -> io::Result<(usize, u64, String)> {
    let mut files: Vec<(PathBuf, u64)> = Vec::new();
    let mut folders = vec![path.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                folders.push(entry.path());
            } else {
                let length = std::fs::metadata(entry.path()).map_or(0, |file| file.len());
                let inside = entry.path();
                let inside = inside.strip_prefix(path).unwrap_or(&inside).to_owned();
                files.push((inside, length));
            }
            if files.len() + folders.len() > MOST_FILES {
                return Err(io::Error::other("more files than can be listed"));
            }
        }
    }
    files.sort();
    let mut hasher = Hasher(Sha256::new());
    for (name, length) in &files {
        writeln!(hasher, "{}\t{length}", name.display())?;
    }
    let n_bytes = files.iter().map(|(_, length)| length).sum();
    Ok((files.len(), n_bytes, hasher.hex()))
}

/// The SHA-256 of `bytes`, in hexadecimal digits.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    let mut hasher = Hasher(Sha256::new());
    hasher.0.update(bytes);
    hasher.hex()
}

/// A hasher that can be written to.
struct Hasher(Sha256);

impl Hasher {
    fn hex(self) -> String {
        let digest = self.0.finalize();
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl Write for Hasher {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
