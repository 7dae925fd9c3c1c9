//! What a result was made from.

use std::path::Path;

use quaver::{LabelChoice, Model};
use quaver_store::fingerprint;
use serde_json::{Value as Json, json};

use crate::failure::Failure;

/// A file or folder: its path as given, and what is in it, by which a result can be traced to it.
pub fn traced(path: &Path) -> Result<Json, Failure> {
    Ok(located(path, fingerprint(path)?))
}

/// A model: the same, with the files beside it that its weights are in.
pub fn traced_model(path: &Path, model: &Model) -> Result<Json, Failure> {
    let traced = traced(path)?;
    with_weights(traced, model, |file| Ok(fingerprint(file)?))
}

/// What is said of a model's own file, and what `describe` says of the files beside it that its weights are in.
pub fn with_weights(
    mut own: Json,
    model: &Model,
    describe: impl Fn(&Path) -> Result<Json, Failure>,
) -> Result<Json, Failure> {
    let files = model.external_files().iter();
    let weights: Vec<Json> = files.map(|file| describe(file)).collect::<Result<_, _>>()?;
    if !weights.is_empty() {
        own["weights"] = Json::Array(weights);
    }
    Ok(own)
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
