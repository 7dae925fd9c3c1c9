//! What is perturbed: blocks of inputs, parameters and activations, and how users name them.

use std::collections::BTreeMap;
use std::sync::Arc;

use quaver_engine::ValueId;

use crate::{Error, ErrorKind, Model};

/// What a term of `--wrt` may be; shown in errors.
const TERMS: &str = "input, params, layers, input:NAME, param:NAME, layer:NAME or value:NAME (* and ? match), joined by +";

/// A set of coordinates that are perturbed together.
#[derive(Debug, Clone, PartialEq)]
pub struct Block {
    /// What the user called it; one of several that a pattern matched has its own name.
    pub name: Arc<str>,
    /// How many coordinates it has.
    pub n_coordinates: usize,
    /// ‖θ‖₂ of the parameters, for a block that consists of parameters alone.
    pub norm: Option<f64>,
    /// The names of the values that it consists of: Grams of blocks that share none add up.
    pub members: Vec<Arc<str>>,
    pub(crate) values: Vec<ValueId>,
}

impl Block {
    /// A block as it is described by somebody who has its Grams already; no network can be asked about it.
    pub fn described(
        name: Arc<str>,
        n_coordinates: usize,
        norm: Option<f64>,
        members: Vec<Arc<str>>,
    ) -> Self {
        Self {
            name,
            n_coordinates,
            norm,
            members,
            values: Vec::new(),
        }
    }
}

impl Model {
    /// The blocks that `wrt` names. Each entry is a term, or several joined by `+` into one block:
    ///
    /// - `input`: all that is fed in; `input:NAME` one of several inputs;
    /// - `params`: all trainable parameters together;
    /// - `layers`: a block for every layer, that is, the parameters of one node;
    /// - `param:NAME`, `layer:NAME`, `value:NAME`: an initializer, a node's parameters, any activation.
    ///
    /// In names `*` stands for any characters and `?` for one; alone, a pattern gives a block for each match.
    ///
    /// # Errors
    /// Names the term that matches nothing, with what there is to choose from.
    pub fn blocks(&self, wrt: &[String]) -> Result<Vec<Block>, Error> {
        let mut blocks: Vec<Block> = Vec::new();
        for entry in wrt {
            let terms: Vec<&str> = entry.split('+').map(str::trim).collect();
            if let [term] = terms.as_slice() {
                for (name, values) in self.term(term)? {
                    blocks.push(self.block(name, values)?);
                }
                continue;
            }
            let mut values = Vec::new();
            for term in terms {
                values.extend(self.term(term)?.into_iter().flat_map(|(_, values)| values));
            }
            blocks.push(self.block(entry.clone(), values)?);
        }
        let mut seen = BTreeMap::new();
        blocks.retain(|block| seen.insert(Arc::clone(&block.name), ()).is_none());
        if blocks.is_empty() {
            return Err(refuse("nothing to perturb is named".to_owned()));
        }
        Ok(blocks)
    }

    fn block(&self, name: String, mut values: Vec<ValueId>) -> Result<Block, Error> {
        // A coordinate that several terms name is perturbed once.
        values.sort_unstable();
        values.dedup();
        if values.is_empty() {
            return Err(refuse(format!(
                "'{name}': the model has no trainable parameters"
            )));
        }
        let squares: Option<f64> = values
            .iter()
            .map(|&value| self.graph.squared_norm(value))
            .sum();
        Ok(Block {
            name: name.into(),
            n_coordinates: values.iter().map(|&v| self.graph.n_elements(v)).sum(),
            norm: squares.map(f64::sqrt),
            members: values
                .iter()
                .map(|&value| self.graph.parameter_name(value).into())
                .collect(),
            values,
        })
    }

