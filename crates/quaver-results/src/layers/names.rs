//! What layers are called where there is little room.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use quaver::layers::LayerReport;

/// Short names of a network's blocks, no two alike.
pub struct Names(BTreeMap<Arc<str>, String>);

impl Names {
    /// Of the blocks of a report.
    pub fn of_layers(report: &LayerReport) -> Self {
        Self::new(report.layers.iter().map(|layer| &layer.block))
    }

    fn new<'a>(blocks: impl Iterator<Item = &'a Arc<str>>) -> Self {
        let mut names: BTreeMap<Arc<str>, String> = blocks
            .map(|block| (Arc::clone(block), short(block)))
            .collect();
        let distinct: BTreeSet<&String> = names.values().collect();
        if distinct.len() < names.len() {
            names
                .iter_mut()
                .for_each(|(block, name)| *name = plain(block).to_owned());
        }
        Self(names)
    }

    /// The short name of a block; its own, if it is not among those that names were made for.
    pub fn of<'a>(&'a self, block: &'a str) -> &'a str {
        self.0.get(block).map_or(plain(block), String::as_str)
    }
}

/// Without the word that says that it is a layer.
fn plain(block: &str) -> &str {
    block.strip_prefix("layer:").unwrap_or(block)
}

/// PyTorch's exporter names a node by the modules around it, each with those around it, and by its operator:
/// `/layer1/layer1.0/conv1/Conv`. What is said twice is left out, and so is the operator of one deep inside.
fn short(block: &str) -> String {
    let Some(path) = plain(block).strip_prefix('/') else {
        return plain(block).to_owned();
    };
    let parts: Vec<&str> = path.split('/').collect();
    let said_again = |at: usize| {
        let next = parts
            .get(at + 1)
            .and_then(|next| next.strip_prefix(parts[at]));
        next.is_some_and(|rest| rest.starts_with('.'))
    };
    let mut kept: Vec<&str> = (0..parts.len())
        .filter(|&at| !said_again(at))
        .map(|at| parts[at])
        .collect();
    if kept.len() > 2 {
        kept.pop();
    }
    kept.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(blocks: &[&str]) -> Vec<String> {
        let blocks: Vec<Arc<str>> = blocks.iter().map(|&block| block.into()).collect();
        let names = Names::new(blocks.iter());
        blocks.iter().map(|b| names.of(b).to_owned()).collect()
    }

    #[test]
    fn modules_are_named_once() {
        let blocks = [
            "layer:/layer1/layer1.0/conv1/Conv",
            "layer:/conv1/Conv",
            "params",
            "layer:Convolution28",
        ];
        let short = ["layer1.0/conv1", "conv1/Conv", "params", "Convolution28"];
        assert_eq!(names(&blocks), short);
    }

    #[test]
    fn names_stay_apart() {
        let blocks = ["layer:/a/b/Conv", "layer:/a/b/Mul"];
        assert_eq!(names(&blocks), ["/a/b/Conv", "/a/b/Mul"]);
    }
}
