//! Files looked for where they lay, and beside the store.

use std::path::{Path, PathBuf};

use quaver::Error;
use serde_json::Value as Json;

use crate::store::of_store;
use crate::{Known, Store, fingerprint};

/// What to do about a file that is missing or has changed.
const OR_ELSE: &str = "or give the network and its data in place of the store";

impl Store {
    /// What it was made from, under this name.
    pub(super) fn of(&self, key: &str) -> Option<&Json> {
        let said = self.identity().made_from.get(key);
        said.filter(|value| !value.is_null())
    }

    /// The file of which the store says that it is `expected`; `what` it is to the user.
    pub(super) fn find(
        &self,
        what: &str,
        path: Option<&Path>,
        expected: &Json,
        known: &mut Known,
    ) -> Result<PathBuf, Error> {
        let named = expected.get("name").and_then(Json::as_str);
        let Some(path) = path.or(named.map(Path::new)) else {
            return Err(self.refuse(&format!(
                "its {what} came from memory and not from a file; give the network and its data in place of the store"
            )));
        };
        let mut other = None;
        for candidate in self.candidates(path) {
            // A pipe or a device may never end.
            if candidate
                .metadata()
                .is_ok_and(|is| !is.is_file() && !is.is_dir())
            {
                continue;
            }
            match fingerprint(&candidate) {
                Ok(found) if found == *expected => {
                    known.learn(&candidate, found);
                    return Ok(candidate);
                }
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

    pub(super) fn changed(&self, what: &str, path: &Path) -> Error {
        self.refuse(&format!(
            "its {what}, {}, has changed since the store was filled; put back what it was, fill a new store, {OR_ELSE}",
            path.display()
        ))
    }

    pub(super) fn refuse(&self, why: &str) -> Error {
        of_store(self.folder(), why)
    }
}
