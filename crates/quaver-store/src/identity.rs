//! What a store was made from, and what is in it.

use std::sync::Arc;

use quaver::{
    Block, Classes, Description, Error, ErrorKind, Family, LabelChoice, Precision, ScoreOptions,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

/// The version of the stores' layout. Stores of another are refused.
pub const SCHEMA: u32 = 1;

/// The number type in which Grams are kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StoredAs {
    /// Half the space; FI from it agrees to about 1e-6.
    F32,
    /// As computed.
    #[default]
    F64,
}

/// What a store was made from, and what is in it: two stores with the same identity hold the same numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Identity {
    /// [`SCHEMA`] of the program that made it.
    pub schema: u32,
    /// Model, data and preprocessing, as the caller describes them.
    pub made_from: Map<String, Json>,
    /// What was perturbed, as it was asked for.
    pub wrt: Vec<String>,
    /// Whose class is kept apart where classes are merged: `true`, `predicted` or its number.
    pub label: String,
    /// Which classes are kept apart.
    pub classes: String,
    /// The number type the network was run in.
    pub precision: String,
    /// Whether Winograd's algorithm was allowed.
    pub winograd: bool,
    /// The number type in which Grams are kept.
    pub stored_as: StoredAs,
    /// The family of output distributions.
    pub family: String,
    /// K.
    pub n_outputs: usize,
    /// Samples of the whole dataset, of which a shard has a part.
    pub n_samples: usize,
    /// Samples in a part.
    pub part_size: usize,
    /// What was perturbed, block by block.
    pub blocks: Vec<StoredBlock>,
    /// Whether samples have names.
    pub has_keys: bool,
    /// Class names in label order.
    pub class_names: Option<Vec<String>>,
}

/// A [`Block`] without its network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoredBlock {
    name: String,
    n_coordinates: usize,
    norm: Option<f64>,
    members: Vec<String>,
}

impl Identity {
    /// Of a store of what `source` has, evaluated as `options` say.
    pub fn new(
        source: &Description,
        options: &ScoreOptions,
        made_from: Map<String, Json>,
        stored_as: StoredAs,
    ) -> Self {
        let classes = match source.merges_classes {
            true => options.classes(source.n_outputs),
            false => Classes::All,
        };
        Self {
            schema: SCHEMA,
            made_from,
            wrt: options.wrt.clone(),
            label: match (source.merges_classes, options.label) {
                // Without merging Grams do not depend on the label.
                (false, _) => "any".to_owned(),
                (true, LabelChoice::True) => "true".to_owned(),
                (true, LabelChoice::Predicted) => "predicted".to_owned(),
                (true, LabelChoice::Class(class)) => class.to_string(),
            },
            classes: classes.to_string(),
            precision: match source.precision {
                Precision::F32 => "f32",
                Precision::F64 => "f64",
            }
            .to_owned(),
            winograd: options.winograd,
            stored_as,
            family: source.family.to_string(),
            n_outputs: source.n_outputs,
            n_samples: source.n_samples,
            part_size: part_size(source.n_samples),
            blocks: source.blocks.iter().map(StoredBlock::new).collect(),
            has_keys: source.has_keys,
            class_names: source.class_names.clone(),
        }
    }

    /// The name of the network's file, where it came from one.
    pub fn model_name(&self) -> Option<&str> {
        self.named("model")
    }

    /// The name of the data's file or folder, where they came from one.
    pub fn data_name(&self) -> Option<&str> {
        self.named("data")
    }

    fn named(&self, what: &str) -> Option<&str> {
        self.made_from.get(what)?.get("name")?.as_str()
    }

    /// What a source of these evaluations says of itself, of the `n_samples` of one shard.
    pub(crate) fn description(&self, n_samples: usize) -> Result<Description, Error> {
        Ok(Description {
            n_samples,
            n_outputs: self.n_outputs,
            family: self
                .family
                .parse::<Family>()
                .map_err(|_| damaged("family"))?,
            blocks: self.blocks.iter().map(StoredBlock::block).collect(),
            precision: match self.precision.as_str() {
                "f32" => Precision::F32,
                "f64" => Precision::F64,
                _ => return Err(damaged("precision")),
            },
            merges_classes: self.merging()?.0 != Classes::All,
            has_keys: self.has_keys,
            class_names: self.class_names.clone(),
        })
    }

    /// Which classes were merged, and whose was kept apart.
    pub(crate) fn merging(&self) -> Result<(Classes, LabelChoice), Error> {
        let classes = self.classes.parse().map_err(|_| damaged("classes"))?;
        let label = match self.label.as_str() {
            "true" | "any" => LabelChoice::True,
            "predicted" => LabelChoice::Predicted,
            number => LabelChoice::Class(number.parse().map_err(|_| damaged("label"))?),
        };
        Ok((classes, label))
    }

    /// The parts that the whole dataset has.
    pub(crate) fn n_parts(&self) -> usize {
        self.n_samples.div_ceil(self.part_size.max(1))
    }

    /// The first thing in which the two differ, by name.
    pub(crate) fn difference(&self, other: &Self) -> Option<String> {
        let [ours, theirs] = [self, other].map(|identity| serde_json::to_value(identity).ok());
        let (Some(Json::Object(ours)), Some(Json::Object(theirs))) = (ours, theirs) else {
            return Some("identity".to_owned());
        };
        let differing = |ours: &Map<String, Json>, theirs: &Map<String, Json>| {
            let keys = ours.keys().chain(theirs.keys());
            keys.into_iter()
                .find(|key| ours.get(*key) != theirs.get(*key))
                .cloned()
        };
        match differing(&ours, &theirs)? {
            key if key == "made_from" => differing(&self.made_from, &other.made_from),
            key => Some(key),
        }
    }
}

impl StoredBlock {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    fn new(block: &Block) -> Self {
        Self {
            name: block.name.to_string(),
            n_coordinates: block.n_coordinates,
            norm: block.norm,
            members: block.members.iter().map(|name| name.to_string()).collect(),
        }
    }

    fn block(&self) -> Block {
        let members: Vec<Arc<str>> = self.members.iter().map(|m| m.as_str().into()).collect();
        Block::described(
            self.name.as_str().into(),
            self.n_coordinates,
            self.norm,
            members,
        )
    }
}

/// About two hundred parts, so that an interruption costs little, of a size that files are good for. A function of the
/// number of samples alone: shards on different machines must cut alike.
pub(crate) fn part_size(n_samples: usize) -> usize {
    n_samples.div_ceil(256).next_power_of_two().clamp(64, 4096)
}

pub(crate) fn damaged(what: &str) -> Error {
    Error::new(
        ErrorKind::Store,
        format!("store.json: its {what} cannot be read; the store is damaged"),
    )
}
