//! What a result was made from.

use std::path::Path;

use quaver_store::fingerprint;
use serde_json::{Value as Json, json};

use crate::failure::Failure;

/// A file or folder: its path as given, and what is in it, by which a result can be traced to it.
pub fn traced(path: &Path) -> Result<Json, Failure> {
    let mut about = fingerprint(path)?;
    if let Json::Object(fields) = &mut about {
        fields.remove("name");
        fields.insert("path".to_owned(), json!(path.display().to_string()));
    }
    Ok(about)
}