    /// What one term names: blocks with their values.
    fn term(&self, term: &str) -> Result<Vec<(String, Vec<ValueId>)>, Error> {
        let parameters = || self.graph.parameters(self.head.logits);
        let (kind, pattern) = match term.split_once(':') {
            None => {
                return match term {
                    "input" => Ok(vec![(term.to_owned(), self.perturbable_input()?)]),
                    "params" => Ok(vec![(term.to_owned(), parameters())]),
                    "layers" => Ok(named_as("layer", self.layers())),
                    _ => Err(refuse(format!("'{term}': give {TERMS}"))),
                };
            }
            Some(split) => split,
        };
        let graph = &self.graph;
        let candidates: Vec<(String, Vec<ValueId>)> = match kind {
            "input" => {
                let named = |&id: &ValueId| (graph.name(id).to_owned(), vec![id]);
                let inputs = graph.inputs().iter();
                inputs.filter(|&&id| graph.is_real(id)).map(named).collect()
            }
            "param" => {
                let named = |id: ValueId| (graph.parameter_name(id).to_owned(), vec![id]);
                parameters().into_iter().map(named).collect()
            }
            "layer" => self.layers(),
            "value" => {
                let named = |id: ValueId| (graph.name(id).to_owned(), vec![id]);
                graph
                    .activations(self.head.logits)
                    .into_iter()
                    .map(named)
                    .collect()
            }
            _ => return Err(refuse(format!("'{term}': give {TERMS}"))),
        };
        // A name that is there as it stands is that one, whatever characters it has.
        let exact = candidates.iter().any(|(name, _)| name == pattern);
        let glob = wildmatch::WildMatch::new(pattern);
        let matches = |name: &str| {
            if exact {
                name == pattern
            } else {
                glob.matches(name)
            }
        };
        let names: Vec<String> = candidates.iter().map(|(name, _)| name.clone()).collect();
        let found: Vec<(String, Vec<ValueId>)> = candidates
            .into_iter()
            .filter(|(name, _)| matches(name))
            .collect();
        let found = named_as(kind, found);
        if found.is_empty() {
            return Err(refuse(format!(
                "'{term}' matches none of: {}",
                shortened(&names)
            )));
        }
        Ok(found)
    }

    /// What `input` stands for: the inputs that are real numbers; for token ids, the embeddings that are looked up
    /// by them.
    fn perturbable_input(&self) -> Result<Vec<ValueId>, Error> {
        let graph = &self.graph;
        let inputs = graph.inputs().iter().copied();
        let real: Vec<ValueId> = inputs.filter(|&id| graph.is_real(id)).collect();
        if !real.is_empty() {
            return Ok(real);
        }
        let embeddings = graph.embeddings(self.head.logits);
        match embeddings.is_empty() {
            false => Ok(embeddings),
            true => Err(refuse(
                "'input': the model's inputs are whole numbers, which cannot be perturbed, and no embedding is looked up by them; name an activation (value:NAME)"
                    .to_owned(),
            )),
        }
    }

    /// The parameters of each node that has any; nodes of one name are one layer.
    fn layers(&self) -> Vec<(String, Vec<ValueId>)> {
        let mut layers: Vec<(String, Vec<ValueId>)> = Vec::new();
        for layer in self.graph.layers(self.head.logits) {
            match layers.iter_mut().find(|(name, _)| *name == layer.name) {
                Some((_, values)) => values.extend(layer.values),
                None => layers.push((layer.name, layer.values)),
            }
        }
        layers
    }
}

/// The names by which a term finds each of these again.
fn named_as(kind: &str, found: Vec<(String, Vec<ValueId>)>) -> Vec<(String, Vec<ValueId>)> {
    let named = |(name, values)| (format!("{kind}:{name}"), values);
    found.into_iter().map(named).collect()
}

/// A list of names that fits an error message.
fn shortened(names: &[String]) -> String {
    const SHOWN: usize = 12;
    let mut list = names
        .iter()
        .take(SHOWN)
        .cloned()
        .collect::<Vec<_>>()
        .join(", ");
    if names.len() > SHOWN {
        list.push_str(&format!(
            " and {} more (quaver inspect lists them)",
            names.len() - SHOWN
        ));
    }
    list
}

fn refuse(why: String) -> Error {
    Error::new(ErrorKind::Option, format!("--wrt {why}"))
}
