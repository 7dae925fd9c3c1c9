//! What a result was made from.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::Path;

use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

use crate::failure::Failure;

/// The model file's name and SHA-256, by which a result can be traced to it.
pub fn model(path: &Path) -> Result<Json, Failure> {
    Ok(json!({"path": path.display().to_string(), "sha256": sha256(path)?}))
}

/// The SHA-256 of a data file; none for a folder, which is named and not read through.
pub fn data(path: &Path) -> Result<Option<String>, Failure> {
    match path.is_file() {
        true => sha256(path).map(Some),
        false => Ok(None),
    }
}

fn sha256(path: &Path) -> Result<String, Failure> {
    let of_file = |error: io::Error| Failure::Input(format!("{}: {error}", path.display()));
    let mut file = BufReader::new(File::open(path).map_err(of_file)?);
    let mut hasher = Sha256::new();
    io::copy(&mut file, &mut HashWriter(&mut hasher)).map_err(of_file)?;
    let bytes = hasher.finalize();
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// A hasher that can be written to.
struct HashWriter<'a>(&'a mut Sha256);

impl io::Write for HashWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
