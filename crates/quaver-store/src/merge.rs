//! Shards made one.

use std::fs;
use std::path::{Path, PathBuf};

use quaver::Error;

use crate::Store;
use crate::store::{Manifest, differs, is_fresh, of_store, unwritable, write};

/// Joins the stores in `folders`, shards of one run in any order, into a new store in `out`, which has the same bytes as
/// one that was filled in one go.
///
/// # Errors
/// [`ErrorKind::Store`](quaver::ErrorKind::Store) if a shard is not complete or damaged, two of them are of different
/// runs, or there is a gap or an overlap: all by name. [`ErrorKind::Output`](quaver::ErrorKind::Output) if `out` cannot be
/// written.
pub fn merge(out: &Path, folders: &[PathBuf]) -> Result<Store, Error> {
    let mut shards: Vec<Store> = folders
        .iter()
        .map(|folder| Store::open(folder))
        .collect::<Result<_, _>>()?;
    shards.sort_by_key(|shard| shard.manifest().parts);
    let Some(first) = shards.first() else {
        return Err(of_store(out, "there is nothing to merge"));
    };
    let mut next = 0;
    for shard in &shards {
        if let Some(what) = first.identity().difference(shard.identity()) {
            return Err(of_store(
                shard.folder(),
                format_args!(
                    "is of another run than {}: its {}",
                    first.folder().display(),
                    differs(&what)
                ),
            ));
        }
        let (from, to) = shard.manifest().parts;
        if from != next {
            let what = match from > next {
                true => "are in none of the stores",
                false => "are in two of the stores",
            };
            return Err(of_store(
                out,
                format_args!("parts {} to {} {what}", from.min(next), from.max(next) - 1),
            ));
        }
        next = to;
    }
    let n_parts = first.identity().n_parts();
    if next != n_parts {
        return Err(of_store(
            out,
            format_args!(
                "parts {next} to {} of {n_parts} are in none of the stores",
                n_parts - 1
            ),
        ));
    }
    let manifest = Manifest {
        identity: first.identity().clone(),
        parts: (0, n_parts),
        paths: first.manifest().paths.clone(),
    };
    if out.exists() && !is_fresh(out) {
        return Err(of_store(out, "is not empty; name another folder"));
    }
    if !out.exists() {
        fs::create_dir(out).map_err(|error| unwritable(out, &error))?;
    }
    let merged = Store::begin(out, manifest)?;
    for shard in &shards {
        for part in shard.parts() {
            let bytes = shard
                .bytes(part)
                .map_err(|message| Error::new(quaver::ErrorKind::Store, message))?;
            write(&merged.part_path(part), &bytes)?;
            let seal = fs::read(shard.seal_path(part))
                .map_err(|error| unwritable(&shard.seal_path(part), &error))?;
            write(&merged.seal_path(part), &seal)?;
        }
    }
    Ok(merged)
}
