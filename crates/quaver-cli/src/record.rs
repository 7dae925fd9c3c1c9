//! What a result was made from.

use std::path::Path;

use quaver::LabelChoice;
use quaver_store::fingerprint;
use serde_json::{Value as Json, json};

use crate::failure::Failure;

/// A file or folder: its path as given, and what is in it, by which a result can be traced to it.
pub fn traced(path: &Path) -> Result<Json, Failure> {
    Ok(located(path, fingerprint(path)?))
}

/// The same where the fingerprint is known.
pub fn located(path: &Path, mut fingerprint: Json) -> Json {
    if let Json::Object(fields) = &mut fingerprint {
        fields.remove("name");
        fields.insert("path".to_owned(), json!(path.display().to_string()));
    }
    fingerprint
}

/// Whose class the objective is about.
pub fn label(choice: LabelChoice) -> Json {
    match choice {
        LabelChoice::True => json!("true"),
        LabelChoice::Predicted => json!("predicted"),
        LabelChoice::Class(class) => json!(class),
    }
}
