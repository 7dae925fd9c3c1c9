//! What a result was made from, in the words that records, pages and stores share.
//!
//! The command and the Python package both say it through these functions, so that a store which one of them began is the
//! same run to the other.

mod read;

use std::path::{Path, PathBuf};

use quaver::{
    AttackOptions, Bounds, Centre, Description, HeadChoice, InputFile, LabelChoice, LoadOptions,
    MapOptions, Model, OpenOptions, Precision, ScoreOptions,
};
use quaver_report::RunRecord;
use serde_json::{Value as Json, json};

pub use read::read_options;

/// What is said of a model's own file, and what `describe` says of the files beside it that its weights are in.
///
/// # Errors
/// Those of `describe`.
pub fn with_weights<E>(
    mut own: Json,
    model: &Model,
    mut describe: impl FnMut(&Path) -> Result<Json, E>,
) -> Result<Json, E> {
    let files = model.external_files().iter();
    let weights: Vec<Json> = files.map(|file| describe(file)).collect::<Result<_, _>>()?;
    if !weights.is_empty() {
        own["weights"] = Json::Array(weights);
    }
    Ok(own)
}

/// The inputs that are named one by one, each with what `describe` says of its file.
///
/// # Errors
/// Those of `describe`.
pub fn inputs<E>(
    inputs: &[InputFile],
    mut describe: impl FnMut(&Path) -> Result<Json, E>,
) -> Result<Vec<Json>, E> {
    let one = |input: &InputFile| {
        let file = describe(&input.path)?;
        Ok(json!({"name": input.name, "key": input.key, "file": file}))
    };
    inputs.iter().map(one).collect()
}

/// A file or folder of this fingerprint: its path as given in place of its name. Labels that lie beside images are said in a place of their own
/// ([`labels_of`]).
pub fn located(path: &Path, mut fingerprint: Json) -> Json {
    if let Json::Object(fields) = &mut fingerprint {
        fields.remove("name");
        fields.remove("labels");
        fields.insert("path".to_owned(), json!(path.display().to_string()));
    }
    fingerprint
}

/// The file that the labels of `data` are in: the one that was given, or that lies beside images by its name.
pub fn labels_of(data: &Path, given: Option<&Path>) -> Option<PathBuf> {
    match given {
        Some(given) => Some(given.to_owned()),
        None => quaver::labels_beside(data).filter(|_| data.is_file()),
    }
}

/// The file of a list of indices, where they are in one: `@FILE`.
pub fn file_of_indices(indices: Option<&str>) -> Option<&Path> {
    indices?.trim().strip_prefix('@').map(Path::new)
}

/// Whose class the objective is about.
pub fn label(choice: LabelChoice) -> Json {
    match choice {
        LabelChoice::True => json!("true"),
        LabelChoice::Predicted => json!("predicted"),
        LabelChoice::Class(class) => json!(class),
    }
}

/// The number type the network is run in.
pub fn precision(precision: Precision) -> &'static str {
    match precision {
        Precision::F32 => "f32",
        Precision::F64 => "f64",
    }
}

/// What the output was taken for.
pub fn head(options: &LoadOptions) -> String {
    match options.head {
        HeadChoice::Detect => "detect".to_owned(),
        HeadChoice::Logits => "logits".to_owned(),
        HeadChoice::MultiLabel => "multi-label".to_owned(),
        HeadChoice::Regression => format!("gaussian:{}", options.noise),
    }
}

/// How the model was read.
pub fn of_model(record: RunRecord, options: &LoadOptions) -> RunRecord {
    record
        .with("output", options.output.clone())
        .with("input_shape", options.input_shape.clone())
        .with("head", head(options))
}

/// How the data were read, and which of them: `indices` as a list, and the first `limit`.
pub fn of_data(
    record: RunRecord,
    open: &OpenOptions,
    indices: Option<&str>,
    limit: Option<usize>,
) -> RunRecord {
    let record = record
        .with("format", open.format.clone())
        .with("x_key", open.x_key.clone())
        .with("y_key", open.y_key.clone())
        .with("columns", open.columns.clone())
        .with("label_column", open.label_column.clone())
        .with("layout", open.layout.to_string())
        .with("scale", open.scale)
        .with("mean", open.mean.clone())
        .with("std", open.std.clone())
        .with("resize", open.resize.map(|resize| resize.to_string()))
        .with("crop", open.crop.map(|crop| crop.to_string()))
        .with("interpolation", open.interpolation.to_string())
        .with("colours", open.colours.map(|colours| colours.to_string()))
        .with("indices", indices)
        .with("limit", limit);
    // What is seldom is said where it is.
    let record = match open.crop.map(|crop| crop.centre) {
        Some(Centre::Down) => record.with("crop_centre", "down"),
        _ => record,
    };
    match open.follow_links {
        true => record.with("follow_links", true),
        false => record,
    }
}

/// What was measured of `source`. No number of threads: results do not depend on it.
pub fn of_scores(record: RunRecord, options: &ScoreOptions, source: &Description) -> RunRecord {
    let blocks: Vec<&str> = source.blocks.iter().map(|block| &*block.name).collect();
    record
        .with("label", label(options.label))
        .with("wrt", options.wrt.clone())
        .with("blocks", blocks)
        .with("objective", options.objective.to_string())
        .with(
            "classes",
            options.classes.map(|classes| classes.to_string()),
        )
        .with("winograd", options.winograd)
        .with(
            "rtol",
            options.rtol.unwrap_or(source.precision.default_rtol()),
        )
        .with("lambda", options.lambda)
        .with("compat", options.compat)
        .with("precision", precision(options.precision))
        .with("class_names", source.class_names.clone())
}

/// What was mapped, and how.
pub fn of_maps(record: RunRecord, options: &MapOptions) -> RunRecord {
    record
        .with("scales", options.scales.clone())
        .with("label", label(options.label))
        .with("objective", options.objective.to_string())
        .with(
            "classes",
            options.classes.map(|classes| classes.to_string()),
        )
        .with("rtol", options.rtol())
        .with("lambda", options.lambda)
        .with("compat", options.compat)
        .with("precision", precision(options.precision))
}

/// What attacked the data, and within which limits.
pub fn of_attacks(
    record: RunRecord,
    options: &AttackOptions,
    bounds: Bounds,
    class_names: Option<&[String]>,
) -> RunRecord {
    record
        .with("attacks", options.attacks.clone())
        .with("bounds", vec![bounds.low, bounds.high])
        .with("label", label(options.label))
        .with("target", options.target.map(|target| target.to_string()))
        .with("probability", options.probability)
        .with("epsilon", options.epsilon.clone())
        .with("epsilon_l2", options.epsilon_l2.clone())
        .with("steps", options.steps)
        .with("step_size", options.step_size)
        .with("restarts", options.restarts)
        .with("deepfool_steps", options.deepfool_steps)
        .with("pixels", options.pixels)
        .with("static_map", options.static_map)
        .with("population", options.population)
        .with("particles", options.particles)
        .with("generations", options.generations)
        .with("largest_change", options.largest_change)
        .with("queries", options.max_queries)
        .with("seed", options.seed)
        .with("lambda", options.lambda)
        .with("rtol", options.rtol())
        .with("compat", options.compat)
        .with(
            "classes",
            options.classes.map(|classes| classes.to_string()),
        )
        .with("winograd", options.winograd)
        .with("precision", precision(options.precision))
        .with("class_names", class_names.map(<[String]>::to_vec))
}
